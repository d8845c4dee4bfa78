"""Reads scripts in TOML. docs/user/scripts.md describes the form."""

from __future__ import annotations

import re
from collections.abc import Callable

from card.disk.toml_lines import Path
from card.tables.problems import Place
from host_tools.script.conditions import Condition
from host_tools.script.errors import ScriptError
from host_tools.script.functions.call import Call
from host_tools.script.model import (
    ApduStep,
    ComputeStep,
    GroupStep,
    Loop,
    ResetStep,
    Script,
    Step,
    StepHead,
    VariableSource,
)
from host_tools.script.pattern import Pattern
from host_tools.script.template import NAME, Template
from host_tools.script.toml.answer import read_captures, read_expectation, read_until
from host_tools.script.toml.table import Problems, Table, check_name, parse_text, read_toml
from host_tools.script.values import Form, FromEnvironment, RandomBytes

Include = Callable[[str, Place], Script]
"""Loads the script that an `include` names. Raises `ScriptError`."""

MOST_ROUNDS = 1_000_000
_DEEPEST = 8
_SCRIPT_KEYS = ("title", "requires", "reset", "timeout", "on_failure", "transport")
_HEAD_KEYS = ("name", "clause", "when", "destructive", "repeat", "for", "on_failure")
_APDU_KEYS = ("apdu", "sw", "data", "not_data", "length", "tlv", "capture", "secret", "timeout", "transport", "until",
              "at_most")  # fmt: skip
_OTHER_KEYS = ("reset", "atr", "compute", "include", "step")
_KINDS = ("apdu", "reset", "compute", "include", "step")
_PLACED = frozenset({"apdu", "data", "not_data", "tlv", "atr", "compute", "for"})


def parse_script(text: str, name: str, file: str, include: Include) -> Script:
    """Return the script in a TOML text. `file` stands in messages. Raises `ScriptError` with all problems found."""
    data, problems = read_toml(text, file)
    return _Reader(problems, include).script(data, name)


