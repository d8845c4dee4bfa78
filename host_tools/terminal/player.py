"""Plays a capture: a key source turns STKMs into traffic keys, and these open the media.

Datagrams are taken one by one as they were captured and nothing is kept but keys, a few held packets and
counters, so a capture may be of any length. How media are protected is the business of `openers`: the player holds
what lacks its key, counts, and hands on what opened.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf
from typing import Protocol

from card.errors import DecodeError
from host_tools.chronicle.model import MediaFate, StkmFate
from host_tools.content.captures.pcap import Datagram
from host_tools.content.errors import UnusableKeyError
from host_tools.content.protection import NeedsKey, Opened, PacketFormat, PacketOpener, Repeated
from host_tools.content.registry import Protections
from host_tools.content.sinks.media_out import MediaOut
from host_tools.content.traffic_key import TrafficKey
from host_tools.terminal.absent import KeyFates
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome, Tek
from host_tools.terminal.decision import Decision, Explanation
from host_tools.terminal.departure import Departure, Service, TunedServices
from host_tools.terminal.key_source import KeySource, StkmGate, StkmView
from host_tools.terminal.openers import Openers
from host_tools.terminal.session_keys import SessionKeys
from host_tools.terminal.shelf import StkmShelf
from host_tools.terminal.statistics import PlayStatistics
from host_tools.terminal.stkm_filter import Sighting, StkmFilter

STKM_PORT = 2269  # MIKEY (IANA)
_HELD_PACKETS = 512  # media packets that may wait for their key
_HOSTS_KEPT = 1024
_KEYS_KEPT = 64
_STKMS_READ = 64  # STKMs that need not be read once more when they are repeated
_OTHER_PORT = "to another port"  # why a datagram is no media
_UNKNOWN_PROTECTION = "the STKM names traffic protection {}, which is not known here"


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """How to read a capture.

    `protections` are those that its media may be under. Without `media_ports`, whatever may be of them is media.
    `feed_all` gives identical repeats to the card, too, which a real terminal does not do. `teks_wanted_once` keeps
    every further STKM of a TEK that is there from the card, as a terminal does with a recording: it saves what a rewind
    would cost. Packets wait for their key `held_seconds` by their own time, and no more of them than `held_packets`.
    """

    protections: Protections
    stkm_port: int = STKM_PORT
    media_ports: frozenset[int] = frozenset()
    feed_all: bool = False
    held_packets: int = _HELD_PACKETS
    held_seconds: float = inf
    teks_wanted_once: bool = False


class PlayWatch(Protocol):
    """Somebody who is told what happens to each STKM and, once it is clear, to each media packet."""

    def stkm(self, datagram: Datagram, view: StkmView, fate: StkmFate, why: str, /) -> None:
        """An STKM was given to the key source, or kept from it."""

    def unreadable(self, datagram: Datagram, /) -> None:
        """Something on the port of STKMs is none."""

    def media(self, datagram: Datagram, key_name: bytes | None, fate: MediaFate, /) -> None:
        """A media packet was opened, or not; `key_name` is what it calls its key, where it says."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What others want to know: each TEK with what its STKM said, each datagram's time before it is played, progress.

    `on_decision` hears of every STKM that went to the card, `explain` adds to it. `on_refusal` may cure a refusal; it
    returns True when the STKM is to be fed again, which happens once. `on_departure` hears of every service that was
    left and signalled to the card. `watch` hears what happened to every STKM and every media packet.
    """

    on_tek: Callable[[StkmView, Tek], None] = lambda _view, _tek: None
    on_time: Callable[[float], None] = lambda _timestamp: None
    on_progress: Callable[[], None] = lambda: None
    on_decision: Callable[[Decision], None] = lambda _decision: None
    explain: Callable[[], Explanation | None] = lambda: None
    on_refusal: Callable[[StkmView, Refusal], bool] = lambda _view, _refusal: False
    on_departure: Callable[[Departure], None] = lambda _departure: None
    watch: PlayWatch | None = None


def leave(services: Iterable[Service], feed: KeySource, hooks: Hooks) -> list[Departure]:
    """Signal to the card that services are left; return the result. Raises `LinkError`."""
    departures = [departure for service in services if (departure := feed.leave(service)) is not None]
    for departure in departures:
        hooks.on_departure(departure)
    return departures


@dataclass(frozen=True, slots=True)
class _Held:
    """A media packet that waits for the key of this name; `early`: that was in use before the first key was there."""

    name: bytes
    datagram: Datagram
    early: bool


class Player:
    """Takes datagrams in order of capture and plays them. Use once.

    Keys come from `source`. It is told when a service of OMA BCAST is left: when it fell silent while another one goes
    on, and when playing ends. Players that share `tuned` go on with each other's services; then only its owner knows
    the end. A `gate` keeps STKMs from the source that were sent before.
    """

    def __init__(
        self,
        source: KeySource,
        out: MediaOut,
        options: PlayOptions,
        timer: Callable[[], float] = time.perf_counter,
        *,
        tuned: TunedServices | None = None,
        gate: StkmGate | None = None,
    ) -> None:
        self.statistics = PlayStatistics()
        self._source = source
        self._read = lru_cache(maxsize=_STKMS_READ)(source.read)  # nearly all STKMs are repeats of the last ones
        self._out = out
        self._options = options
        self._hooks = Hooks()
        self._timer = timer
        self._filter = StkmFilter()
        self._openers = Openers(options.protections)
        self._held: deque[_Held] = deque()
        self._keyed: set[str] = set()  # hosts to which an STKM came that gave a TEK
        self._before: set[bytes] = set()  # what packets that came before it call their keys
        self._shelf = StkmShelf()
        self._fates = KeyFates()
        self._tuned = tuned or TunedServices()
        self._owns_the_end = tuned is None
        self._gate = gate
        self._session_keys = SessionKeys()

    @property
    def held(self) -> int:
        """Number of media packets that wait for their key."""
        return len(self._held)

    def play(self, datagrams: Iterable[Datagram], hooks: Hooks | None = None) -> PlayStatistics:
        """Play everything and return the counters. Raises `LinkError`, `TerminalError`, `MediaError`.

        After an error `statistics` tells what was played before it.
        """
        self._hooks = hooks or Hooks()
        take, on_time, on_progress = self._take, self._hooks.on_time, self._hooks.on_progress
        try:
            for datagram in datagrams:
                on_time(datagram.timestamp)
                take(datagram)
                on_progress()
        except KeyboardInterrupt:
            self._leave_all()
            raise
        finally:
            while self._held:
                self._give_up()
            self._out.flush()
            self._forget(self._session_keys.end())
        self._leave_all()
        self._hooks.on_progress()
        return self.statistics

    def key_came(self, long_term_key: bytes) -> None:
        """The source may have a key now that STKMs wait for: give it these once more. Raises as `play`.

        To be called between two datagrams.
        """
        for datagram in self._shelf.take(long_term_key):
            self.statistics.stkms_again += 1
            self._give(datagram, self._read(datagram.payload))

    def retuned(self) -> None:
        """Another service is listened to from now on: what comes of it before its first key is early.

        STKMs of the one that was left wait no longer for their key: given to the card now, they might cost something.
        """
        self._shelf.clear()
        self._keyed.clear()
        self._before.clear()

    def _take(self, datagram: Datagram) -> None:
        while self._held and datagram.timestamp - self._held[0].datagram.timestamp > self._options.held_seconds:
            self._give_up()
        self._tuned.hear(datagram.destination.host, datagram.timestamp)
        if datagram.destination.port == self._options.stkm_port:
            self._leave(self._tuned.leave_silent(datagram.timestamp))
            self._take_stkm(datagram)
        else:
            self._take_media(datagram)

    def _leave_all(self) -> None:
        if self._owns_the_end:
            self._leave(self._tuned.leave_all())

    def _leave(self, services: Iterable[Service]) -> None:
        for departure in leave(services, self._source, self._hooks):
            self.statistics.count_departure(departure)

    def _take_stkm(self, datagram: Datagram) -> None:
        try:
            view = self._read(datagram.payload)
        except DecodeError:
            self.statistics.stkms_unreadable += 1
            if self._hooks.watch is not None:
                self._hooks.watch.unreadable(datagram)
            return
        self.statistics.stkms_seen += 1
        self.statistics.stkms_resent += self._filter.is_repeat(view.identity)
        self._give(datagram, view)

    def _give(self, datagram: Datagram, view: StkmView) -> None:
        """Give the source an STKM, unless it need not see it."""
        stkm = datagram.payload
        sighting = self._filter.sight(view.identity, stkm)
        if self._is_spared(sighting):
            self.statistics.stkms_filtered += 1
            self._tell(datagram, view, StkmFate.IDENTICAL)
            return
        if (why := self._why_stale(view)) is not None:
            self.statistics.stkms_stale += 1
            self._tell(datagram, view, StkmFate.STALE, why)
            return
        match self._feed_with_remedy(view, stkm, sighting):
            case Tek() as tek:
                self._tell(datagram, view, StkmFate.NEW if sighting is Sighting.NEW else StkmFate.RESENT)
                self._filter.remember(view.identity, stkm)
                if self._gate is not None:
                    self._gate.note(view, is_bcast=tek.is_bcast)
                self.statistics.teks += sighting is Sighting.NEW
                self._shelf.drop(view)
                self.statistics.came_late(self._fates.given(view.key_name))
                self._tune(datagram, view)
                self._keep(view, is_bcast=view.is_bcast or tek.is_bcast)
                self._use(datagram, view, tek)
            case refusal:
                self._tell(datagram, view, StkmFate.REFUSED, refusal.said)
                self.statistics.refusals[refusal.words] += 1
                self._fates.refused(view.key_name)
                if refusal.reason is RefusalReason.UNKNOWN_KEY:
                    self._shelf.put(view, datagram)
                    self._forget(self._session_keys.drop(view))

    def _tell(self, datagram: Datagram, view: StkmView, fate: StkmFate, why: str = "") -> None:
        if self._hooks.watch is not None:
            self._hooks.watch.stkm(datagram, view, fate, why)

    def _keep(self, view: StkmView, *, is_bcast: bool) -> None:
        """Make room for a new traffic key. Those of OMA BCAST stay: they may come again in any order."""
        if not is_bcast:
            self._forget(self._session_keys.add(view))

    def _forget(self, names: Iterable[bytes]) -> None:
        for name in names:
            self._openers.forget_key(name)
            self._fates.gone(name)

    def _tune(self, datagram: Datagram, view: StkmView) -> None:
        """Note that a service is played of which the source wants to hear when it is left."""
        if view.service is not None:
            self._tuned.tune(datagram.destination.host, view.service, datagram.timestamp)

    def _is_spared(self, sighting: Sighting) -> bool:
        """Tell whether the card need not see an STKM."""
        if sighting is Sighting.RESENT:
            return self._options.teks_wanted_once
        return sighting is Sighting.IDENTICAL and not self._options.feed_all

    def _why_stale(self, view: StkmView) -> str | None:
        """Say why the source would refuse a message, as one that was sent before."""
        return None if self._gate is None or self._options.feed_all else self._gate.why_stale(view)

    def _feed_with_remedy(self, view: StkmView, stkm: bytes, sighting: Sighting) -> StkmOutcome:
        """Feed an STKM, and once more when something was done about a refusal."""
        outcome = self._feed(view, stkm, sighting)
        if isinstance(outcome, Refusal) and self._hooks.on_refusal(view, outcome):
            self.statistics.remedies += 1
            outcome = self._feed(view, stkm, sighting)
        return outcome

    def _feed(self, view: StkmView, stkm: bytes, sighting: Sighting) -> StkmOutcome:
        started = self._timer()
        outcome = self._source.feed(stkm)
        self.statistics.add_time(self._timer() - started)
        self.statistics.stkms_fed += 1
        decision = Decision(view, outcome, sighting is not Sighting.NEW, self._hooks.explain())
        self.statistics.count_decision(decision)
        self._hooks.on_decision(decision)
        return outcome

    def _use(self, stkm: Datagram, view: StkmView, tek: Tek) -> None:
        """Hand a TEK to what opens its media, and play the packets that waited for it."""
        if len(self._keyed) < _HOSTS_KEPT:
            self._keyed.add(stkm.destination.host)
        self._hooks.on_tek(view, tek)
        opener = self._openers.tune(stkm.destination.host, view.protection)
        if opener is None:
            self.statistics.unplayable[_UNKNOWN_PROTECTION.format(view.protection)] += 1
            return
        try:
            opener.add_key(view.key_name, TrafficKey(tek.key, tek.salt))
        except UnusableKeyError as error:
            self.statistics.unplayable[str(error)] += 1
            return
        waiting, self._held = self._held, deque()
        for held in waiting:
            self._open(*self._openers.of(held.datagram), held.datagram, view.key_name, early=held.early)

    def _take_media(self, datagram: Datagram) -> None:
        media_format, opener = self._openers.of(datagram)
        if self._options.media_ports and datagram.destination.port not in self._options.media_ports:
            self.statistics.others[_OTHER_PORT] += 1
        elif (packet := opener.open_next(datagram)) is not None:
            self.statistics.packets_seen += 1
            self.statistics.packets_decrypted += 1
            self._out.write(packet, datagram)
            if self._hooks.watch is not None:
                self._hooks.watch.media(datagram, media_format.key_name(datagram), MediaFate.OPENED)
        elif (reason := media_format.why_not(datagram)) is not None:
            self.statistics.others[reason] += 1
        else:
            self.statistics.packets_seen += 1
            self._open(media_format, opener, datagram, early=datagram.destination.host not in self._keyed)

    def _open(
        self,
        media_format: PacketFormat,
        opener: PacketOpener,
        datagram: Datagram,
        newest: bytes | None = None,
        *,
        early: bool,
    ) -> None:
        """Play a packet, or hold it; one that was held is tried with the `newest` key."""
        match opener.open(datagram, newest):
            case Opened(payloads):
                self.statistics.packets_decrypted += 1
                fate = MediaFate.OPENED
                for packet in payloads:
                    self._out.write(packet, datagram)
            case NeedsKey(name):
                self._hold(_Held(name, datagram, early))
                return
            case Repeated():
                self.statistics.packets_repeated += 1
                fate = MediaFate.REPEATED
            case failed:
                self.statistics.failures[failed.reason] += 1
                fate = MediaFate.FAILED
        if self._hooks.watch is not None:
            self._hooks.watch.media(datagram, media_format.key_name(datagram), fate)

    def _hold(self, held: _Held) -> None:
        """Keep a packet until its key comes; the oldest gives way when the window is full."""
        if held.early and len(self._before) < _KEYS_KEPT:
            self._before.add(held.name)
        elif held.name in self._before and held.name:
            held = replace(held, early=True)
        self._held.append(held)
        if len(self._held) > self._options.held_packets:
            self._give_up()

    def _give_up(self) -> None:
        """The key of the packet that waits longest does not come."""
        held = self._held.popleft()
        self.statistics.count_without_key(held.name, self._fates.give_up(held.name, before_first=held.early))
        if self._hooks.watch is not None:
            self._hooks.watch.media(held.datagram, held.name, MediaFate.WITHOUT_KEY)
