"""How long each command took on each side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median, quantiles

from host_tools.compare.model import CommandTiming, Observation, Pair, Spread
from host_tools.trace.commands import command_name


def measure(pairs: Iterable[Pair]) -> Iterator[CommandTiming]:
    """Yield the times of every command, by name. A command without a whole answer does not count."""
    times: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for pair in pairs:
        for side, seen in enumerate((pair.a, pair.b)):
            if seen is not None and seen.sw is not None:
                times[name_of(seen)][side].append(seen.seconds)
    for name in sorted(times):
        a, b = times[name]
        yield CommandTiming(name, spread(a), spread(b))


def name_of(seen: Observation) -> str:
    """Return the name of the command, as traces show it."""
    return command_name(seen.command[1]) if len(seen.command) > 1 else "no APDU"


def spread(times: list[float]) -> Spread | None:
    """Return the spread of times in seconds; None when there are none."""
    if not times:
        return None
    if len(times) == 1:
        return Spread(1, *(times[0],) * 6)
    lower, _, upper = quantiles(times, n=4, method="inclusive")
    p95 = quantiles(times, n=20, method="inclusive")[-1]
    return Spread(len(times), min(times), lower, median(times), upper, p95, max(times))
