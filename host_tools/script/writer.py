"""Writes scripts: TOML from a live session or a trace, and `.scriptor` files from a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO

from host_tools.script.errors import ExpressionError
from host_tools.script.model import ApduStep, ComputeStep, GroupStep, Loop, ResetStep, Script, Step
from host_tools.script.safety import PIN_COMMANDS, WRITING
from host_tools.script.template import Template
from host_tools.script.values import FromEnvironment, RandomBytes, Scope, Value
from host_tools.script.walk import walk_steps
from host_tools.trace.commands import describe_command
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent

PIN_VARIABLE = "BCAST_UICC_PIN"
_MOST_LINES = 100_000


class ScriptWriter:
    """A trace sink that writes a script which does the same again and expects the same answers.

    Secret data of commands become the variable `pin`, secret answers may be anything of the same length. With
    `expect_data` the answers' data are expected too, else only status word and length.
    """

    def __init__(self, file: IO[str], title: str, *, expect_data: bool = True) -> None:
        self._file = file
        self._expect_data = expect_data
        self._file.write(f'[script]\ntitle = {_quoted(title)}\ntransport = "raw"\nreset = true\n')
        self._file.write(f'\n[variables]\npin = {{ env = "{PIN_VARIABLE}", form = "pin" }}\n')
        self._steps = 0

    def emit(self, event: TraceEvent) -> None:
        """Write one step. The first switching on is what a run begins with anyway."""
        if isinstance(event, CardEvent):
            if self._steps and event.atr:
                self._write([("name", _quoted(event.what)), ("reset", "true")])
            return
        if event.error:
            self._file.write(f"\n# {' '.join(event.error.split())}\n")
            return
        self._write(list(self._exchange(event)))

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._file.close()

    def _exchange(self, event: TracedExchange) -> Iterator[tuple[str, str]]:
        place = f" [{event.file}]" if event.file else ""
        yield "name", _quoted(describe_command(event.command) + place)
        yield "apdu", _quoted(_command_text(event))
        yield "sw", _quoted(f"{event.sw or 0:04X}")
        if len(event.command) > 1 and event.command[1] in WRITING and event.sw == 0x9000:
            yield "destructive", "true"
        if event.hidden_response or not self._expect_data:
            yield "length", str(len(event.data))
        else:
            yield "data", _quoted(event.data.hex().upper())

    def _write(self, pairs: list[tuple[str, str]]) -> None:
        self._steps += 1
        self._file.write("\n[[step]]\n" + "".join(f"{key} = {value}\n" for key, value in pairs))


def _command_text(event: TracedExchange) -> str:
    """Return the command in hex, the PIN as a variable."""
    text = event.command.hex().upper()
    if not event.hidden_command:
        return _spaced(text)
    start, end = event.hidden_command[0]
    is_pin = len(event.command) > 1 and event.command[1] in PIN_COMMANDS and end - start == 8
    if not is_pin:
        # Two PINs in one command, or a key: nothing that one variable could stand for.
        return _spaced(text[: 2 * start]) + " " + "00" * (end - start)
    return f"{_spaced(text[: 2 * start])} {{pin}}{text[2 * end :]}"


def _spaced(text: str) -> str:
    return f"{text[:8]} {text[8:10]} {text[10:]}".strip()


def script_as_toml(script: Script) -> Iterator[str]:
    """Yield the lines of an imported script (one command per line) in TOML."""
    yield f"[script]\ntitle = {_quoted(script.title)}\nreset = {str(script.reset).lower()}"
    for step in script.steps:
        lines = [f"name = {_quoted(step.head.name)}"]
        match step:
            case ApduStep(command=command, expect=expect):
                lines += [f"apdu = {_quoted(_spaced(command.text))}", f"sw = {_quoted(expect.sw.text)}"]
                if expect.data is not None:
                    lines.append(f"data = {_quoted(expect.data.text)}")
                if step.raw:
                    lines.append('transport = "raw"')
            case ResetStep():
                lines.append("reset = true")
            case _:
                continue
        yield "\n[[step]]\n" + "\n".join(lines)


def script_as_scriptor(script: Script) -> Iterator[str]:
    """Yield the lines of a `.scriptor` file: loops unrolled, expectations as comments.

    What only a card or the environment can tell cannot be written down: such steps are left out, with a comment.
    """
    exporter = _Exporter(script)
    yield f"# {script.title}"
    for count, line in enumerate(exporter.steps(script.steps)):
        if count >= _MOST_LINES:
            yield f"# left out: more than {_MOST_LINES} lines"
            return
        yield line


class _Exporter:
    def __init__(self, script: Script) -> None:
        self._scope = Scope()
        for name, source in script.variables.items():
            self._set_first(name, source)
        for step in walk_steps(script.steps):
            for capture in step.captures if isinstance(step, ApduStep) else ():
                self._scope.miss(capture.variable, "it is captured from an answer")

    def _set_first(self, name: str, source: object) -> None:
        match source:
            case Template():
                try:
                    self._scope.set(name, source.expand(self._scope))
                except ExpressionError as error:
                    self._scope.miss(name, str(error))
            case FromEnvironment(variable=variable):
                self._scope.miss(name, f"it comes from the environment variable {variable}")
            case RandomBytes(size=size):
                self._scope.set(name, self._scope.random_bytes(size))

    def steps(self, steps: tuple[Step, ...]) -> Iterator[str]:
        for step in steps:
            for _ in self._rounds(step.head.loop):
                yield from self._step(step)

    def _rounds(self, loop: Loop | None) -> Iterator[None]:
        for item in loop.values if loop else (0,):
            if loop and loop.variable:
                data = item.to_bytes(loop.size, "big") if isinstance(item, int) else item.expand(self._scope).data
                self._scope.set(loop.variable, Value(data))
            yield

    def _step(self, step: Step) -> Iterator[str]:
        match step:
            case GroupStep(steps=inner):
                yield from self.steps(inner)
            case ResetStep():
                yield "reset"
            case ComputeStep(assignments=assignments):
                self._compute(assignments)
            case ApduStep():
                yield from self._apdu(step)

    def _compute(self, assignments: tuple[tuple[str, object], ...]) -> None:
        for name, expression in assignments:
            if not isinstance(expression, Template):
                self._scope.miss(name, "it is computed when the script runs")
                continue
            try:
                self._scope.set(name, expression.expand(self._scope))
            except ExpressionError as error:
                self._scope.miss(name, str(error))

    def _apdu(self, step: ApduStep) -> Iterator[str]:
        try:
            value = step.command.expand(self._scope)
        except ExpressionError as error:
            yield f"# left out: {step.head.name}: {error}"
            return
        yield f"# {step.head.name} = {step.expect.sw.text}"
        yield value.data.hex(" ").upper()


def _quoted(text: str) -> str:
    """Return text as a TOML basic string: JSON's escapes are TOML's too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
