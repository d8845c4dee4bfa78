"""The page of a playing from the trace of one: what the card was given and what it answered. A trace has no media."""

from __future__ import annotations

from pathlib import Path

from card.codec.mikey import MbmsKeyIds
from card.errors import DecodeError
from host_tools.chronicle.chronicler import Chronicler
from host_tools.chronicle.model import Stkm, StkmFate
from host_tools.content.stkm_name import StkmName, tek_name
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, ReportWritten
from host_tools.sessions.report_page import write_page
from host_tools.sessions.trace_files import read_events
from host_tools.trace.events import CardEvent, TracedExchange
from host_tools.trace.ladder import STKM, KeyMessage, LadderWatch

_ABOUT = (
    "A trace has what the card was given and what it answered: no media packets, no purses and counters, and no limits "
    "of keys. Those are on the page that --report of play, replay, record and tune leaves."
)
_GIVEN = 4_096  # traffic keys that are remembered as given


class _Reader:
    """Takes the exchanges of a trace and notes what they mean."""

    def __init__(self) -> None:
        self.chronicler = Chronicler()
        self.exchanges = 0
        self._ladder = LadderWatch(self._heard)
        self._is_noted = False
        self._at = 0.0
        self._given: dict[bytes, None] = {}

    def take(self, event: TracedExchange | CardEvent) -> None:
        self._at = event.at
        self.chronicler.at(event.at)
        if isinstance(event, CardEvent):
            self.chronicler.note(f"card: {event.what}")
            return
        self.exchanges += 1
        self._is_noted = False
        words = self._ladder.watch(event)
        if words and not self._is_noted:
            self.chronicler.note(words, bad="refused" in words or "not accepted" in words)

    def _heard(self, heard: KeyMessage) -> None:
        """Note a key message; what has no key IDs stays a sentence."""
        try:
            if heard.kind == STKM:
                self._stkm(StkmName.of(heard.message), heard)
            else:
                self._ltkm(heard.message.key_ids(), heard)
        except DecodeError:
            return
        self._is_noted = True

    def _stkm(self, name: StkmName, heard: KeyMessage) -> None:
        ids, identity = name.ids, name.ids.encode()
        fate = StkmFate.REFUSED
        if heard.good:
            fate = StkmFate.RESENT if identity in self._given else StkmFate.NEW
            self._given[identity] = None
            if len(self._given) > _GIVEN:
                self._given.pop(next(iter(self._given)))
        mtk_id = ids.mtk_id or b""
        told = Stkm(0.0, f"{ids.msk_id.hex()}/{mtk_id.hex()}", name.timestamp, fate, "" if heard.good else heard.words)
        service = (ids.key_domain_id + ids.key_group).hex()
        above = (ids.key_domain_id + ids.msk_id).hex()
        self.chronicler.stkm(self._at, "the card", service, told, above, tek_name(ids.msk_id, mtk_id))

    def _ltkm(self, ids: MbmsKeyIds, heard: KeyMessage) -> None:
        above = (ids.key_domain_id + ids.msk_id).hex()
        self.chronicler.ltkm(above, f"{heard.kind} for key {above}: {heard.words}", taken=heard.good)


def page_of_trace(trace: Path, output: Path, events: Events) -> None:
    """Write the page. Raises `SessionError`, also for a trace that breaks off, and `UnwritableFile`."""
    reader = _Reader()
    try:
        for event in read_events(trace, events):
            reader.take(event)
    finally:
        if reader.exchanges:
            write_page(reader.chronicler, f"{trace.name}, a trace", output, _ABOUT)
            events.emit(ReportWritten(output))
    if not reader.exchanges:
        raise SessionError(f"{trace}: the trace has no exchange with a card.", Trouble.INPUT)
