"""Sides of a comparison, made from bytes."""

from __future__ import annotations

from collections.abc import Sequence

from host_tools.compare.allow import Rules
from host_tools.compare.comparison import compare_runs
from host_tools.compare.model import Comparison, SideRun
from host_tools.compare.observe import ObservedLink
from host_tools.links.base import LinkError, ReaderGone, TransmissionProtocol

Steps = Sequence[tuple[str, Sequence[tuple[str, str]]]]
"""Name of each step, and its commands and answers in hex; an answer `gone` loses the reader."""


class ScriptedLink:
    """Answers each command with what comes next."""

    def __init__(self, name: str, answers: Sequence[str], atr: str = "3B00") -> None:
        self.name = name
        self.atr = bytes.fromhex(atr)
        self.protocol = TransmissionProtocol.T1
        self._answers = iter(answers)

    def transmit(self, apdu: bytes) -> bytes:
        del apdu
        answer = next(self._answers)
        if answer == "gone":
            raise ReaderGone(f"The card in reader “{self.name}” vanished.")
        return bytes.fromhex(answer)

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def side(name: str, steps: Steps, atr: str = "3B00") -> SideRun:
    """Return a side on which these steps were done."""
    link = ObservedLink(ScriptedLink(name, [answer for _, sent in steps for _, answer in sent], atr))
    for step, sent in steps:
        problem = ""
        for command, _ in sent:
            try:
                link.transmit(bytes.fromhex(command))
            except LinkError as error:
                problem = str(error)
        link.end_step(step, "TS 102 221 11.1", "", problem)
    return link.finish()


def compared(a: Steps, b: Steps, rules: Rules | None = None) -> Comparison:
    """Return the comparison of two sides."""
    return compare_runs(side("A", a), side("B", b), rules or Rules())


def one(command: str, a: str, b: str, rules: Rules | None = None) -> list[tuple[str, str, str, str]]:
    """Return kind, place and both sides of every difference in the answers to one command."""
    comparison = compared([("step", [(command, a)])], [("step", [(command, b)])], rules)
    return [(found.kind.value, found.where, found.a, found.b) for found in comparison.differences]
