"""`bcast-uicc terminal play`: the job from card to files, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.cli.exits import INPUT, CliError
from host_tools.cli.interrupts import interruptible
from host_tools.cli.terminal_extras import Extras
from host_tools.cli.terminal_options import CardChoice
from host_tools.cli.terminal_report import (
    capture_rows,
    live_table,
    media_json,
    media_rows,
    print_json,
    print_table,
    progress_row,
    statistics_rows,
)
from host_tools.cli.terminal_session import explained
from host_tools.cli.terminal_verdict import judge
from host_tools.content.captures.pcap import CaptureReader, Datagram, open_capture
from host_tools.content.errors import MediaError
from host_tools.links.base import LinkError
from host_tools.terminal.media_out import MediaOut
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.player import Hooks, Player, PlayOptions
from host_tools.terminal.purchase import first_that_helps
from host_tools.terminal.unclocked import ClockedDelivery

if TYPE_CHECKING:
    from host_tools.terminal.key_delivery import KeyDelivery
    from host_tools.terminal.purchase import PurchaseFlow
    from host_tools.terminal.statistics import PlayStatistics


@dataclass(frozen=True, slots=True)
class PlayJob:
    """Everything the command line says about one run.

    `tap` sees every datagram on its way, `afterwards` the card when everything was played.
    """

    capture: Path
    options: PlayOptions
    output: Path | None
    card: CardChoice
    scenario: str | None
    ltkms: Path | None
    extras: Extras = field(default_factory=Extras)
    subscriber: Path | None = None
    tap: Callable[[Datagram], None] = lambda _datagram: None
    afterwards: Callable[[TerminalMiddleware], None] = lambda _middleware: None

    def run(self, as_json: bool) -> None:
        """Play the capture and print the result. Raises `CliError`, also when the capture gave nothing.

        However it is told to end, files and card are left in order.
        """
        with interruptible(), explained(), open_capture(self.capture) as capture:
            out = MediaOut(self.output, (self.capture, self.ltkms, self.card.profile, self.subscriber))
            with self.card.connected() as middleware, closing(out):
                statistics = self._play(middleware, capture, out, as_json)
                self.afterwards(middleware)
            if not statistics.stkms_seen:
                raise CliError(f"{self.capture}: {self._no_stkm(statistics)}; {capture.report}.", INPUT)
            self._print(statistics, out, capture, as_json)
            judge(self.capture, statistics, capture.report, self.options)

    def _play(
        self, middleware: TerminalMiddleware, capture: CaptureReader, out: MediaOut, as_json: bool
    ) -> PlayStatistics:
        """Play everything; when card or disk fail or the user has enough, print what was counted until then."""
        datagrams, start = _peek(capture)
        delivery, purchase = self._keys(middleware, start)
        feed, hooks = self.extras.apply(middleware, purchase, Hooks(), to_stderr=not as_json)
        if delivery is not None:
            clocked = ClockedDelivery(delivery)
            remedy = first_that_helps((clocked.on_refusal, hooks.on_refusal))
            hooks = replace(hooks, on_time=clocked.on_time, on_refusal=remedy)
        player = Player(feed, out, self.options, gate=middleware.gate)

        def rows() -> list[tuple[str, str]]:
            return [progress_row(capture.share), *statistics_rows(player.statistics)]

        live = not (as_json or self.card.verbose or self.extras.explain)
        try:
            with live_table(live, self.capture.name, rows) as changed:
                return player.play(self._tapped(datagrams), replace(hooks, on_progress=changed))
        except (LinkError, MediaError, OSError, KeyboardInterrupt):
            self._print(player.statistics, out, capture, as_json)
            raise

    def _no_stkm(self, statistics: PlayStatistics) -> str:
        port, unreadable = self.options.stkm_port, statistics.stkms_unreadable
        if not unreadable:
            return f"no STKM on UDP port {port}"
        return f"none of the {unreadable} datagrams on UDP port {port} is readable as STKM"

    def _tapped(self, datagrams: Iterator[Datagram]) -> Iterator[Datagram]:
        for datagram in datagrams:
            self.tap(datagram)
            yield datagram

    def _keys(self, middleware: TerminalMiddleware, start: float) -> tuple[KeyDelivery | None, PurchaseFlow | None]:
        """Return the delivery of keys that the options ask for, with everything done that comes before it."""
        from host_tools.cli.terminal_keys import keys_from_file, open_network, subscribe

        subscriber = self.subscriber or self.card.profile
        if self.scenario is not None and subscriber is not None:
            return subscribe(middleware, open_network(self.scenario, subscriber, middleware.usim.tables))
        if self.ltkms is not None:
            return keys_from_file(middleware, self.ltkms, start), None
        return None, None

    def _print(self, statistics: PlayStatistics, out: MediaOut, capture: CaptureReader, as_json: bool) -> None:
        if not as_json:
            rows = [*capture_rows(capture.report), *statistics_rows(statistics), *media_rows(out)]
            print_table(self.capture.name, rows)
            return
        read = capture.report.as_dict()
        print_json({**statistics.as_dict(), "capture": read, **media_json(out), **self.extras.as_json()})


def _peek(capture: CaptureReader) -> tuple[Iterator[Datagram], float]:
    """Return all datagrams, and the time of the first (seconds since 1970)."""
    datagrams = iter(capture)
    first = next(datagrams, None)
    return (iter(()), 0.0) if first is None else (chain((first,), datagrams), first.timestamp)
