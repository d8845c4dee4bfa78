"""What `terminal tune` shows: a live table and lines, or one JSON object a line."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import click

from host_tools.cli.console import Console
from host_tools.cli.terminal.replies import news_dict, news_words
from host_tools.cli.terminal.report import LiveTable, media_json, media_rows, print_table, statistics_rows
from host_tools.sessions.events import (
    ClientNews,
    Event,
    LiveProgressed,
    Recorded,
    ServiceLeft,
    StkmDecided,
    TerminalOnline,
    Tuned,
    TuneEnded,
)
from host_tools.terminal.statistics import PlayStatistics
from host_tools.trace.printable import printable

_EVERY = 1.0  # seconds between two lines of progress


class LiveShow(Console):
    """Shows the events of a terminal that listens. A context manager, for the live table."""

    def __init__(self, *, as_json: bool, explain: bool, to_stderr: bool) -> None:
        """`to_stderr`: standard output is for the sound."""
        self._as_json = as_json
        self._explain = explain
        self._to_stderr = to_stderr
        self._told = 0.0
        self._table = None if as_json or explain else LiveTable("On the air")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case LiveProgressed(service, statistics, status):
                self._progress(service, statistics, status)
            case Tuned(service, number, of, registers_for):
                told = f"tuned to {printable(service)} ({number} of {of})"
                self._say(
                    told, "tuned", {"service": service, "number": number, "of": of, "registers_for": registers_for}
                )
            case StkmDecided(decision) if self._explain:
                self._say(str(decision), "stkm", decision.as_dict())
            case ServiceLeft(departure):
                self._say(str(departure), "left", departure.as_dict())
            case ClientNews(news):
                words = news_words(news)
                if words:
                    self._say(words, "network", news_dict(news))
            case TerminalOnline(subscriber, bsm, address, _):
                self._say(f"{subscriber} at {address}, BSM {bsm}", "online", {"subscriber": subscriber, "bsm": bsm})
            case Recorded(output, index):
                words = f"{output}: {index.packets} packets, {index.stkms} STKMs"
                self._say(words, "recorded", {"file": str(output), "packets": index.packets, "stkms": index.stkms})
            case TuneEnded():
                self._end(event)
            case _:
                super().emit(event)

    def _say(self, words: str, kind: str, told: Mapping[str, object]) -> None:
        if self._as_json:
            self._line(kind, told)
        else:
            click.echo(words, err=True)

    def _line(self, kind: str, told: Mapping[str, object]) -> None:
        click.echo(json.dumps({"event": kind, **told}), err=self._to_stderr)

    def _progress(self, service: str, statistics: PlayStatistics, status: Mapping[str, object]) -> None:
        if self._as_json:
            if time.monotonic() - self._told >= _EVERY:
                self._told = time.monotonic()
                self._line("progress", {"service": service, **_counted(statistics), **status})
        elif self._table is not None:
            self._table.show(lambda: live_rows(service, statistics, status))

    def _end(self, event: TuneEnded) -> None:
        self._stop()
        if self._as_json:
            whole = {**event.statistics.as_dict(), **event.status, **media_json(event.out)}
            self._line("ended", {"service": event.service, **whole})
        elif not self._to_stderr:
            lost = f"{event.status['lost']}, {event.status['media_dropped']} of them dropped by this computer"
            rows = [*statistics_rows(event.statistics), ("Never came", lost)]
            print_table(printable(event.service), [*rows, *media_rows(event.out)])

    def _stop(self) -> None:
        if self._table is not None:
            self._table.stop()


def live_rows(service: str, statistics: PlayStatistics, status: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the rows of the live table."""
    losses = (
        f"{status['lost']} never came, {status['dropped']} dropped here, "
        f"{statistics.packets_repeated} doubled, {statistics.packets_failed} failed"
    )
    if status["not_sent_on"]:
        losses += f", {status['not_sent_on']} not taken for the player"
    rows = [
        ("Service", printable(service)),
        ("Keys", f"{statistics.teks} TEKs from {statistics.stkms_fed} STKMs, {statistics.stkms_refused} refused"),
        ("Media", f"{statistics.packets_decrypted} of {statistics.packets_seen} packets decrypted"),
        ("Buffer", f"{status['held']} packets wait for their key"),
        ("Losses", losses),
    ]
    cost, purses = status["cost"], status["purses"]
    if isinstance(cost, dict) and cost:
        rows.append(("Cost", ", ".join(f"{paid} from the {name}" for name, paid in cost.items())))
    if isinstance(purses, dict) and purses:
        rows.append(("Purses", ", ".join(f"{name}: {value}" for name, value in purses.items())))
    if status["refusal"]:
        rows.append(("Refused", str(status["refusal"])))
    return rows


def _counted(statistics: PlayStatistics) -> dict[str, object]:
    return {
        "teks": statistics.teks,
        "stkms": statistics.stkms_seen,
        "refused": statistics.stkms_refused,
        "packets": statistics.packets_seen,
        "decrypted": statistics.packets_decrypted,
        "without_key": statistics.packets_without_key,
    }
