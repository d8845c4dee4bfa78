"""What a card did, and how another card is made to do the same: scripts are run again, a trace is sent again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from card.codec.apdu import CommandApdu
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.pin import PIN_SIZE, pad_pin
from host_tools.apdu.processors import FormatProcessor, GetResponseProcessor, WrongLengthProcessor
from host_tools.compare.joined import Wire, join_exchanges
from host_tools.compare.model import Observation, SideRun, Step
from host_tools.compare.observe import ObservedLink
from host_tools.compare.play import play_scripts
from host_tools.links.base import Link, LinkError
from host_tools.script.model import Script
from host_tools.script.runner import RunOptions
from host_tools.trace.commands import describe_command
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent
from host_tools.trace.printable import printable
from host_tools.trace.tracer import POWER_OFF

MOST_EXCHANGES = 20_000
"""Exchanges of a trace that are looked at."""
_PIN1 = 0x01
_HEADER = 5


class Evidence(Protocol):
    """Something a card was seen to do, which another card can be asked for."""

    @property
    def seen(self) -> SideRun:
        """What was seen."""

    def again(self, link: Link, pin: Secret, /) -> SideRun:
        """Have the card on a link do the same; `pin` is its PIN1. The link stays open."""


@dataclass(frozen=True, slots=True)
class ScriptEvidence:
    """Scripts that were run on a card."""

    scripts: Sequence[Script]
    options: RunOptions
    seen: SideRun

    def again(self, link: Link, _pin: Secret) -> SideRun:
        """Run the scripts again; they know the PIN."""
        return play_scripts(link, self.scripts, self.options)


@dataclass(frozen=True, slots=True)
class TraceEvidence:
    """A recorded trace. What is secret in its answers is zero, so it is zero in what they are compared with, too.

    A command with a secret cannot be sent again: it is no part of what was `seen`, and `left_out` counts it by its
    name. A PIN1 that was accepted can: the other card has one, too.
    """

    seen: SideRun
    left_out: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, name: str, events: Iterable[TraceEvent]) -> TraceEvidence:
        """Take the first `MOST_EXCHANGES` exchanges of the first card in a trace; a step ends where it was reset."""
        steps: list[list[Wire]] = [[]]
        link = ""
        for event in islice(events, MOST_EXCHANGES):
            link = link or event.link
            if event.link != link:
                continue
            if isinstance(event, CardEvent):
                if event.what != POWER_OFF:
                    steps.append([])
            else:
                steps[-1].append(Wire(event, event.command, event.response))
        left_out: Counter[str] = Counter()
        found = []
        for number, wires in enumerate(steps, 1):
            observed = list(join_exchanges(wires))
            left_out.update(describe_command(seen.command) for seen in observed if not _is_repeatable(seen))
            repeated = tuple(seen for seen in observed if _is_repeatable(seen))
            if repeated:
                found.append(Step(f"{name}, part {number}", observed=repeated))
        return cls(SideRun(link, b"", "", tuple(found)), tuple(left_out.items()))

    def describe_left_out(self) -> Iterator[str]:
        """Yield one line, a comment, for each kind of command that is not sent again."""
        for name, count in self.left_out:
            times = f", {count} times" if count > 1 else ""
            yield f"# not sent again: {printable(name)}{times}: its secret was not recorded"

    def again(self, link: Link, pin: Secret) -> SideRun:
        """Send every command again, with a reset before each step."""
        observed = ObservedLink(link)
        stack = GetResponseProcessor(WrongLengthProcessor(FormatProcessor(observed)))
        for step in self.seen.steps:
            observed.reset()
            for seen in step.observed:
                _send(observed, stack, _with_pin(seen, pin))
            observed.end_step(step.name)
        run = observed.finish()
        return replace(run, steps=tuple(_as_shown(step) for step in run.steps))


def _send(observed: ObservedLink, stack: GetResponseProcessor, command: bytes) -> None:
    try:
        stack.transmit(CommandApdu.decode(command))
    except DecodeError:
        observed.transmit(command)
    except LinkError:
        return  # noted in the run


def _is_repeatable(seen: Observation) -> bool:
    return not seen.shown.hidden_command or _gives_pin1(seen)


def _gives_pin1(seen: Observation) -> bool:
    """Tell whether the command gave PIN1, hidden in the trace, and was accepted."""
    command = seen.shown.command
    return (
        bool(seen.shown.hidden_command)
        and len(command) == _HEADER + PIN_SIZE
        and (command[1], command[3]) == (INS.VERIFY_PIN, _PIN1)
        and seen.sw == SW.OK
    )


def _with_pin(seen: Observation, pin: Secret) -> bytes:
    """Return the command, with the PIN of this card where the recorded one was accepted and is hidden."""
    command = seen.shown.command
    return command[:_HEADER] + pad_pin(pin) if _gives_pin1(seen) else command


def _as_shown(step: Step) -> Step:
    return replace(step, observed=tuple(_redacted(seen) for seen in step.observed))


def _redacted(seen: Observation) -> Observation:
    shown: TracedExchange = seen.shown
    return replace(seen, command=shown.command, data=shown.data)
