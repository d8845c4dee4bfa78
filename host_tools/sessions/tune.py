"""Tunes to a service that is on the air: STKMs to the card, media out as they come, until the user has enough.

Everything runs in one thread: between two datagrams the client of the network does what is due, and a key that is
pressed is looked at. Only the BSM's answers are waited for in another one. While the terminal bootstraps, which needs
the card, packets wait in the system's buffers.

Whatever the terminal is behind by, it takes media, STKMs and LTKMs in the order in which they arrived: a card keeps two
MSKs of a group and a terminal two TEKs of a session, so a key that is taken too early pushes out one that is needed
still (`key_order`). An STKM whose LTKM comes after it is given to the card again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from host_tools.apdu.response import StatusError
from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.containers.recording import record_to
from host_tools.content.rtp import looks_like_rtp
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.orders import ServiceRequest
from host_tools.exchange.transport import Endpoint as Place
from host_tools.files.writing import UnwritableFile, write_whole
from host_tools.links.base import LinkError
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, LiveProgressed, Recorded, Tuned, TuneEnded
from host_tools.sessions.extras import Extras
from host_tools.sessions.key_order import KeyOrder
from host_tools.sessions.online.asking import new_request_id
from host_tools.sessions.online.opening import online_errors
from host_tools.sessions.reception import Reception
from host_tools.sessions.record import signal_recording
from host_tools.sessions.report_page import ReportPage, noted
from host_tools.sessions.telling import both
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
_HELD_PACKETS, _HELD_SECONDS = 8192, 10.0
"""What waits for its key at most: an LTKM that must be asked for takes seconds where computers are busy (ours)."""
_SHORTEST_PERIOD = 0.1
_PROGRESS = 0.25  # seconds between two events of progress
_PURSES = 1.0  # seconds between two looks at the purses, at least
_LONG_AGO = float("-inf")


class Controls(Protocol):
    """What the user wants meanwhile."""

    def poll(self) -> str | None:
        """Return "n" or "p" for the next or previous service, a digit for its number, "q" to end, None for nothing."""


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
            listening = _Listening(self, middleware, online, sockets, port, out, extras, controls, events)
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
        port: PacketPort | None,
        out: LiveOut,
        extras: Extras,
        controls: Controls,
        events: Events,
    ) -> None:
        self._job = job
        self._middleware = middleware
        self._online = online
        self._sockets = sockets
        self._port = port
        self._out = out
        self._controls = controls
        self._events = events
        self._tuned = TunedServices()
        self._teller = extras.teller
        feed, hooks = extras.apply(middleware, None, Hooks(), events)
        self._feed: KeySource = feed
        self._hooks = replace(
            hooks, on_tek=self._took_tek, on_refusal=self._refused, on_decision=both(hooks.on_decision, self._decided)
        )
        options = replace(job.options, held_packets=_HELD_PACKETS, held_seconds=_HELD_SECONDS)
        self._player = Player(feed, out, options, tuned=self._tuned, gate=middleware.gate)
        self._current = job.first
        self._reception = Reception()
        self._cost: dict[str, int] = {}
        self._purses: Mapping[str, int] = {}
        self._purses_read = _LONG_AGO
        self._may_have_paid = False
        self._refusal = ""
        self._keys = KeyOrder()
        self._behind = 0.0
        self._now = 0.0
        self._newest: tuple[bytes, float] | None = None
        self._period = inf
        self._told = 0.0

    @property
    def _programme(self) -> Programme:
        return self._job.programmes[self._current]

    def record(self, path: Path) -> None:
        """Play, and record meanwhile into a file; the card is told of it.

        What was recorded stays, whatever else ends it: the card may go, or who hears the sound.
        """
        options, ended = self._job.options, list[Exception]()
        content = self._programme.name[:80] or path.stem
        with record_to(path, content, options.stkm_port, protection=options.protections.usual) as writer:
            tell = partial(signal_recording, self._middleware, writer, self._job.terminal_name, self._events)
            for step in (partial(self._listen, writer), tell):
                try:
                    step()
                except UnwritableFile:
                    raise
                except Exception as error:  # it is raised below, when the recording is whole
                    ended.append(error)
            if ended and not writer.index().packets + writer.index().stkms:
                raise ended[0]
        self._events.emit(Recorded(path, writer.index()))
        if ended:
            raise ended[0]
        self._judge()

    def run(self) -> None:
        """Play to the end."""
        self._listen(None)
        self._judge()

    def _listen(self, writer: RecordingWriter | None) -> None:
        if self._online is not None:
            self._online.start(stays=self._job.registers, waits=False)
            if self._job.items:
                order = Order(ServiceRequest(new_request_id(), self._job.items))
                self._online.tell(Wanted(order, patient=True))
        self._tune(self._job.first)
        try:
            self._player.play(self._datagrams(writer), self._hooks)
        except KeyboardInterrupt:
            pass
        finally:
            try:
                leave(self._tuned.leave_all(), self._feed, self._hooks)
            finally:  # also where the card has gone
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
            heard = False
            for received in self._sockets.wait(_TURN):
                heard, self._now = True, received.at
                self._behind = max(self._behind, time.time() - received.at)
                self._take_keys(received.at)
                source, place = received.source, received.place
                datagram = programme.normal(
                    Datagram(received.at, Endpoint(source.address, source.port),
                             Endpoint(place.address, place.port), received.payload)
                )  # fmt: skip
                self._count(datagram)
                if writer is not None:
                    writer.take(datagram)
                yield datagram
            if not heard:
                self._take_keys(inf)
            if not self._obey(self._controls.poll()):
                return
            if time.monotonic() - self._told > _PROGRESS:
                self._progress()
            if self._current != number:
                self._tune(self._current)

    def _take_keys(self, until: float) -> None:
        """Take the LTKMs that came up to a moment; STKMs that wait for them go to the card again."""
        if self._online is None:
            return
        taken = self._online.poll(until, self._keys.may_come_early)
        self._keys.took(taken)
        for key in taken:
            self._player.key_came(key.key_domain_id + key.msk_id)

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
        self._reception.pause()
        self._player.retuned()
        self._keys.missing, self._newest, self._period = None, None, inf
        if self._teller is not None:
            self._teller.retuned()
        self._current = number
        programme = self._programme
        self._sockets.tune(Place(place.host, place.port) for place in (*programme.stkms, *programme.media))
        self._describe(programme)
        online, missing = self._online, tuple[str, ...]()
        if online is not None and self._job.registers:
            missing = tuple(one for one in programme.service_ids if one not in online.journal_items)
            if missing:
                online.tell(Wanted(Register(missing), patient=True))
        self._events.emit(Tuned(programme.name, number + 1, len(self._job.programmes), missing))

    def _describe(self, programme: Programme) -> None:
        if self._job.sdp is not None and self._job.rtp is not None:
            session = programme.session_at(self._job.rtp.address, self._job.rtp.port)
            write_whole(self._job.sdp, session.encode())

    def _took_tek(self, view: StkmView, tek: Tek) -> None:
        self._refusal = ""
        self._pace(view)
        if isinstance(view, CardStkmView):
            self._keys.heard(_key_of(view))
        self._may_have_paid = self._may_have_paid or view.is_bcast or tek.is_bcast

    def _refused(self, view: StkmView, refusal: Refusal) -> bool:
        """A key that is missing is asked for, when its time comes (TS 33.246 clause 6.3.2.2.1)."""
        self._refusal = refusal.said
        self._pace(view)
        if refusal.reason is RefusalReason.UNKNOWN_KEY and self._online is not None and isinstance(view, CardStkmView):
            self._keys.missing = missing = _key_of(view)
            self._online.tell(KeyUnknown(missing, self._period, self._programme.announces(missing)))
        return False

    def _pace(self, view: StkmView) -> None:
        """Learn the crypto period from how the traffic keys follow one another."""
        name, since = self._newest or (b"", self._now)
        if view.key_name == name:
            return
        if name and self._now > since:
            self._period = max(self._now - since, _SHORTEST_PERIOD)
        self._newest = view.key_name, self._now

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

    def _count(self, datagram: Datagram) -> None:
        if datagram.destination.port != self._job.options.stkm_port and looks_like_rtp(datagram.payload):
            self._reception.take(datagram)

    def _progress(self) -> None:
        self._told = time.monotonic()
        self._read_purses()
        self._events.emit(LiveProgressed(self._programme.name, self._player.statistics, self._status()))

    def _status(self) -> Mapping[str, object]:
        dropped = self._sockets.dropped
        media = {Place(place.host, place.port) for programme in self._job.programmes for place in programme.media}
        return {
            "held": self._player.held,
            "lost": self._reception.lost,
            "dropped": sum(dropped.values()),
            "media_dropped": sum(dropped.get(place, 0) for place in media),
            "not_sent_on": 0 if self._port is None else self._port.refused,
            "most_behind": round(self._behind, 3),
            "sources": [source.as_dict() for source in self._reception.sources],
            "cost": dict(self._cost),
            "purses": dict(self._purses),
            "refusal": self._refusal,
        }


def _key_of(view: CardStkmView) -> MskName:
    return MskName(view.ids.key_domain_id, view.ids.msk_id)
