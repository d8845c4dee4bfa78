"""How long a card takes for each command: learned from a trace, kept as TOML, drawn from again."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles

from card.spec.ins import INS
from host_tools.script.toml.table import Problems, Table, read_toml
from host_tools.trace.commands import command_name
from host_tools.trace.events import TracedExchange, TraceEvent

_DECILES = 11  # from the fastest to the slowest in steps of a tenth
_LONGEST = 60_000.0  # milliseconds
_MOST_COMMANDS = 256
_BY_CONTEXT: frozenset[int] = frozenset({INS.AUTHENTICATE, INS.AUTHENTICATE_ODD, INS.OMA_BCAST})

Deciles = tuple[float, ...]
"""Eleven times in seconds, ascending: the fastest, the slowest, and the tenths between them."""


class LatencyError(Exception):
    """No latency can be learned. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """Times by the name of the command; `default` is for commands that have none of their own."""

    default: Deciles
    commands: Mapping[str, Deciles]

    def seconds(self, apdu: bytes, chance: float) -> float:
        """Return a time for a command; `chance` (0 to 1) says how unlucky it is among all."""
        deciles = self.commands.get(latency_name(apdu), self.default)
        place = min(max(chance, 0.0), 1.0) * (_DECILES - 1)
        index = min(int(place), _DECILES - 2)
        return deciles[index] + (deciles[index + 1] - deciles[index]) * (place - index)

    def to_toml(self) -> str:
        """Return the profile as text, in milliseconds."""
        lines = ["# Milliseconds from the fastest to the slowest answer, in steps of a tenth of all answers."]
        lines += ["[latency]", f"default = {_milliseconds(self.default)}", "", "[latency.commands]"]
        lines += [f'"{name}" = {_milliseconds(deciles)}' for name, deciles in sorted(self.commands.items())]
        return "\n".join(lines) + "\n"


def latency_name(apdu: bytes) -> str:
    """Return the name under which a command's times are kept; authentication has one for each context."""
    if len(apdu) < 4:
        return "no APDU"
    name = command_name(apdu[1])
    return f"{name} P2 {apdu[3]:02X}" if apdu[1] in _BY_CONTEXT else name


def learn_latency(events: Iterable[TraceEvent]) -> LatencyProfile:
    """Return the times that a trace shows. Raises `LatencyError` when no answer in it has a known one."""
    times: dict[str, list[float]] = {}
    for event in events:
        if isinstance(event, TracedExchange) and event.sw is not None and event.seconds:
            insort(times.setdefault(latency_name(event.command), []), event.seconds)
    if not times:
        raise LatencyError("The trace holds no answered command with its duration, so there is no time to learn.")
    everything = [seconds for found in times.values() for seconds in found]
    return LatencyProfile(_deciles(everything), {name: _deciles(found) for name, found in times.items()})


def parse_latency(text: str, file: str) -> LatencyProfile:
    """Return the profile in a TOML text. `file` stands in messages. Raises `ScriptError` with all problems found."""
    data, problems = read_toml(text, file)
    top = Table(data, (), problems, ("latency",))
    table = Table(top.data.get("latency", {}), ("latency",), problems, ("default", "commands"))
    commands = {name: _read(value, path, problems) for path, name, value in table.pairs("commands")}
    if len(commands) > _MOST_COMMANDS:
        problems.add(("latency", "commands"), f"more than {_MOST_COMMANDS} commands")
    default = _read(table.data.get("default"), ("latency", "default"), problems)
    problems.check()
    return LatencyProfile(default, commands)


def _read(value: object, path: tuple[str | int, ...], problems: Problems) -> Deciles:
    numbers = value if isinstance(value, list) else []
    right = len(numbers) == _DECILES and all(_is_time(item) for item in numbers) and numbers == sorted(numbers)
    if not right:
        hint = f"{_DECILES} numbers from 0 to {_LONGEST:g}, none smaller than the one before"
        problems.add(path, "these are no times in milliseconds", hint)
        return (0.0,) * _DECILES
    return tuple(float(item) / 1000 for item in numbers)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST


def _deciles(times: Sequence[float]) -> Deciles:
    inner = quantiles(times, n=_DECILES - 1, method="inclusive") if len(times) > 1 else [times[0]] * (_DECILES - 2)
    return (min(times), *inner, max(times))


def _milliseconds(deciles: Deciles) -> str:
    return "[" + ", ".join(f"{seconds * 1000:.3f}" for seconds in deciles) + "]"
