"""Which differences are allowed, as data: rules in TOML, each with its reason (docs/user/compare.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from card.disk.shipped import shipped_text
from card.disk.toml_lines import Path as KeyPath
from host_tools.compare.model import Difference, Kind, Pair
from host_tools.compare.timing import name_of
from host_tools.script.toml.table import Problems, Table, read_toml

_KEYS = ("why", "kind", "command", "file", "step", "path", "bytes")
_KINDS = {kind.value: kind for kind in Kind}
_BYTES = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_MOST_RULES = 1000
_SHIPPED = "allowed.toml"


@dataclass(frozen=True, slots=True)
class Rule:
    """One allowance: a difference to which everything given here applies may be. Names may hold `*` and `?`.

    `span` is the bytes of the answer, counted from 0, inside which values may differ.
    """

    why: str
    kinds: frozenset[Kind] = frozenset(Kind)
    command: str = "*"
    file: str = "*"
    step: str = "*"
    path: str = "*"
    span: tuple[int, int] | None = None

    def applies(self, difference: Difference, pair: Pair | None) -> bool:
        """Tell whether the rule allows a difference; `pair` is None for one of the cards as a whole."""
        if difference.kind not in self.kinds:
            return False
        command, file, step = ("", "", "") if pair is None else _names(pair)
        return (
            _fits(self.command, command)
            and _fits(self.file, file)
            and _fits(self.step, step)
            and (self.path == "*" or _fits(self.path, difference.where))
            and (self.span is None or _inside(difference.where, self.span))
        )


@dataclass(frozen=True, slots=True)
class TimingLimit:
    """A command is too slow on one side when its median is more than `factor` times the other's.

    Medians that differ by less than `floor` (seconds) never count. A factor of 0 judges nothing.
    """

    factor: float = 0.0
    floor: float = 0.005


@dataclass(frozen=True, slots=True)
class Rules:
    """All allowances, and the limit for timing."""

    rules: tuple[Rule, ...] = ()
    timing: TimingLimit = TimingLimit()

    def judge(self, difference: Difference, pair: Pair | None = None) -> Difference:
        """Return the difference with the reason of the first rule that allows it."""
        for rule in self.rules:
            if rule.applies(difference, pair):
                return replace(difference, allowed=rule.why)
        return difference

    def __add__(self, other: Rules) -> Rules:
        timing = other.timing if other.timing.factor else self.timing
        return Rules(self.rules + other.rules, timing)


def default_rules() -> Rules:
    """Return what ships: random answers, the ICCID, what a network or terminal leaves in files."""
    return parse_rules(shipped_text("host_tools.compare", _SHIPPED) or "", _SHIPPED)


def parse_rules(text: str, file: str) -> Rules:
    """Return the rules of a TOML text. `file` stands in messages. Raises `ScriptError` with all problems found."""
    data, problems = read_toml(text, file)
    top = Table(data, (), problems, ("allow", "timing"))
    found = top.data.get("allow", [])
    if not isinstance(found, list) or len(found) > _MOST_RULES:
        problems.add(("allow",), "rules are written [[allow]]", f"at most {_MOST_RULES}")
        found = []
    rules = tuple(_rule(item, ("allow", index), problems) for index, item in enumerate(found))
    timing = _timing(top.data.get("timing", {}), problems)
    problems.check()
    return Rules(rules, timing)


def _rule(data: object, path: KeyPath, problems: Problems) -> Rule:
    table = Table(data, path, problems, _KEYS)
    why = table.text("why")
    if not why:
        problems.add(path, "a rule says why", 'why = "random by nature"')
    return Rule(
        why=why,
        kinds=frozenset(_kinds(table, problems)) or frozenset(Kind),
        command=table.text("command", "*"),
        file=table.text("file", "*"),
        step=table.text("step", "*"),
        path=table.text("path", "*"),
        span=_span(table, problems),
    )


def _kinds(table: Table, problems: Problems) -> Iterable[Kind]:
    for path, word in table.texts("kind"):
        if word in _KINDS:
            yield _KINDS[word]
        else:
            problems.add(path, f"there is no kind {word[:20]!r}", ", ".join(_KINDS))


def _span(table: Table, problems: Problems) -> tuple[int, int] | None:
    text = table.text("bytes")
    if not text:
        return None
    match = _BYTES.fullmatch(text)
    if match is None:
        problems.add((*table.path, "bytes"), f"{text[:20]!r} is no range of bytes", "4 or 4-19, counted from 0")
        return None
    return int(match[1]), int(match[2] or match[1])


def _timing(data: object, problems: Problems) -> TimingLimit:
    table = Table(data, ("timing",), problems, ("factor", "floor_ms"))
    values = {}
    for key, lowest, highest, default in (("factor", 1.0, 1e6, 0.0), ("floor_ms", 0.0, 60_000.0, 5.0)):
        value = table.data.get(key, default)
        wrong = isinstance(value, bool) or not isinstance(value, int | float)
        if wrong or (key in table and not lowest <= float(str(value)) <= highest):
            problems.add(("timing", key), f"{key} is not allowed", f"a number from {lowest:g} to {highest:g}")
            value = default
        values[key] = float(str(value))
    return TimingLimit(values["factor"], values["floor_ms"] / 1000)


def _names(pair: Pair) -> tuple[str, str, str]:
    seen = pair.either
    return name_of(seen), seen.shown.file, pair.step


def _fits(pattern: str, name: str) -> bool:
    # Square brackets number repeated tags (62/83[2]) and are no set of characters here.
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def _inside(where: str, span: tuple[int, int]) -> bool:
    match = _BYTES.fullmatch(where)
    return match is not None and span[0] <= int(match[1]) and int(match[2] or match[1]) <= span[1]
