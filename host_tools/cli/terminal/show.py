"""What playing, replaying and recording show: a live table, decisions as they fall, and the result as table or JSON."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import click

from host_tools.cli.console import Console
from host_tools.cli.terminal.report import (
    LiveTable,
    capture_rows,
    media_json,
    media_rows,
    print_json,
    print_table,
    progress_row,
    statistics_rows,
)
from host_tools.sessions.events import Event, Played, Progressed, Recorded, Replayed, ServiceLeft, StkmDecided

if TYPE_CHECKING:
    from host_tools.terminal.decision import Decision
    from host_tools.terminal.departure import Departure

N = TypeVar("N")
_MOST_NOTED = 10_000  # decisions, and services left, kept for JSON


class TerminalShow(Console):
    """Shows the events of a terminal's session. A context manager, for the live table."""

    def __init__(self, *, as_json: bool, explain: bool, live: LiveTable | None = None) -> None:
        """Take how the result is to be shown, and whether decisions belong to it."""
        self._as_json = as_json
        self._explain = explain
        self._live = live
        self._decisions: list[Decision] = []
        self._departures: list[Departure] = []

    def __enter__(self) -> TerminalShow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case Progressed():
                self._progress(event)
            case StkmDecided(decision):
                self._note(decision, self._decisions)
            case ServiceLeft(departure):
                self._note(departure, self._departures)
            case Played():
                self._stop()
                self._print_played(event)
            case Replayed():
                self._print_replayed(event)
            case Recorded(output, index):
                keys = "1 key" if len(index.spans) == 1 else f"{len(index.spans)} keys"
                words = f"{output}: {index.packets} packets, {index.stkms} STKMs of {keys}"
                click.echo(words, err=self._as_json)
            case _:
                super().emit(event)

    def _progress(self, event: Progressed) -> None:
        if self._live is not None:
            self._live.show(lambda: [progress_row(event.capture.share), *statistics_rows(event.statistics)])

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()

    def _note(self, what: N, noted: list[N]) -> None:
        if len(noted) < _MOST_NOTED:
            noted.append(what)
        if not self._as_json:
            click.echo(str(what), err=True)

    def _print_played(self, event: Played) -> None:
        if not self._as_json:
            rows = [*capture_rows(event.report), *statistics_rows(event.statistics), *media_rows(event.out)]
            print_table(event.capture.name, rows)
            return
        read = event.report.as_dict()
        print_json({**event.statistics.as_dict(), "capture": read, **media_json(event.out), **self._explained()})

    def _print_replayed(self, event: Replayed) -> None:
        if self._as_json:
            pieces = [
                {"from": piece.start, "to": piece.end, "port": piece.port, **counted.as_dict()}
                for piece, counted in event.pieces
            ]
            files = [str(path) for path in event.out.files]
            print_json({"pieces": pieces, "files": files, **media_json(event.out), **self._explained()})
            return
        for piece, counted in event.pieces:
            end = "the end" if piece.end is None else f"{piece.end:g} s"
            print_table(f"{event.recording.name}, {piece.start:g} s to {end}", statistics_rows(counted))
        if event.out.streams:
            print_table("Media", media_rows(event.out))

    def _explained(self) -> dict[str, object]:
        """Return what the card decided, for a JSON result."""
        if not self._explain:
            return {}
        return {
            "decisions": [decision.as_dict() for decision in self._decisions],
            "events": [departure.as_dict() for departure in self._departures],
        }
