"""Writes scripts in TOML, from a live session, a trace or a list of commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from card.disk.toml import quoted
from card.spec.status import SW
from host_tools.script.model import ApduStep, ResetStep, Script
from host_tools.script.repeatable import RANDOM_ANSWERS, PinVariable, condition, obstacle, pin_variable
from host_tools.script.safety import WRITING
from host_tools.script.walk import may_change_card
from host_tools.trace.asked import Attribution
from host_tools.trace.commands import describe_command
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent
from host_tools.trace.printable import printable


class ScriptWriter:
    """A trace sink that writes a script which does the same again and expects the same answers.

    A PIN becomes a variable. Secret and random parts of an answer may be anything of the same length. With
    `expect_data` the other data are expected too, else only status word and length. What cannot be done again is left
    out, and what comes out the same on some cards only is marked, each with a comment that says why.
    """

    def __init__(self, file: IO[str], title: str, *, expect_data: bool = True) -> None:
        self._file = file
        self._expect_data = expect_data
        self._file.write(f'[script]\ntitle = {quoted(title)}\ntransport = "raw"\nreset = true\n')
        self._steps = 0
        self._declared: set[PinVariable] = set()
        self._attribution = Attribution()

    def emit(self, event: TraceEvent) -> None:
        """Write one step. The first switching on is what a run begins with anyway."""
        if isinstance(event, CardEvent):
            if self._steps and event.atr:
                self._write([("name", quoted(event.what)), ("reset", "true")])
            return
        asked = self._attribution.asked(event)
        why_not = obstacle(event) or ("it belongs to what was left out" if obstacle(asked) else "")
        if why_not:
            self._comment(f"left out: {_name(event)}: {why_not}")
            return
        variable = pin_variable(event) if event.hidden_command else None
        if variable is not None:
            self._declare(variable)
        self._write(list(self._exchange(event, variable, asked)), condition(event))

    @property
    def steps(self) -> int:
        """How many steps were written so far."""
        return self._steps

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._file.close()

    def _exchange(
        self, event: TracedExchange, variable: PinVariable | None, asked: TracedExchange
    ) -> Iterator[tuple[str, str]]:
        yield "name", quoted(_name(event))
        yield "apdu", quoted(_command_text(event, variable))
        yield "sw", quoted(f"{event.sw:04X}")
        if len(event.command) > 1 and event.command[1] in WRITING and event.sw == SW.OK:
            yield "destructive", "true"
        yield self._expectation(event, asked)

    def _expectation(self, event: TracedExchange, asked: TracedExchange) -> tuple[str, str]:
        """Return what the data must be; of random and of wholly secret data only the length counts."""
        hidden = sum(end - start for start, end in event.hidden_response)
        is_random = len(asked.command) > 1 and asked.command[1] in RANDOM_ANSWERS
        if not self._expect_data or is_random or 0 < hidden >= len(event.data):
            return "length", str(len(event.data))
        digits = event.data.hex().upper()
        for start, end in event.hidden_response:
            digits = digits[: 2 * start] + "?" * 2 * (end - start) + digits[2 * end :]
        return "data", quoted(digits)

    def _declare(self, variable: PinVariable) -> None:
        if variable not in self._declared:
            self._declared.add(variable)
            self._file.write(f'\n[variables.{variable.name}]\nenv = "{variable.environment}"\nform = "pin"\n')

    def _comment(self, text: str) -> None:
        self._file.write(f"\n# {printable(text)}\n")

    def _write(self, pairs: list[tuple[str, str]], remark: str = "") -> None:
        self._steps += 1
        if remark:
            self._comment(remark)
        head = "[[step]]\n" if remark else "\n[[step]]\n"
        self._file.write(head + "".join(f"{key} = {value}\n" for key, value in pairs))


def _name(event: TracedExchange) -> str:
    return describe_command(event.command) + (f" [{event.file}]" if event.file else "")


def _command_text(event: TracedExchange, variable: PinVariable | None) -> str:
    """Return the command in hex, the PIN as a variable."""
    text = event.command.hex().upper()
    if variable is None:
        return _spaced(text)
    start, end = event.hidden_command[0]
    return f"{_spaced(text[: 2 * start])} {{{variable.name}}}{text[2 * end :]}"


def _spaced(text: str) -> str:
    return f"{text[:8]} {text[8:10]} {text[10:]}".strip()


def script_as_toml(script: Script) -> Iterator[str]:
    """Yield the lines of an imported script (one command per line) in TOML."""
    yield f"[script]\ntitle = {quoted(script.title)}\nreset = {str(script.reset).lower()}"
    for step in script.steps:
        lines = [f"name = {quoted(step.head.name)}"]
        match step:
            case ApduStep(command=command, expect=expect):
                lines += [f"apdu = {quoted(_spaced(command.text))}", f"sw = {quoted(expect.sw.text)}"]
                if expect.data is not None:
                    lines.append(f"data = {quoted(expect.data.text)}")
                if expect.length is not None:
                    lines.append(f"length = {expect.length.start}")
                if may_change_card(step):
                    lines.append("destructive = true")
                if step.raw:
                    lines.append('transport = "raw"')
            case ResetStep():
                lines.append("reset = true")
            case _:
                continue
        yield "\n[[step]]\n" + "\n".join(lines)
