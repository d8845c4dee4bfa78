"""The conformance suite against the emulator in this process: it passes here, and it notices a card that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from card.crypto.secret import Secret
from host_tools.links.base import Link, TransmissionProtocol
from host_tools.script.lint import lint_script
from host_tools.script.load import load_script, shipped_suites
from host_tools.script.model import ApduStep
from host_tools.script.results import Status, StepResult
from host_tools.script.runner import Runner, RunOptions
from host_tools.script.values import Value
from host_tools.script.walk import walk_steps
from tests.unit.host_tools.script.fakes import ICCID, OPC, PIN, K, demo_link

SUITES = shipped_suites()
CSIM_ICCID = "8900101000000000035"
OPTIONS = RunOptions(
    pin=Secret(PIN),
    variables={
        "pin": Value(PIN.ljust(8, b"\xff"), secret=True),
        "k": Value(bytes.fromhex(K), secret=True),
        "opc": Value(bytes.fromhex(OPC), secret=True),
    },
    destructive=True,
    allowed_iccids=frozenset({ICCID, CSIM_ICCID}),
)


def run(suite: str, link: Link, options: RunOptions = OPTIONS) -> list[StepResult]:
    return list(Runner(link, options).run(load_script(SUITES[suite])))


@pytest.mark.parametrize("suite", SUITES)
def test_suite_passes_on_the_demo_card(suite: str) -> None:
    results = run(suite, demo_link("csim" if suite == "csim" else "usim"))
    assert [result.explanation for result in results if result.status in (Status.FAILED, Status.ERROR)] == []
    assert sum(result.status is Status.PASSED for result in results) >= 7


@pytest.mark.parametrize("suite", SUITES)
def test_a_second_run_on_the_same_card_passes_too(suite: str) -> None:
    link = demo_link("csim" if suite == "csim" else "usim")
    run(suite, link)
    assert [item.explanation for item in run(suite, link) if item.status in (Status.FAILED, Status.ERROR)] == []


class Listening:
    """A demo card that notes what would change it."""

    _CHANGING = (0xD6, 0xDC, 0x32, 0x04, 0x44, 0xDB, 0x24, 0x26, 0x28, 0x2C, 0xE6, 0xE8, 0xFE)

    def __init__(self) -> None:
        self._link = demo_link()
        self.name, self.protocol = "listening", TransmissionProtocol.DIRECT
        self.accepted: list[str] = []

    @property
    def atr(self) -> bytes:
        return self._link.atr

    def transmit(self, apdu: bytes) -> bytes:
        answer = self._link.transmit(apdu)
        if apdu[1] in self._CHANGING and len(apdu) > 5 and answer[-2:] == b"\x90\x00":
            self.accepted.append(apdu.hex())
        if apdu[1] == 0x20 and answer[:1] == b"\x63" and len(apdu) > 5:
            self.accepted.append("wrong PIN")
        return answer

    def reset(self) -> bytes:
        return self._link.reset()

    def close(self) -> None:
        self._link.close()


@pytest.mark.parametrize("suite", SUITES)
def test_without_leave_a_suite_changes_nothing(suite: str) -> None:
    link = Listening()
    run(suite, link, RunOptions(pin=OPTIONS.pin, variables=OPTIONS.variables))
    assert link.accepted == []


class Broken(Listening):
    """A demo card one answer of which is spoilt."""

    def __init__(self, command: str, answer: str) -> None:
        super().__init__()
        self._command, self._answer = command, answer

    def transmit(self, apdu: bytes) -> bytes:
        return bytes.fromhex(self._answer) if re.match(self._command, apdu.hex().upper()) else super().transmit(apdu)


@pytest.mark.parametrize(
    ("suite", "command", "answer"),
    [
        ("uicc", "00A4000402" + "6FFE", "9000"),
        ("uicc", "00D6", "9000"),
        ("channels", "0070800[1-3]", "6D00"),
        ("pin", "00B0870009", "00000000000000000090" + "00"),
        ("usim", "00A40004026F07", "6A82"),
        ("authenticate", "0088008122", "9000"),
        ("gba", "0088008423DD", "9862"),
        ("mbms", "0089808504530A0201", "9000"),
        ("mbms", "00898085..53..02", "9000"),
        ("bcast", "001B807F", "9000"),
    ],
)
def test_suite_notices_a_wrong_answer(suite: str, command: str, answer: str) -> None:
    assert Status.FAILED in {result.status for result in run(suite, Broken(command, answer))}


@pytest.mark.parametrize("suite", SUITES)
def test_every_command_cites_its_clause_but_for_repeated_set_up(suite: str) -> None:
    steps = [step for step in walk_steps(load_script(SUITES[suite]).steps) if isinstance(step, ApduStep)]
    assert [step.head.name for step in steps if not step.head.clause and "again" not in step.head.name] == []
    assert [step.head.place.line for step in steps if not step.head.name] == []


@pytest.mark.parametrize("suite", SUITES)
def test_lint_has_no_remark(suite: str) -> None:
    assert [str(problem) for problem in lint_script(load_script(SUITES[suite]))] == []


def test_results_name_the_files_of_the_suite() -> None:
    (first, *_) = run("uicc", demo_link())
    assert Path(first.place.file).name == "uicc.toml"
