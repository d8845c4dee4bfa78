"""Tunes to a service that is on the air: STKMs to the card, media out as they come, until the user has enough.

Everything runs in one thread: between two datagrams the client of the network does what is due, and a key that is
pressed is looked at. A request that the client waits for holds the media up; they wait in the system's buffers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from host_tools.apdu.response import StatusError
from host_tools.chronicle.slices import Gaps
from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.containers.recording import record_to
from host_tools.content.rtp import looks_like_rtp
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.orders import ServiceRequest
from host_tools.exchange.transport import Endpoint as Place
from host_tools.files.writing import write_whole
from host_tools.links.base import LinkError
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, LiveProgressed, Recorded, Tuned, TuneEnded
from host_tools.sessions.extras import Extras
from host_tools.sessions.online.asking import new_request_id
from host_tools.sessions.online.opening import online_errors
from host_tools.sessions.record import signal_recording
from host_tools.sessions.report_page import ReportPage, noted
from host_tools.sessions.verdict import ALL_STALE
from host_tools.terminal.audit import Auditor, quantity_words
from host_tools.terminal.bcast import Refusal, RefusalReason, Tek
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.client.events import KeyUnknown, Wanted
from host_tools.terminal.client.wishes import Order, Register
from host_tools.terminal.departure import TunedServices
from host_tools.terminal.player import Hooks, Player, PlayOptions, leave
from host_tools.wire.media_sockets import MediaSockets, PacketPort

if TYPE_CHECKING:
    from host_tools.content.containers.recording import RecordingWriter
    from host_tools.content.sinks.live import LiveOut
    from host_tools.exchange.messages.provisioning import PurchaseItem
    from host_tools.terminal.application_middleware import CardMiddleware
    from host_tools.terminal.decision import Decision
    from host_tools.terminal.key_source import KeySource, StkmView
    from host_tools.terminal.online import OnlineTerminal
    from host_tools.terminal.programme import Programme

_TURN = 0.05  # seconds between two looks at the keyboard and at the network, at most
_PROGRESS = 0.25  # seconds between two events of progress
_PURSES = 1.0  # seconds between two looks at the purses, at least
_LONG_AGO = float("-inf")
_MOST_SOURCES = 64


class Controls(Protocol):
    """What the user wants meanwhile."""

    def poll(self) -> str | None:
        """Return "n" or "p" for the next or previous service, a digit for its number, "q" to end, None for nothing."""


class NoControls:
    """Nobody is at the keyboard."""

    def poll(self) -> None:
        """Return None."""


@dataclass(frozen=True, slots=True)
class TuneJob:
    """What to tune to, and where it goes.

    `address` is the terminal's own. Packets go on to `rtp`, which `sdp` describes for a player; `record` takes the
    broadcast as it comes, and the card hears of it under `terminal_name`. `seconds` ends it. Where the terminal is on a
    network, it buys `items` and `registers` for what it tunes to.
    """

    programmes: tuple[Programme, ...]
    address: str
    options: PlayOptions
    first: int = 0
    rtp: Place | None = None
    sdp: Path | None = None
    record: Path | None = None
    terminal_name: str = "bcast-uicc"
    seconds: float | None = None
    extras: Extras = field(default_factory=Extras)
    page: ReportPage | None = None
    registers: bool = True
    items: tuple[PurchaseItem, ...] = ()

    def run(
        self,
        middleware: CardMiddleware,
        online: OnlineTerminal | None,
        make_out: Callable[[Callable[[int, bytes], None] | None], LiveOut],
        controls: Controls,
        events: Events,
    ) -> None:
        """Play until time, user or an interrupt end it; `TuneEnded` tells the result.

        Raises `SessionError`, also where not one packet could be opened, `LinkError`, `MediaError`.
        """
        with ExitStack() as stack, online_errors():
            sockets = stack.enter_context(MediaSockets(self.address))
            extras = stack.enter_context(noted(self.page, middleware, self.extras, events))
            port = None if self.rtp is None else PacketPort(self.rtp)
            if port is not None:
                stack.callback(port.close)
            out = make_out(None if port is None else lambda _port, packet: port.send(packet))
            stack.callback(out.close)
            listening = _Listening(self, middleware, online, sockets, out, extras, controls, events)
            if self.record is None:
                listening.run()
            else:
                listening.record(self.record)


class _Listening:
    """One run of the job."""

    def __init__(
        self,
        job: TuneJob,
        middleware: CardMiddleware,
        online: OnlineTerminal | None,
        sockets: MediaSockets,
        out: LiveOut,
        extras: Extras,
        controls: Controls,
        events: Events,
    ) -> None:
        self._job = job
        self._middleware = middleware
        self._online = online
        self._sockets = sockets
        self._out = out
        self._controls = controls
        self._events = events
        self._tuned = TunedServices()
        self._teller = extras.teller
        feed, hooks = extras.apply(middleware, None, Hooks(), events)
        self._feed: KeySource = feed
        self._hooks = replace(
            hooks, on_tek=self._took_tek, on_refusal=self._refused, on_decision=_both(hooks.on_decision, self._decided)
        )
        self._player = Player(feed, out, job.options, tuned=self._tuned, gate=middleware.gate)
        self._current = job.first
        self._gaps: dict[tuple[int, bytes], Gaps] = {}
        self._lost = 0
        self._cost: dict[str, int] = {}
        self._purses: Mapping[str, int] = {}
        self._purses_read = _LONG_AGO
        self._may_have_paid = False
        self._refusal = ""
        self._waits_for_key = False
        self._told = 0.0

    @property
    def _programme(self) -> Programme:
        return self._job.programmes[self._current]

    def record(self, path: Path) -> None:
        """Play, and record meanwhile into a file; the card is told of it."""
        options = self._job.options
        content = self._programme.name[:80] or path.stem
        with record_to(path, content, options.stkm_port, protection=options.protections.usual) as writer:
            self._listen(writer)
            signal_recording(self._middleware, writer, self._job.terminal_name, self._events)
        self._events.emit(Recorded(path, writer.index()))
        self._judge()

    def run(self) -> None:
        """Play to the end."""
        self._listen(None)
        self._judge()

    def _listen(self, writer: RecordingWriter | None) -> None:
        if self._online is not None:
            self._online.start(stays=self._job.registers)
            if self._job.items:
                order = Order(ServiceRequest(new_request_id(), self._job.items))
                self._online.tell(Wanted(order, patient=True))
        self._tune(self._job.first)
        try:
            self._player.play(self._datagrams(writer), self._hooks)
        except KeyboardInterrupt:
            pass
        finally:
            leave(self._tuned.leave_all(), self._feed, self._hooks)
            self._purses_read = _LONG_AGO
            self._progress()
            self._events.emit(TuneEnded(self._programme.name, self._player.statistics, self._out, self._status()))

    def _judge(self) -> None:
        statistics = self._player.statistics
        if not statistics.stkms_seen + statistics.packets_seen:
            places = ", ".join(str(place) for place in (*self._programme.media, *self._programme.stkms))
            raise SessionError(f"Nothing came to {places}.", Trouble.DIFFERENT)
        if statistics.packets_seen and not statistics.packets_decrypted:
            reason = self._refusal or (f"the card is not asked, {ALL_STALE}" if statistics.stkms_stale else "")
            why = f": {reason}" if reason else ""
            raise SessionError(f"None of {statistics.packets_seen} media packets opened{why}.", Trouble.CARD)

    def _datagrams(self, writer: RecordingWriter | None) -> Iterator[Datagram]:
        until = None if self._job.seconds is None else time.monotonic() + self._job.seconds
        while until is None or time.monotonic() < until:
            programme, number = self._programme, self._current
            for received in self._sockets.wait(_TURN):
                source, place = received.source, received.place
                datagram = programme.normal(
                    Datagram(received.at, Endpoint(source.address, source.port),
                             Endpoint(place.address, place.port), received.payload)
                )  # fmt: skip
                self._count_gaps(datagram)
                if writer is not None:
                    writer.take(datagram)
                yield datagram
                if self._waits_for_key and self._online is not None:  # its LTKM may be there before the next STKM
                    self._online.poll()
            if self._online is not None:
                self._online.poll()
            if not self._obey(self._controls.poll()):
                return
            if time.monotonic() - self._told > _PROGRESS:
                self._progress()
            if self._current != number:
                self._tune(self._current)

    def _obey(self, key: str | None) -> bool:
        """Do what a key stands for; return whether it goes on."""
        count = len(self._job.programmes)
        match key:
            case "q":
                return False
            case "n":
                self._current = (self._current + 1) % count
            case "p":
                self._current = (self._current - 1) % count
            case str() if key.isdigit() and 0 < int(key) <= count:
                self._current = int(key) - 1
        return True

    def _tune(self, number: int) -> None:
        """Listen to a service: the one before is left, and what was for it is over."""
        leave(self._tuned.leave_all(), self._feed, self._hooks)
        self._gaps.clear()
        if self._teller is not None:
            self._teller.retuned()
        self._current = number
        programme = self._programme
        self._sockets.tune(Place(place.host, place.port) for place in (*programme.stkms, *programme.media))
        self._describe(programme)
        online = self._online
        missing = programme.service_ids if online is not None else ()
        if online is not None and self._job.registers:
            missing = tuple(one for one in missing if one not in online.journal_items)
            if missing:
                online.tell(Wanted(Register(missing), patient=True))
        self._events.emit(Tuned(programme.name, number + 1, len(self._job.programmes), missing))

    def _describe(self, programme: Programme) -> None:
        if self._job.sdp is not None and self._job.rtp is not None:
            session = programme.session_at(self._job.rtp.address, self._job.rtp.port)
            write_whole(self._job.sdp, session.encode())

    def _took_tek(self, view: StkmView, tek: Tek) -> None:
        self._refusal = ""
        self._waits_for_key = False
        self._may_have_paid = self._may_have_paid or view.is_bcast or tek.is_bcast

    def _refused(self, view: StkmView, refusal: Refusal) -> bool:
        """A key that is missing is asked for, when its time comes (TS 33.246 clause 6.3.2.2.1)."""
        self._refusal = refusal.said
        if refusal.reason is RefusalReason.UNKNOWN_KEY and self._online is not None and isinstance(view, CardStkmView):
            self._online.tell(KeyUnknown(MskName(view.ids.key_domain_id, view.ids.msk_id)))
            self._waits_for_key = True
        return False

    def _decided(self, decision: Decision) -> None:
        for paid in decision.explanation.payments if decision.explanation else ():
            name = quantity_words(paid.source)
            self._cost[name] = self._cost.get(name, 0) + paid.before - paid.after

    def _read_purses(self) -> None:
        """Read them for the eye, where an STKM may have cost something: once in a while, not with every STKM."""
        if not self._may_have_paid or time.monotonic() - self._purses_read < _PURSES:
            return
        self._purses_read, self._may_have_paid = time.monotonic(), False
        try:
            groups = Auditor(self._middleware.application).key_groups()
        except (StatusError, LinkError):  # a card that has gone says so with the next STKM
            return
        self._purses = {
            f"{quantity_words(name)} {group.key_group.hex()}": value
            for group in groups
            for name, value in group.quantities.items()
        }

    def _count_gaps(self, datagram: Datagram) -> None:
        head = datagram.payload
        if datagram.destination.port == self._job.options.stkm_port or not looks_like_rtp(head):
            return
        name = datagram.destination.port, head[8:12]
        if name not in self._gaps and len(self._gaps) >= _MOST_SOURCES:
            return
        missing, since = self._gaps.setdefault(name, Gaps()).take(int.from_bytes(head[2:4], "big"), 0.0)
        self._lost += missing - (since is not None)

    def _progress(self) -> None:
        self._told = time.monotonic()
        self._read_purses()
        self._events.emit(LiveProgressed(self._programme.name, self._player.statistics, self._status()))

    def _status(self) -> Mapping[str, object]:
        return {
            "held": self._player.held,
            "lost": self._lost,
            "dropped": self._sockets.dropped,
            "cost": dict(self._cost),
            "purses": dict(self._purses),
            "refusal": self._refusal,
        }


def _both(first: Callable[[Decision], None], second: Callable[[Decision], None]) -> Callable[[Decision], None]:
    def told(decision: Decision) -> None:
        first(decision)
        second(decision)

    return told
