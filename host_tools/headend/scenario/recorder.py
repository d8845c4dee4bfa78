"""Turns a scenario into a recorded broadcast: a capture, and the truth to check a terminal against.

The capture can be made before any card is there. LTKMs depend on the SMK, and that on the GBA run of one
card, so they are minted live, by `Bsm.ltkm`. STKMs and media depend on the SEKs only, and on the RAND and CSB
ID that come with a SEK; all three follow from the scenario's seed (`scenario.seeded_keys`), so a
BSM made from the same scenario brings every card the keys of the same recording.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from card.spec.bcast.tables import BcastTables
from host_tools.content.captures.pcap import CaptureWriter
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.station import Bsda, SentMedia
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.scenario.driver import Sent, play
from host_tools.headend.scenario.maker import make_bsda, make_keys
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.schedule import Delivery, deliveries
from host_tools.headend.scenario.truth import MediaDigest, MediaTruth, TekName, Truth
from host_tools.headend.sealing import MikeySealer

Progress = Callable[[int], None]
_BLOCK = 1 << 16  # bytes of the capture that are written in one go
_PROGRESS_STEP = 64  # datagrams from one word about the progress to the next


@dataclass(frozen=True, slots=True)
class Recording:
    """A capture (the bytes of a pcap file), the truth about it, and when which SEK is to be delivered."""

    pcap: bytes
    truth: Truth
    deliveries: tuple[Delivery, ...]


def record(scenario: Scenario, progress: Progress | None = None, *, tables: BcastTables) -> Recording:
    """Return the recording of a scenario; the same scenario gives the same bytes.

    `progress` is told the time reached, in milliseconds of the broadcast; management data follow `tables`.
    """
    return record_from(scenario, _bsda(scenario, tables), progress)


def record_from(scenario: Scenario, bsda: Bsda, progress: Progress | None = None) -> Recording:
    """Return what a BSD/A that has not begun sends in the course of a scenario."""
    file = io.BytesIO()
    truth = _write(scenario, bsda, file, progress)
    return Recording(file.getvalue(), truth, deliveries(scenario))


def record_to(scenario: Scenario, file: BinaryIO, progress: Progress | None = None, *, tables: BcastTables) -> Truth:
    """Write the capture of a scenario to a file open for writing, and return the truth about it."""
    return _write(scenario, _bsda(scenario, tables), file, progress)


def _bsda(scenario: Scenario, tables: BcastTables) -> Bsda:
    return make_bsda(scenario, BackEnd(make_keys(scenario), MikeySealer), tables)


def _write(scenario: Scenario, bsda: Bsda, file: BinaryIO, progress: Progress | None) -> Truth:
    writer, heard = CaptureWriter(file, _BLOCK), _Heard(scenario)
    reached, hears_all = 0, scenario.view is None
    for number, sent in enumerate(play(scenario, bsda)):
        # Everything is sent, also what nobody records: the roll-over counters go on.
        if hears_all or scenario.viewed_at(sent.at) == sent.service:
            heard.note(sent)
            writer.write(sent.what.datagram)
        reached = sent.at
        if progress is not None and number % _PROGRESS_STEP == 0:
            progress(reached)
    writer.flush()
    if progress is not None:
        progress(reached)
    return heard.truth()


class _Heard:
    """The truth about what is recorded."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._digests = {service.id: MediaDigest() for service in scenario.services}
        self._keys: dict[TekName, TrafficKey] = {}
        self._stkms_sent = 0
        self._stkms_different = 0
        self._last_stkm: dict[str, bytes] = {}  # by service

    def note(self, sent: Sent) -> None:
        """Take what is recorded next."""
        what = sent.what
        if isinstance(what, SentMedia):
            self._digests[sent.service].add(what.payload)
            return
        ids, stkm = what.ids, what.datagram.payload
        self._keys[TekName(ids.key_domain_id, ids.msk_id, ids.mtk_id or b"")] = what.key
        self._stkms_sent += 1
        # A terminal that tunes in between two repeats has not heard the first: so bytes are compared.
        self._stkms_different += self._last_stkm.get(sent.service) != stkm
        self._last_stkm[sent.service] = stkm

    def truth(self) -> Truth:
        """Return what was recorded."""
        media = {service: digest.result() for service, digest in self._digests.items()}
        ports = {service.id: service.port for service in self._scenario.services}
        heard: dict[str, MediaTruth] = {service: found for service, found in media.items() if found.packets}
        return Truth(dict(self._keys), heard, ports, self._stkms_sent, self._stkms_different)
