"""Turns a scenario into a recorded broadcast: a capture, and the truth to check a terminal against.

The capture can be made before any card is there. LTKMs depend on the SMK, and that on the GBA run of one
card, so they are minted live, by `Bsm.ltkm`. STKMs and media depend on the SEKs only, and on the RAND and CSB
ID that come with a SEK; all three follow from the scenario's seed (`host_tools.headend.service_keys`), so a
BSM made from the same scenario brings every card the keys of the same recording.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from card.spec.bcast.tables import BcastTables
from host_tools.content.captures.pcap import CaptureWriter, Datagram, Endpoint
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.tone import SAMPLE_RATE, mulaw_frames
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.content.srtp.receiver import SrtpSender
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bcast_stkm import carried_tek, stkm_extension
from host_tools.headend.media_stream import media_stream
from host_tools.headend.scenario import Scenario, Service
from host_tools.headend.schedule import FRAME_MILLISECONDS, Delivery, MediaSlot, StkmSlot, deliveries, slots
from host_tools.headend.service_keys import traffic_key
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.headend.truth import MediaDigest, MediaTruth, TekName, Truth

_SENDER_HOST = "10.20.30.40"
_SENDER_PORT = 40_000
_FRAME_SAMPLES = SAMPLE_RATE * FRAME_MILLISECONDS // 1000

Progress = Callable[[int], None]


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
    file = io.BytesIO()
    truth = record_to(scenario, file, progress, tables=tables)
    return Recording(file.getvalue(), truth, deliveries(scenario))


def record_to(scenario: Scenario, file: BinaryIO, progress: Progress | None = None, *, tables: BcastTables) -> Truth:
    """Write the capture of a scenario to a file open for writing, and return the truth about it."""
    writer, recorder = CaptureWriter(file), _Recorder(scenario, tables)
    for slot in slots(scenario):
        for datagram in recorder.datagrams(slot):
            writer.write(datagram)
        if progress is not None:
            progress(slot.at)
    return recorder.truth()


class _Recorder:
    """Makes the datagrams of each slot and keeps the truth about those that are recorded."""

    def __init__(self, scenario: Scenario, tables: BcastTables) -> None:
        self._scenario = scenario
        self._tables = tables
        self._sources = {service.id: _MediaSource(scenario, service) for service in scenario.services}
        self._digests = {service.id: MediaDigest() for service in scenario.services}
        self._keys: dict[TekName, TrafficKey] = {}
        self._stkms_sent = 0
        self._stkms_different = 0
        self._last_stkm: dict[str, bytes] = {}  # by service

    def datagrams(self, slot: StkmSlot | MediaSlot) -> Iterator[Datagram]:
        """Yield what the recording holds of one slot."""
        recorded = self._scenario.viewed_at(slot.at) in (None, slot.service.id)
        match slot:
            case StkmSlot() if recorded:
                yield self._stkm(slot)
            case MediaSlot():
                # Media goes through the sender even when nobody records it, for its roll-over counter to go
                # on.
                datagram = self._media(slot, recorded)
                if recorded:
                    yield datagram

    def truth(self) -> Truth:
        """Return what was recorded."""
        media = {service: digest.result() for service, digest in self._digests.items()}
        ports = {service.id: service.port for service in self._scenario.services}
        heard: dict[str, MediaTruth] = {service: found for service, found in media.items() if found.packets}
        return Truth(dict(self._keys), heard, ports, self._stkms_sent, self._stkms_different)

    def _stkm(self, slot: StkmSlot) -> Datagram:
        ids = slot.key.traffic_key_ids(slot.mtk_id)
        key = traffic_key(self._scenario, slot.key, slot.mtk_id)
        tek, extension = carried_tek(self._scenario, slot, key), stkm_extension(self._scenario, slot, self._tables)
        content = StkmContent(ids, tek, key.salt, slot.counter, extension)
        message = seal_stkm(content, slot.key.key, slot.key.csb_id, slot.key.rand)
        self._keys[TekName(ids.key_domain_id, ids.msk_id, ids.mtk_id or b"")] = key
        self._stkms_sent += 1
        # A terminal that tunes in between two repeats has not heard the first: so bytes are compared, not `slot.copy`.
        self._stkms_different += self._last_stkm.get(slot.service.id) != message
        self._last_stkm[slot.service.id] = message
        return self._datagram(slot.at, slot.service, self._scenario.stkm.port, message)

    def _media(self, slot: MediaSlot, recorded: bool) -> Datagram:
        packet = self._sources[slot.service.id].packet(slot.number)
        if recorded:
            self._digests[slot.service.id].add(packet.payload)
        protected = self._sources[slot.service.id].protect(packet, slot)
        return self._datagram(slot.at, slot.service, slot.service.port, protected)

    def _datagram(self, at: int, service: Service, port: int, payload: bytes) -> Datagram:
        moment = self._scenario.start.timestamp() + at / 1000
        return Datagram(moment, Endpoint(_SENDER_HOST, _SENDER_PORT), Endpoint(service.address, port), payload)


class _MediaSource:
    """The melody of one service as RTP packets under changing traffic keys."""

    def __init__(self, scenario: Scenario, service: Service) -> None:
        self._scenario = scenario
        self._payload_type = service.payload_type
        self._stream = media_stream(scenario, service)
        self._frames = mulaw_frames(service.id, _FRAME_SAMPLES)
        self._sender = SrtpSender(HEADEND_FORMAT)
        self._mki = b""
        self._key: TrafficKey | None = None

    def packet(self, number: int) -> RtpPacket:
        """Return the next packet, whose number is `number`."""
        return RtpPacket(
            payload_type=self._payload_type,
            sequence=self._stream.sequence(number),
            timestamp=(self._stream.first_timestamp + number * _FRAME_SAMPLES) % (1 << 32),
            ssrc=self._stream.ssrc,
            payload=next(self._frames),
            marker=number == 0,
        )

    def protect(self, packet: RtpPacket, slot: MediaSlot) -> bytes:
        """Return the packet under the traffic key of its crypto period."""
        mki = tek_name(slot.key.msk_id, slot.mtk_id.to_bytes(2, "big"))
        if self._key is None or mki != self._mki:
            self._key, self._mki = traffic_key(self._scenario, slot.key, slot.mtk_id), mki
        return self._sender.protect(packet.encode(), mki, self._key)
