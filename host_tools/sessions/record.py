"""Records a broadcast into one file, plays it meanwhile, and tells the card of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.content.containers.recording import record_to
from host_tools.content.protection import PacketFormat
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, KeptAllTheSame, NothingKept, Recorded
from host_tools.sessions.play import Connected, PlayJob
from host_tools.sessions.verdict import BrokenOff, NoTrafficKey, require_whole

if TYPE_CHECKING:
    from host_tools.content.containers.recording import RecordingWriter
    from host_tools.terminal.application_middleware import CardMiddleware

_TERMINAL_TYPE = b"\0"  # provisional: types of terminal IDs are unknown


@dataclass(frozen=True, slots=True)
class RecordJob:
    """What to record, and whose recording it is.

    `content` is the content ID (1 to 255 bytes in UTF-8). With `play` the broadcast plays meanwhile; without it no STKM
    goes to the card, and `connected` opens the card that is told in the end, if any.
    """

    capture: Path
    output: Path
    content: str
    terminal: str
    stkm_port: int
    media_ports: frozenset[int]
    protection: PacketFormat
    play: PlayJob | None
    connected: Connected | None

    def run(self, events: Events) -> None:
        """Record; `Recorded` tells what. Raises `SessionError`, for a capture that breaks off once all is written."""
        recording = record_to(self.output, self.content, self.stkm_port, self.media_ports, protection=self.protection)
        with recording as writer:
            complaint = self._record(writer, events)
        events.emit(Recorded(self.output, writer.index()))
        if complaint is not None:
            raise complaint

    def _record(self, writer: RecordingWriter, events: Events) -> SessionError | None:
        def signal(middleware: CardMiddleware) -> None:
            signal_recording(middleware, writer, self.terminal, events)

        if self.play is not None:
            return _play(replace(self.play, tap=writer.take), signal, events)
        complaint = _store(self.capture, writer)
        if self.connected is not None:
            with self.connected() as middleware:
                signal(middleware)
        return complaint


def _play(job: PlayJob, signal: Callable[[CardMiddleware], None], events: Events) -> SessionError | None:
    """Play to the end; return what is to be complained of once the recording is written.

    A broadcast of which the card opened nothing is kept: it may be bought and played later. So is one that breaks off.
    """
    ended = False

    def afterwards(middleware: CardMiddleware) -> None:
        nonlocal ended
        signal(middleware)
        ended = True

    try:
        replace(job, afterwards=afterwards).run(events)
    except BrokenOff as error:
        return error
    except SessionError as error:
        if not ended or error.trouble is not Trouble.CARD:
            raise
        events.emit(KeptAllTheSame(error.message))
        if isinstance(error, NoTrafficKey) and error.broken:
            return BrokenOff(error.broken)
    return None


def _store(capture: Path, writer: RecordingWriter) -> SessionError | None:
    """Record without a card; return what is to be complained of once the recording is written."""
    from host_tools.content.captures.pcap import open_capture

    with open_capture(capture) as datagrams:
        for datagram in datagrams:
            writer.take(datagram)
        try:
            require_whole(capture, datagrams.report)
        except BrokenOff as error:
            return error
    return None


def signal_recording(middleware: CardMiddleware, writer: RecordingWriter, terminal_name: str, events: Events) -> None:
    """Tell the card of every key the recording needs; one that does not have the key has nothing to keep."""
    from host_tools.apdu.response import StatusError
    from host_tools.terminal.audit import Auditor

    auditor, index = Auditor(middleware.application), writer.index()
    for span in index.spans:
        try:
            auditor.signal_recording(terminal_id(terminal_name), index.content_id.encode(), span)
        except StatusError as error:
            events.emit(NothingKept(span.msk_id, str(error)))


def terminal_id(name: str) -> bytes:
    """Return the 17 bytes by which a terminal of this name is known to the card: a type, then 16 of a hash."""
    return _TERMINAL_TYPE + hashlib.sha256(name.encode()).digest()[:16]
