"""Plays a captured broadcast with a card: from the card's keys to the media files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.content.captures.pcap import CaptureReader, Datagram, open_capture
from host_tools.content.errors import MediaError
from host_tools.content.sinks.media_out import MediaOut
from host_tools.links.base import LinkError
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, Played, Progressed
from host_tools.sessions.extras import Extras
from host_tools.sessions.keys import KeySource, PlayKeys
from host_tools.sessions.report_page import ReportPage, noted
from host_tools.sessions.telling import both
from host_tools.sessions.verdict import judge
from host_tools.terminal.application_middleware import CardMiddleware
from host_tools.terminal.player import Hooks, Player, PlayOptions
from host_tools.terminal.purchase import first_that_helps
from host_tools.terminal.unclocked import ClockedDelivery

if TYPE_CHECKING:
    from host_tools.terminal.statistics import PlayStatistics

_PROGRESS_STEP = 64
"""Datagrams of a capture from one word about the progress to the next: a millisecond's worth."""

Connected = Callable[[], AbstractContextManager[CardMiddleware]]


@dataclass(frozen=True, slots=True)
class PlayJob:
    """What to play, with which card, into which files.

    `connected` opens the card with its PIN given, and `read` names the files it comes from: no output replaces them.
    `tap` sees every datagram on its way, `afterwards` the card when everything was played. A `page` shows how it
    played.
    """

    capture: Path
    options: PlayOptions
    output: Path | None
    connected: Connected
    keys: PlayKeys = field(default_factory=KeySource)
    extras: Extras = field(default_factory=Extras)
    read: tuple[Path | None, ...] = ()
    tap: Callable[[Datagram], None] | None = None
    afterwards: Callable[[CardMiddleware], None] = lambda _middleware: None
    page: ReportPage | None = None

    def run(self, events: Events) -> None:
        """Play the capture; `Played` tells the result. Raises `SessionError`, also when the capture gave nothing.

        However it is told to end, files and card are left in order.
        """
        with open_capture(self.capture) as capture:
            out = MediaOut(self.output, (self.capture, self.keys.ltkms, self.keys.subscriber, *self.read))
            with self.connected() as middleware, closing(out):
                with noted(self.page, middleware, self.extras, events) as extras:
                    statistics = self._play(middleware, extras, capture, out, events)
                self.afterwards(middleware)
            if not statistics.stkms_seen:
                raise SessionError(f"{self.capture}: {self._no_stkm(statistics)}; {capture.report}.", Trouble.INPUT)
            events.emit(Played(self.capture, statistics, capture.report, out))
            keyless = isinstance(self.keys, KeySource) and self.keys.is_empty
            judge(self.capture, statistics, capture.report, self.options, events, keyless=keyless)

    def _play(
        self, middleware: CardMiddleware, extras: Extras, capture: CaptureReader, out: MediaOut, events: Events
    ) -> PlayStatistics:
        """Play everything; when card or disk fail or the user has enough, tell what was counted until then."""
        datagrams, start = _peek(capture)
        delivery, purchase = self.keys.fetch(middleware, start)
        feed, hooks = extras.apply(middleware, purchase, Hooks(), events)
        if delivery is not None:
            clocked = ClockedDelivery(delivery)
            remedy = first_that_helps((clocked.on_refusal, hooks.on_refusal))
            hooks = replace(hooks, on_time=both(hooks.on_time, clocked.on_time), on_refusal=remedy)
        player = Player(feed, out, self.options, gate=middleware.gate)
        steps = count()

        def progressed() -> None:
            if next(steps) % _PROGRESS_STEP == 0:
                events.emit(Progressed(player.statistics, capture))

        if self.tap is not None:
            datagrams = _tapped(datagrams, self.tap)
        try:
            return player.play(datagrams, replace(hooks, on_progress=progressed))
        except (LinkError, MediaError, OSError, KeyboardInterrupt):
            events.emit(Played(self.capture, player.statistics, capture.report, out))
            raise

    def _no_stkm(self, statistics: PlayStatistics) -> str:
        port, unreadable = self.options.stkm_port, statistics.stkms_unreadable
        if not unreadable:
            return f"no STKM on UDP port {port}"
        return f"none of the {unreadable} datagrams on UDP port {port} is readable as STKM"


def _tapped(datagrams: Iterator[Datagram], tap: Callable[[Datagram], None]) -> Iterator[Datagram]:
    for datagram in datagrams:
        tap(datagram)
        yield datagram


def _peek(capture: CaptureReader) -> tuple[Iterator[Datagram], float]:
    """Return all datagrams, and the time of the first (seconds since 1970)."""
    datagrams = iter(capture)
    first = next(datagrams, None)
    return (iter(()), 0.0) if first is None else (chain((first,), datagrams), first.timestamp)
