"""Sends the same steps to two cards, first one, then the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.sessions.events import Events, SideDone
from host_tools.sessions.opening import IN_PROCESS, PCSC, card_in_process, open_link, traced

if TYPE_CHECKING:
    from host_tools.compare.allow import Rules
    from host_tools.compare.model import Comparison, SideRun
    from host_tools.links.base import Link
    from host_tools.script.model import Script
    from host_tools.script.runner import RunOptions
    from host_tools.trace.events import TraceSink

PREFIX = f"{IN_PROCESS}:"


@dataclass(frozen=True, slots=True)
class Side:
    """One of two cards: a reader (its name or a part of it) or `inprocess:PROFILE`, and how scripts run on it."""

    name: str
    options: RunOptions

    @property
    def file(self) -> Path | None:
        """The profile or card file of a card in this process."""
        return Path(self.name.removeprefix(PREFIX)) if self.name.startswith(PREFIX) else None


@dataclass(slots=True)
class CompareJob:
    """Two sides, and what they have done so far: an interruption leaves what was seen before it."""

    a: Side
    b: Side
    seen: list[SideRun] = field(default_factory=list)

    def run(self, scripts: list[Script], sinks: Sequence[TraceSink], events: Events) -> None:
        """Let both do the steps. Raises `LinkError`, `SessionError`, `CardError`."""
        with ExitStack() as stack:
            links = [stack.enter_context(open_side(side.name, events)) for side in (self.a, self.b)]
            for side, link in zip((self.a, self.b), links, strict=True):
                done = _play(link, scripts, side.options, sinks, self.seen[0] if self.seen else None, events)
                self.seen.append(done)

    def interrupted(self) -> None:
        """Note that whoever has not begun yet will not."""
        from host_tools.compare.play import not_begun

        self.seen += map(not_begun, (self.a.name, self.b.name)[len(self.seen) :])

    def compared(self, rules: Rules) -> Comparison:
        """Return what differs between the two, which both have run or were interrupted."""
        from host_tools.compare.comparison import compare_runs

        a, b = self.seen
        return compare_runs(a, b, rules)


@contextmanager
def open_side(name: str, events: Events) -> Iterator[Link]:
    """Open a side by its name. Raises `LinkError`, `SessionError`, `CardError`."""
    if not name.startswith(PREFIX):
        with open_link(PCSC, name, None, events) as link:
            yield link
        return
    card = Path(name.removeprefix(PREFIX))
    with closing(card_in_process(card, events, f"{card} (in process)")) as opened:
        yield opened


def _play(
    link: Link,
    scripts: list[Script],
    options: RunOptions,
    sinks: Sequence[TraceSink],
    after: SideRun | None,
    events: Events,
) -> SideRun:
    from host_tools.compare.model import INTERRUPTED
    from host_tools.compare.play import not_played, play_until_interrupted
    from host_tools.trace.known_secrets import KnownSecrets

    if after is not None and after.trouble == INTERRUPTED:
        return not_played(link)
    known = KnownSecrets()
    done = play_until_interrupted(traced(link, sinks, known), scripts, options, known)
    events.emit(SideDone(link.name, done))
    return done


def read_rules(paths: Sequence[Path], *, with_default: bool) -> Rules:
    """Return the allowed differences of files (TOML), with those that ship or without. Raises `ScriptError`."""
    from card.disk.kinds import RULES
    from card.disk.reading import read_text
    from host_tools.compare.allow import Rules, default_rules, parse_rules

    rules = default_rules() if with_default else Rules()
    for path in paths:
        rules += parse_rules(read_text(path, RULES), str(path))
    return rules