class _Reader:
    """Reads one file. `_raw` is the script's own default for `transport`."""

    def __init__(self, problems: Problems, include: Include) -> None:
        self._problems = problems
        self._include = include
        self._raw = False
        self._included: dict[str, VariableSource] = {}
        self._included_places: dict[str, Place] = {}

    def script(self, data: dict[str, object], name: str) -> Script:
        top = Table(data, (), self._problems, ("script", "variables", "step"))
        head = Table(top.data.get("script", {}), ("script",), self._problems, _SCRIPT_KEYS)
        self._raw = self._transport(head, False)
        variables = {key: found for path, key, value in top.pairs("variables")
                     if (found := self._variable(path, key, value)) is not None}  # fmt: skip
        steps = self._steps(top, 0)
        if not steps and not self._problems and not self._problems.included:
            self._problems.add((), "the script has no step", "begin one with [[step]]")
        script = Script(
            name=name,
            place=self._problems.place(()),
            title=head.text("title") or name,
            steps=steps,
            variables={**self._included, **variables},
            requires=self._conditions(head, "requires"),
            reset=head.flag("reset", True),
            timeout=head.seconds("timeout"),
            stop_on_failure=self._stops(head),
            places={
                **self._included_places,
                **{key: self._problems.place(path) for path, key, _ in top.pairs("variables")},
            },
        )
        self._problems.check()
        return script

    def _variable(self, path: Path, name: str, value: object) -> VariableSource | None:
        check_name(self._problems, path, name)
        if isinstance(value, str):
            return parse_text(self._problems, path, value, Template.parse)
        table = Table(value, path, self._problems, ("env", "form", "secret", "default", "text", "random"))
        if "text" in table:
            return Template.parse(table.text("text").encode().hex())
        if "random" in table:
            return RandomBytes(table.whole("random", 1, 4096, 1))
        if "env" not in table:
            self._problems.add(path, f"variable {name!r} has no value", "hex text, or a table with env, text or random")
            return None
        form = table.text("form", Form.HEX)
        if form not in list(Form):
            self._problems.add((*path, "form"), f"there is no form {form!r}", "hex, text or pin")
            form = Form.HEX
        default = table.text("default") if "default" in table else None
        return FromEnvironment(table.text("env"), Form(form), table.flag("secret", True), default)

    def _steps(self, table: Table, depth: int) -> tuple[Step, ...]:
        listed = table.data.get("step", [])
        path = (*table.path, "step")
        if not isinstance(listed, list):
            self._problems.add(path, "step is a list of tables", "write [[step]]")
            return ()
        if depth > _DEEPEST:
            self._problems.add(path, f"steps nested deeper than {_DEEPEST}")
            return ()
        read = (self._step(item, (*path, index), depth) for index, item in enumerate(listed))
        return tuple(step for step in read if step is not None)

    def _step(self, data: object, path: Path, depth: int) -> Step | None:
        table = Table(data, path, self._problems, (*_HEAD_KEYS, *_APDU_KEYS, *_OTHER_KEYS))
        kinds = [kind for kind in _KINDS if kind in table]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none"
            self._problems.add(path, f"a step has exactly one of {', '.join(_KINDS)}; found: {found}")
            return None
        self._check_keys(table, kinds[0])
        head = self._head(table, kinds[0])
        match kinds[0]:
            case "apdu":
                return self._apdu(table, head)
            case "reset":
                return ResetStep(head, table.parse("atr", Pattern.parse))
            case "compute":
                return ComputeStep(head, self._assignments(table))
            case "include":
                return self._included_steps(table, head)
            case _:
                return GroupStep(head, self._steps(table, depth + 1))

    def _check_keys(self, table: Table, kind: str) -> None:
        if kind == "apdu":
            return
        for key in table.data:
            if key in _APDU_KEYS or (key == "atr" and kind != "reset"):
                self._problems.add((*table.path, key), f"{key} does not go with {kind}")

    def _head(self, table: Table, kind: str) -> StepHead:
        default = {"apdu": "", "include": table.text("include") if kind == "include" else ""}.get(kind, kind)
        return StepHead(
            name=table.text("name") or default,
            place=self._problems.place(table.path),
            clause=table.text("clause"),
            when=self._conditions(table, "when"),
            destructive=table.flag("destructive"),
            loop=self._loop(table),
            stop_on_failure=self._stops(table),
            places=self._key_places(table),
        )

    def _key_places(self, table: Table) -> dict[str, Place]:
        """Return where the keys that may name variables stand."""
        places: dict[str, Place] = {}
        for key in _PLACED & table.data.keys():
            path, value = (*table.path, key), table.data[key]
            places[key] = self._problems.place(path)
            if isinstance(value, dict):
                places |= {f"{key}.{inner}": self._problems.place((*path, inner)) for inner in value}
        return places

    def _loop(self, table: Table) -> Loop | None:
        if "repeat" in table:
            return Loop("", range(table.whole("repeat", 1, MOST_ROUNDS, 1)))
        if "for" not in table:
            return None
        path = (*table.path, "for")
        inner = Table(table.data["for"], path, self._problems, ("variable", "in", "from", "to", "size"))
        variable = inner.text("variable")
        check_name(self._problems, (*path, "variable"), variable)
        if "in" in inner:
            values = [parse_text(self._problems, at, text, Template.parse) for at, text in inner.texts("in")]
            return Loop(variable, tuple(value for value in values if value is not None))
        size = inner.whole("size", 1, 8, 1)
        first, last = inner.whole("from", 0, 1 << 32), inner.whole("to", 0, 1 << 32)
        if not 0 <= last - first < MOST_ROUNDS or last >= 1 << 8 * size:
            self._problems.add(
                path,
                "the loop goes nowhere or too far",
                f"from <= to, at most {MOST_ROUNDS} rounds, numbers that fit {size} bytes",
            )
        return Loop(variable, range(first, last + 1), size)

    def _apdu(self, table: Table, head: StepHead) -> ApduStep | None:
        command = table.parse("apdu", Template.parse)
        until = read_until(table, MOST_ROUNDS)
        expect = read_expectation(table, until)
        captures = read_captures(table)
        if command is None:
            return None
        return ApduStep(
            head=head,
            command=command,
            expect=expect,
            captures=captures,
            timeout=table.seconds("timeout"),
            raw=self._transport(table, self._raw),
            until=until,
        )

    def _assignments(self, table: Table) -> tuple[tuple[str, Call | Template], ...]:
        read: list[tuple[str, Call | Template]] = []
        for path, name, value in table.pairs("compute"):
            check_name(self._problems, path, name)
            parser: Callable[[str], Call | Template] = (
                Call.parse if isinstance(value, str) and re.match(rf"\s*{NAME}\s*\(", value) else Template.parse
            )
            found = parse_text(self._problems, path, value, parser)
            if found is not None:
                read.append((name, found))
        return tuple(read)

    def _included_steps(self, table: Table, head: StepHead) -> GroupStep | None:
        try:
            script = self._include(table.text("include"), head.place)
        except ScriptError as error:
            self._problems.included.extend(error.problems)
            return None
        for name, source in script.variables.items():
            self._included.setdefault(name, source)
            self._included_places.setdefault(name, script.places[name])
        return GroupStep(head, script.steps)

    def _conditions(self, table: Table, key: str) -> tuple[Condition, ...]:
        read = (parse_text(self._problems, path, text, Condition.parse) for path, text in table.texts(key))
        return tuple(condition for condition in read if condition is not None)

    def _transport(self, table: Table, default: bool) -> bool:
        word = table.text("transport", "raw" if default else "client")
        if word not in ("raw", "client"):
            self._problems.add((*table.path, "transport"), f"there is no transport {word!r}", "client or raw")
        return word == "raw"

    def _stops(self, table: Table) -> bool:
        word = table.text("on_failure", "continue")
        if word not in ("continue", "stop"):
            self._problems.add((*table.path, "on_failure"), f"{word!r} is not known", "continue or stop")
        return word == "stop"
