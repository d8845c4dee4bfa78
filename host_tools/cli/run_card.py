"""The options of `bcast-uicc run` that come between the card and its reader: latency, faults, trace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from host_tools.realism.latency import LatencyProfile
    from host_tools.realism.plan import Fault
    from host_tools.trace.events import TraceSink
    from host_tools.trace.record import Recorder
    from vpicc_bridge.adapter import VirtualCard
    from vpicc_bridge.slots import Bridge

_FILE = click.Path(dir_okay=False, path_type=Path)
_C = TypeVar("_C", bound=Callable[..., object])


def realism_options(command: _C) -> _C:
    """Add --latency, --faults and --seed."""
    for option in (
        click.option("--seed", type=int, default=0, show_default=True,
                     help="The same seed gives the same delays and faults."),
        click.option("--faults", type=_FILE, metavar="PLAN", help="Let things go wrong as this plan says (TOML)."),
        click.option("--latency", type=_FILE, metavar="PROFILE",
                     help="Answer as slowly as this profile says; `realism learn` makes one."),
    ):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Realism:
    """How slow the card is, and what goes wrong with it."""

    latency: LatencyProfile | None
    plan: tuple[Fault, ...]
    seed: int

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Realism:
        """Read the files that the options name. Raises `CliError`."""
        from host_tools.cli.script import plain_script_errors

        latency, faults = options["latency"], options["faults"]
        with plain_script_errors():
            return cls(
                None if latency is None else _read_latency(latency),
                () if faults is None else _read_plan(faults),
                options["seed"],
            )

    def serve(
        self, card: VirtualCard, sinks: Sequence[TraceSink], reader: str, make_bridge: Callable[[VirtualCard], Bridge]
    ) -> Bridge:
        """Return a bridge for the card with all that comes between the two.

        The trace, under the name of the `reader`, shows what the reader sees: slow and faulty as that is. Each fault
        is told there and on standard error.
        """
        if self.latency is not None:
            from host_tools.realism.slow import SlowCard

            card = SlowCard(card, self.latency, self.seed)
        recorder = _recorder(sinks, reader)
        if not self.plan:
            return make_bridge(_recorded(card, recorder))
        from host_tools.realism.bridge import PulledCard, ReturningBridge
        from host_tools.realism.faulty import FaultyCard
        from host_tools.realism.plan import Injector

        def tell(sentence: str) -> None:
            _print(sentence)
            if recorder is not None:
                recorder.note_fault(sentence)

        faulty = FaultyCard(card, Injector(self.plan, self.seed), lambda after: bridge.pull(after), tell)
        served = PulledCard(_recorded(faulty, recorder))
        bridge = ReturningBridge(lambda: make_bridge(served))
        return bridge


def _recorder(sinks: Sequence[TraceSink], reader: str) -> Recorder | None:
    if not sinks:
        return None
    from host_tools.trace.record import Recorder

    return Recorder(reader, sinks)


def _recorded(card: VirtualCard, recorder: Recorder | None) -> VirtualCard:
    if recorder is None:
        return card
    from host_tools.realism.recording import RecordingCard

    return RecordingCard(card, recorder)


def _print(sentence: str) -> None:
    """Print to standard error; the card goes on when nobody reads it any more."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(sentence, err=True)


def _read_latency(path: Path) -> LatencyProfile:
    from card.disk.kinds import LATENCY
    from card.disk.reading import read_text
    from host_tools.realism.latency import parse_latency

    return parse_latency(read_text(path, LATENCY), str(path))


def _read_plan(path: Path) -> tuple[Fault, ...]:
    from card.disk.kinds import FAULTS
    from card.disk.reading import read_text
    from host_tools.realism.plan import parse_plan

    return parse_plan(read_text(path, FAULTS), str(path))
