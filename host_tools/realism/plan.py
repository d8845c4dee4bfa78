"""Plans of faults: which fault happens at which command. The same plan and seed give the same faults."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from host_tools.script.toml.table import Table, read_toml
from host_tools.trace.commands import command_name

_KEYS = ("kind", "command", "at", "chance", "times", "sw", "executed", "back_after")
_MOST_FAULTS = 256
_MOST_COMMANDS = 1_000_000_000


class FaultKind(StrEnum):
    """What can go wrong."""

    WRONG_SW = "wrong-sw"  # a status word of the plan's, and no data
    INTERNAL_ERROR = "internal-error"  # 6F00
    DROP = "drop"  # the card works, the answer never comes
    MUTE = "mute"  # the card neither works nor answers until it is switched on again
    POWER_LOSS = "power-loss"  # power fails for a moment: everything volatile is gone
    REMOVAL = "removal"  # the card is pulled out in the middle of the command


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of a plan.

    It happens at the command number `at` (from 1) of those whose name fits `command`, or with `at` 0 each of them with
    the probability `chance`; at most `times` times (0: without end). `executed`: the card does its work before.
    `back_after`: seconds until a card that was lost is there again.
    """

    kind: FaultKind
    command: str = "*"
    at: int = 0
    chance: float = 1.0
    times: int = 0
    sw: int = 0x6F00
    executed: bool = False
    back_after: float = 1.0


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault at a command: the `number`-th (from 1) of those with the name `command`."""

    fault: Fault
    command: str
    number: int

    def __str__(self) -> str:
        sw = f" {self.fault.sw:04X}" if self.fault.kind is FaultKind.WRONG_SW else ""
        return f"fault: {self.fault.kind}{sw} at {self.command} #{self.number}"


class Injector:
    """Goes through the commands and says which fault happens at each. One plan, one seed, one card."""

    def __init__(self, plan: tuple[Fault, ...], seed: int = 0) -> None:
        self._plan = plan
        self._random = random.Random(seed)
        self._seen = [0] * len(plan)
        self._done = [0] * len(plan)
        self._commands: Counter[str] = Counter()

    def next_fault(self, apdu: bytes) -> Strike | None:
        """Return the fault for this command, the first of the plan that fits; None where there is none."""
        name = command_name(apdu[1]) if len(apdu) > 1 else "no APDU"
        self._commands[name] += 1
        chosen: int | None = None
        for index, fault in enumerate(self._plan):
            # Every row counts and draws for every command that fits, so that rows do not disturb each other.
            if fnmatchcase(name.upper(), fault.command.upper()) and self._strikes(index, fault) and chosen is None:
                chosen = index
        if chosen is None:
            return None
        self._done[chosen] += 1
        return Strike(self._plan[chosen], name, self._commands[name])

    def _strikes(self, index: int, fault: Fault) -> bool:
        self._seen[index] += 1
        drawn = self._random.random()
        if fault.times and self._done[index] >= fault.times:
            return False
        return self._seen[index] == fault.at if fault.at else drawn < fault.chance


def parse_plan(text: str, file: str) -> tuple[Fault, ...]:
    """Return the plan in a TOML text. `file` stands in messages. Raises `ScriptError` with all problems found."""
    data, problems = read_toml(text, file)
    top = Table(data, (), problems, ("fault",))
    rows = top.data.get("fault", [])
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_FAULTS:
        problems.add(("fault",), "a plan has faults, written [[fault]]", f"1 to {_MOST_FAULTS}")
        rows = []
    plan = tuple(_fault(Table(row, ("fault", index), problems, _KEYS)) for index, row in enumerate(rows))
    problems.check()
    return plan


def _fault(table: Table) -> Fault:
    return Fault(
        kind=_kind(table),
        command=table.text("command", "*"),
        at=table.whole("at", 1, _MOST_COMMANDS),
        chance=_number(table, "chance", 1.0, 1.0),
        times=table.whole("times", 1, _MOST_COMMANDS),
        sw=_status_word(table),
        executed=table.flag("executed"),
        back_after=_number(table, "back_after", 1.0, 3600.0),
    )


def _kind(table: Table) -> FaultKind:
    word = table.text("kind")
    if word not in FaultKind.__members__.values():
        table.problems.add((*table.path, "kind"), f"there is no fault {word[:20]!r}", ", ".join(FaultKind))
        return FaultKind.INTERNAL_ERROR
    return FaultKind(word)


def _status_word(table: Table) -> int:
    text = table.text("sw", "6F00")
    try:
        value = int(text, 16)
    except ValueError:
        value = 0
    if len(text) != 4 or not 0x6000 <= value <= 0x9FFF:
        table.problems.add((*table.path, "sw"), f"{text[:20]!r} is no status word", "four hex digits, 6000 to 9FFF")
    return value


def _number(table: Table, key: str, default: float, most: float) -> float:
    value = table.data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        table.problems.add((*table.path, key), f"{key} is not allowed", f"a number from 0 to {most:g}")
        return default
    return float(value)
