"""The conformance suite against the emulator in this process: it passes here, and it notices a card that is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from card.profile.bcast import BcastProfile, TableSet
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import Source
from host_tools.apdu.client import ApduClient
from host_tools.links.base import Link, TransmissionProtocol
from host_tools.links.inprocess import InProcessLink
from host_tools.script.lint import lint_script
from host_tools.script.load import load_script, shipped_suites
from host_tools.script.model import ComputeStep, GroupStep
from host_tools.script.results import Status, StepResult
from host_tools.script.runner import Runner, RunOptions
from host_tools.script.values import Value
from host_tools.script.walk import walk_steps
from host_tools.terminal.audit import Auditor
from host_tools.terminal.usim import Usim
from tests.unit.host_tools.script.fakes import ICCID, OPC, PIN, K, demo_link

SUITES = shipped_suites()
CSIM_ICCID = "8900101000000000035"
KEYS = {
    "pin": Value(PIN.ljust(8, b"\xff"), secret=True),
    "k": Value(bytes.fromhex(K), secret=True),
    "opc": Value(bytes.fromhex(OPC), secret=True),
    "rk": Value(bytes.fromhex("b0a1c2d3e4f5061728394a5b6c7d8e9f"), secret=True),
    "parental_pin": Value(b"2468\xff\xff\xff\xff", secret=True),
}
OPTIONS = RunOptions(pin=Secret(PIN), variables=KEYS, destructive=True, allowed_iccids=frozenset({ICCID, CSIM_ICCID}))


def card_for(suite: str) -> InProcessLink:
    """Return a link to the demo card that a suite is about."""
    return demo_link("csim" if suite == "csim" else "usim")


def run(suite: str, link: Link, options: RunOptions = OPTIONS) -> list[StepResult]:
    return list(Runner(link, options).run(load_script(SUITES[suite])))


def other_tables(name: str) -> InProcessLink:
    """Return a link to a demo card on the second set of tables."""
    profile = replace(CardProfile.demo(name), bcast=BcastProfile(table_set=TableSet.X2))
    return InProcessLink(memory_card(profile))


@pytest.mark.norm("72")
@pytest.mark.parametrize("suite", SUITES)
def test_suite_passes_on_the_demo_card(suite: str) -> None:
    results = run(suite, card_for(suite))
    assert [result.explanation for result in results if result.status in (Status.FAILED, Status.ERROR)] == []
    assert sum(result.status is Status.PASSED for result in results) >= 7


@pytest.mark.parametrize("suite", SUITES)
def test_a_second_run_on_the_same_card_passes_too(suite: str) -> None:
    link = card_for(suite)
    run(suite, link)
    assert [item.explanation for item in run(suite, link) if item.status in (Status.FAILED, Status.ERROR)] == []


@pytest.mark.parametrize("suite", ["bcast", "csim"])
def test_the_bcast_steps_take_their_numbers_from_the_tables(suite: str) -> None:
    """No number is written out: a card on quite another set passes when the script is told its name."""
    link = other_tables("csim" if suite == "csim" else "usim")
    told = replace(OPTIONS, variables={**KEYS, "tables": Value(b"X2")})
    results = run(suite, link, told)
    assert [item.explanation for item in results if item.status in (Status.FAILED, Status.ERROR)] == []
    assert sum(item.status is Status.PASSED for item in results) > 70
    untold = run(suite, link)
    assert Status.FAILED in {item.status for item in untold}


def test_the_bcast_suite_leaves_no_key_no_recording_and_no_credit() -> None:
    link = demo_link()
    run("bcast", link)
    usim = Usim(ApduClient(link), P1)
    usim.select_application(bytes.fromhex("A0000000871002"))
    usim.verify_pin(Secret(PIN))
    auditor = Auditor(usim)
    assert (auditor.key_groups(), auditor.recordings()) == ((), ())


def test_the_bcast_suite_has_every_kind_of_policy() -> None:
    calls = [
        str(expression)
        for step in walk_steps(load_script(SUITES["bcast"]).steps)
        if isinstance(step, ComputeStep)
        for _, expression in step.assignments
    ]
    default = {row.name for row in P1.spe if row.source is not Source.SERVICE}
    assert [name for name in default if not any(name in call for call in calls)] == []


@pytest.mark.parametrize(("suite", "reached"), [("mbms", "MSK update"), ("bcast", "As many tokens as a purse holds")])
def test_a_run_that_was_cut_short_is_tidied_up_by_the_next(suite: str, reached: str) -> None:
    link = demo_link()
    for result in Runner(link, OPTIONS).run(load_script(SUITES[suite])):
        if result.name == reached:
            break
    assert [item.explanation for item in run(suite, link) if item.status in (Status.FAILED, Status.ERROR)] == []


@pytest.mark.parametrize(
    ("suite", "last"), [("mbms", "MUK deletion"), ("bcast", "MUK deletion"), ("csim", "MSK deletion")]
)
def test_a_failure_in_the_middle_does_not_keep_the_keys_from_being_deleted(suite: str, last: str) -> None:
    link = Broken("00898085..53..02", "6F00", suite)
    results = run(suite, link)
    assert Status.FAILED in {result.status for result in results}
    assert [result.status for result in results if result.name == last] == [Status.PASSED]


class Listening:
    """A demo card that notes what would change it."""

    _CHANGING = (0xD6, 0xDC, 0x32, 0x04, 0x44, 0xDB, 0x24, 0x26, 0x28, 0x2C, 0xE6, 0xE8, 0xFE)
    _KEY_MESSAGES = (0x58, 0x89)

    def __init__(self, suite: str = "usim") -> None:
        self._link = card_for(suite)
        self.name, self.protocol = "listening", TransmissionProtocol.DIRECT
        self.accepted: list[str] = []

    @property
    def atr(self) -> bytes:
        return self._link.atr

    def transmit(self, apdu: bytes) -> bytes:
        answer = self._link.transmit(apdu)
        if apdu[1] in self._CHANGING and len(apdu) > 5 and answer[-2:] == b"\x90\x00":
            self.accepted.append(apdu.hex())
        if apdu[1] in self._KEY_MESSAGES and answer[-2:] in (b"\x90\x00", b"\x62\xf3"):
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
    link = Listening(suite)
    run(suite, link, RunOptions(pin=OPTIONS.pin, variables=OPTIONS.variables))
    assert link.accepted == []


class Broken(Listening):
    """A demo card one answer of which is spoilt."""

    def __init__(self, command: str, answer: str, suite: str) -> None:
        super().__init__(suite)
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
        ("isim", "00880084..DE", "DB20" + "00" * 32 + "9000"),
        ("mbms", "0089808504530A0201", "9000"),
        ("mbms", "00898085..53..02", "9000"),
        ("mbms", "00A20104", "01" + "9000"),
        ("mbms", "00B2..0400", "99F999" + "00" * 17 + "9000"),
        ("bcast", "001B807F", "9000"),
        ("bcast", "00898085..5381..01", "9000"),
        ("bcast", "001B8001..73", "6A88"),
        ("bcast", "0020008208", "9000"),
        ("csim", "80580400", "9404"),
    ],
)
def test_suite_notices_a_wrong_answer(suite: str, command: str, answer: str) -> None:
    link = Broken(command, answer, suite)
    assert Status.FAILED in {result.status for result in run(suite, link)}


@pytest.mark.parametrize("suite", SUITES)
def test_every_step_has_a_name_and_cites_its_clause(suite: str) -> None:
    steps = [step for step in walk_steps(load_script(SUITES[suite]).steps) if not isinstance(step, GroupStep)]
    assert [str(step.head.place) for step in steps if not step.head.name or not step.head.clause] == []


@pytest.mark.norm("73")
@pytest.mark.parametrize("suite", SUITES)
def test_no_step_cites_a_clause_that_is_void(suite: str) -> None:
    """TS 31.102 clause 7.1.1.7 is void: Release 6 numbered the clauses behind it one lower."""
    cited = {step.head.clause for step in walk_steps(load_script(SUITES[suite]).steps)}
    assert [clause for clause in cited if re.search(r"7\.1\.1\.7\b", clause)] == []


@pytest.mark.parametrize("suite", ["bcast", "csim"])
def test_what_is_provisional_names_the_page_that_says_so(suite: str) -> None:
    steps = [step for step in walk_steps(load_script(SUITES[suite]).steps) if "provisional" in step.head.clause]
    assert len(steps) > 20
    pages = {page for step in steps for page in re.findall(r"docs/spec/[a-z-]+\.md", step.head.clause)}
    assert all(Path(page).is_file() for page in pages)
    assert [step.head.clause for step in steps if "docs/spec/" not in step.head.clause] == []


@pytest.mark.parametrize("suite", SUITES)
def test_lint_has_no_remark(suite: str) -> None:
    assert [str(problem) for problem in lint_script(load_script(SUITES[suite]))] == []


def test_results_name_the_files_of_the_suite() -> None:
    (first, *_) = run("uicc", demo_link())
    assert Path(first.place.file).name == "uicc.toml"
