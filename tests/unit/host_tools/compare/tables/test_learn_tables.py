"""OMA BCAST tables are learned by having the emulator do what the card was seen to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from card import Card, CardProfile, memory_card
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.bcast.x2 import X2
from card.spec.ins import INS
from card.spec.refs import Confidence
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.compare.allow import default_rules
from host_tools.compare.comparison import compare_runs
from host_tools.compare.evidence import Evidence, ScriptEvidence, TraceEvidence
from host_tools.compare.explore import explore
from host_tools.compare.model import Pair
from host_tools.compare.play import play_scripts
from host_tools.compare.tables.as_toml import write_tables
from host_tools.compare.tables.guesses import Guess, apply_all, guess_tables
from host_tools.compare.tables.learner import LearnedTables, TableLearner
from host_tools.compare.tables.words import describe_learned
from host_tools.links.base import Link
from host_tools.links.inprocess import InProcessLink
from host_tools.realism.faulty import FaultyCard
from host_tools.realism.plan import Fault, FaultKind, Injector
from host_tools.script.load import find_scripts, load_script
from host_tools.script.runner import RunOptions
from host_tools.script.values import Value
from host_tools.sessions.errors import SessionError
from host_tools.sessions.learn import Lesson
from host_tools.trace.events import TracedExchange
from host_tools.trace.jsonl import encode_event
from tests.unit.host_tools.compare.lessons import DEMO, PIN, lesson, trace_of, with_tables
from tests.unit.host_tools.compare.sides import side

PROFILE = CardProfile.demo()
KEYS = [PROFILE.usim.k.reveal().hex(), PROFILE.usim.derive_opc().reveal().hex()]
STRANGER = DEMO.replace("465b5ce8 b199b49f aa5f0a2e e238a6bc", "00" * 16)
MODES = """
[script]
title = "Modes"
[[step]]
name = "USIM"
apdu = "00A40404 07 A0000000871002 00"
[[step]]
name = "PIN"
apdu = "00200001 08 31323334FFFFFFFF"
"""


def emulate(text: str) -> tuple[Link, Secret]:
    return InProcessLink(memory_card(CardProfile.parse(text, "trial"))), PIN


def learn(*evidence: Evidence, profile: str = DEMO) -> LearnedTables:
    return TableLearner(profile, evidence, emulate, default_rules()).learn()


def fits(bcast: str, *evidence: Evidence) -> bool:
    """Tell whether a card made from the demo profile and these tables does all that was seen."""
    for item in evidence:
        link, pin = emulate(DEMO + bcast)
        if not all(pair.is_allowed for pair in compare_runs(item.seen, item.again(link, pin), default_rules()).pairs):
            return False
    return True


@pytest.mark.parametrize(
    ("overrides", "scenario"),
    [
        ("[bcast.tables.answers]\nno_credit = 0x42\n", "pay_per_time"),
        ("[bcast.tables.answers]\nno_credit = 0x6985\n", "pay_per_time"),
        ("[bcast.tables.answers]\ndone = 0x5A\n", "subscribe"),
        ("[bcast.tables.answers]\nparental_pin_needed = 0x33\n", "parental"),
        ("[bcast.tables.response_tags]\nstatus = 0x90\ntek = 0x9A\nsalt = 0x9B\n", "pay_per_time"),
        ("[bcast.tables.response_tags]\nprotection_after_reception = 0\n", "pay_per_time"),
        ("[bcast.tables.audit_tags]\nspe = 0x96\nlive_ppt = 0x9C\nkey_domain = 0xC1\n", "pay_per_time"),
        ("[bcast.tables.audit_tags]\nkey_group_description = 0xB1\nuser_purse = 0x98\n", "pay_per_view"),
        ("[bcast.tables]\npin_reference = 0x84\n", "parental"),
    ],
)
def test_overrides_are_learned_from_a_trace(overrides: str, scenario: str) -> None:
    card = with_tables("\n" + overrides)
    evidence = lesson(card, scenario)
    assert not fits("", *evidence)
    learned = learn(*evidence)
    assert learned.last.tables == card.bcast.build_tables()
    assert fits(learned.toml(), *evidence)


def test_another_set_that_ships_is_found() -> None:
    evidence = lesson(with_tables('\n[bcast]\ntable_set = "X2"\n'), "pay_per_time", "counted_playback")
    learned = learn(*evidence)
    assert (learned.base, learned.last.tables, learned.last.cost) == (X2, X2, 0)
    assert fits(learned.toml(), *evidence)


def test_overrides_of_another_set_are_found() -> None:
    card = with_tables('\n[bcast]\ntable_set = "X2"\n[bcast.tables.answers]\nno_credit = 0x21\n')
    learned = learn(*lesson(card, "pay_per_time"))
    assert learned.last.tables == card.bcast.build_tables()
    assert "no_credit = 0x21  # pay_per_time, part" in learned.toml()


def modes(tmp_path: Path, card: CardProfile, *sent: str) -> ScriptEvidence:
    path = tmp_path / "modes.toml"
    path.write_text(MODES + "".join(f'[[step]]\nname = "{mode}"\napdu = "001B80{mode} 02 7300"\n' for mode in sent))
    scripts, options = [load_script(path)], RunOptions(pin=PIN)
    return ScriptEvidence(scripts, options, play_scripts(InProcessLink(memory_card(card)), scripts, options))


def test_a_mode_is_learned_from_a_script_that_tries_it(tmp_path: Path) -> None:
    card = with_tables("\n[bcast.tables.modes]\nrecording_signalling = 0x31\n")
    evidence = modes(tmp_path, card, "01", "02", "31")
    learned = learn(evidence)
    assert learned.last.tables == card.bcast.build_tables()


def test_a_mode_that_was_not_tried_is_not_invented(tmp_path: Path) -> None:
    learned = learn(modes(tmp_path, with_tables("\n[bcast.tables.modes]\nrecording_signalling = 0x31\n"), "01", "02"))
    assert learned.last.tables == P1
    assert "# stays different (sw): Modes: 02" in list(describe_learned(learned))


def test_nothing_differs_so_nothing_is_overridden() -> None:
    learned = learn(*lesson(PROFILE, "pay_per_time"))
    assert learned.toml() == '\n[bcast]\ntable_set = "P1"\n'


class TestHonesty:
    def test_what_was_not_seen_is_said(self) -> None:
        lines = list(describe_learned(learn(*lesson(PROFILE, "pay_per_time"))))
        (answers,) = [line for line in lines if line.startswith("# not seen, so as it ships: answers:")]
        assert "no_room" in answers
        assert "no_credit" not in answers
        assert "# never to be seen in answers: layouts, priorities of policies, limits that were not reached" in lines

    def test_without_the_keys_it_learns_nothing_from_what_needs_them(self) -> None:
        assert STRANGER != DEMO
        card = with_tables("\n[bcast.tables.answers]\nno_credit = 0x42\n")
        learned = learn(*lesson(card, "pay_per_time"), profile=STRANGER)
        assert learned.last.tables == P1
        assert any("--subscriber" in line for line in describe_learned(learned))

    def test_no_key_or_pin_is_in_what_is_learned(self) -> None:
        learned = learn(*lesson(with_tables("\n[bcast.tables.answers]\ndone = 0x5A\n"), "pay_per_time"))
        told = "\n".join((learned.toml(), *describe_learned(learned), repr(learned))).lower()
        assert not [key for key in KEYS if key in told]
        assert PIN.reveal().hex() not in told

    def test_guesses_that_fit_as_well_are_told(self, tmp_path: Path) -> None:
        card = with_tables("\n[bcast.tables.modes]\nspe_audit = 0x31\nrecording_audit = 0x33\n")
        lines = list(describe_learned(learn(modes(tmp_path, card, "01", "03", "31", "33"))))
        assert any("fits no better than" in line for line in lines)


class TestTracesSentAgain:
    """What a trace hides is not in it: zeros in its place would be another command, or a PIN that is wrong."""

    WRONG_PIN, PIN2 = "00200001 08 0000000000000000", "00200081 08 0000000000000000"
    KEYS = "00D60000 05 0000000000"

    @staticmethod
    def exchange(command: str, sw: str) -> TracedExchange:
        sent = bytes.fromhex(command)
        hidden = ((5, len(sent)),) if len(sent) > 5 and sent[1] != INS.SELECT else ()
        return TracedExchange(1, 0.0, "card", sent, bytes.fromhex(sw), 0.0, hidden_command=hidden)

    def test_hidden_commands_are_left_out_and_told(self) -> None:
        steps = [
            ("00A40004 02 3F00", "6120"), ("00C0000020", "00" * 32 + "9000"), (self.WRONG_PIN, "63C2"),
            (f"00200001 08 {'00' * 8}", "9000"), (self.PIN2, "9000"), (self.KEYS, "9000"), (self.KEYS, "9000"),
        ]  # fmt: skip
        evidence = TraceEvidence.of("t", [self.exchange(command, sw) for command, sw in steps])
        link, pin = Counting(memory_card(PROFILE)), PIN
        again = evidence.again(link, pin)
        assert [sent[:4].hex() for sent in link.sent if sent[1] != INS.GET_RESPONSE] == ["00a40004", "00200001"]
        assert bytes.fromhex(self.WRONG_PIN) not in link.sent
        assert [len(step.observed) for step in evidence.seen.steps] == [len(step.observed) for step in again.steps]
        assert list(evidence.describe_left_out()) == [
            "# not sent again: VERIFY PIN 1: its secret was not recorded",
            "# not sent again: VERIFY PIN 2: its secret was not recorded",
            "# not sent again: UPDATE BINARY 5 bytes at 0, 2 times: its secret was not recorded",
        ]


class Counting(InProcessLink):
    """A card that remembers what it was sent."""

    def __init__(self, card: Card) -> None:
        super().__init__(card)
        self.sent: list[bytes] = []

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        return super().transmit(apdu)


class TestGuesses:
    def test_policies_change_their_numbers_all_at_once(self) -> None:
        changed = apply_all([Guess("spe", "0", 1), Guess("spe", "1", 0), Guess("spe", "4", -1)], P1)
        assert [row.value for row in changed.spe[:3]] == [1, 0, 2]
        assert changed.find_spe(4) is None

    def test_a_type_of_rating_may_be_turned_round(self) -> None:
        """Only types that the answers speak of are guessed at; a purse of an audit under the same tag is none."""
        held, audit = "730BAE09800107880482030403", "7308A106880400000007"
        a, b = (
            side(name, [("s", [("0089A08500", f"{data}9000"), ("001BA00100", f"{audit}9000")])])
            for name, data in (("A", held), ("B", "7305AE03800100"))
        )
        groups = guess_tables(compare_runs(a, b, default_rules()).pairs, P1)
        found = [guess for group in groups for guess in group if guess.table == "rating"]
        assert found == [Guess("rating", "3", True)]
        turned = found[0].apply(P1)
        assert turned.lower_is_stricter == (2, 3, 4, 5, 6, 8)
        assert Guess("rating", "3", False).apply(turned) == P1
        assert "lower_is_stricter = [2, 3, 4, 5, 6, 8]" in write_tables(P1, turned, {})

    def test_tables_come_back_as_they_were_written(self) -> None:
        wanted = apply_all(
            [Guess("spe", "6", 14), Guess("spe+", "0", 15), Guess("", "service_purse", 1),
             Guess("capacity", "contents", 9), Guess("properties", "recorded", 0x40)],
            P1,
        )  # fmt: skip
        made = CardProfile.parse(DEMO + write_tables(P1, wanted, {}), "made").bcast.build_tables()
        assert [replace(row, confidence=Confidence.OURS) for row in wanted.spe] == list(made.spe)
        assert replace(made, spe=wanted.spe) == wanted

    @pytest.mark.parametrize("answer", ["73FF", "7380", "738400000000", "7302AE00", "7303AE0180", "AE", "7F" * 40, ""])
    def test_garbage_is_no_clue_and_no_crash(self, answer: str) -> None:
        ours = side("B", [("s", [("0089A08500", "7308AE068001008901039000")])])
        theirs = side("A", [("s", [("0089A08500", answer + "9000")])])
        pairs = compare_runs(theirs, ours, default_rules()).pairs
        for group in guess_tables(pairs, P1):
            assert all(guess.apply(P1) for guess in group)

    @pytest.mark.parametrize(
        ("theirs", "ours", "policies"),
        [
            ("7308AE068001018B0109", "7305AE03800100", {("spe", "9", -1)}),
            ("7305AE03800100", "7308AE068001018B010E", {("spe+", str(row.value), 14) for row in P1.spe}),
            ("7305A203860107", "7305A203860106", {("spe", "6", 7)}),
        ],
        ids=["refused by the card", "taken by the card", "another number in an audit"],
    )
    def test_policies_the_card_has_or_has_not(
        self, theirs: str, ours: str, policies: set[tuple[str, str, int]]
    ) -> None:
        a, b = (side(name, [("s", [("0089A08500", f"{data}9000")])]) for name, data in (("A", theirs), ("B", ours)))
        groups = guess_tables(compare_runs(a, b, default_rules()).pairs, P1)
        found = {(guess.table, guess.name, guess.value) for group in groups for guess in group}
        assert {guess for guess in found if guess[0].startswith("spe")} == policies

    def test_a_pair_of_another_command_is_no_clue(self) -> None:
        a, b = (side(name, [("s", [("00B0000002", f"{data}9000")])]) for name, data in (("A", "8001"), ("B", "8002")))
        pairs: tuple[Pair, ...] = compare_runs(a, b, default_rules()).pairs
        assert guess_tables(pairs, P1) == []


class TestCommandLine:
    @pytest.fixture
    def lesson_files(self, tmp_path: Path) -> tuple[Path, Path]:
        profile, trace = tmp_path / "card.toml", tmp_path / "seen.jsonl"
        bcast = "\n[bcast.tables.answers]\nno_credit = 0x42\n[bcast.tables.response_tags]\nstatus = 0x90\n"
        profile.write_text(DEMO + bcast)
        events = trace_of(CardProfile.load(profile), "pay_per_time")
        trace.write_text("".join(encode_event(event) + "\n" for event in events))
        return profile, trace

    def test_a_trace_teaches_tables(
        self, lesson_files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BCAST_UICC_PIN", "1234")
        profile, trace = lesson_files
        learned = tmp_path / "learned.toml"
        options = {"--link": "inprocess", "--profile": profile, "--subscriber": "usim", "--from-trace": trace}
        arguments = [str(part) for option in options.items() for part in option]
        assert invoke(["compare", "learn", *arguments, "-o", str(learned)]) == ExitCode.OK
        made = CardProfile.load(learned)
        assert made.bcast.build_tables() == CardProfile.load(profile).bcast.build_tables()
        assert made.usim.k.reveal() == bytes(16)
        assert not [key for key in KEYS if key in learned.read_text().lower()]

    def test_the_shipped_suite_runs_on_the_card_and_teaches_the_set(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BCAST_UICC_PIN", "1234")
        profile, learned = tmp_path / "x2.toml", tmp_path / "learned.toml"
        profile.write_text(DEMO + '\n[bcast]\ntable_set = "X2"\n')
        source = f"inprocess:{profile}"
        assert invoke(["compare", "--a", source, "--b", "inprocess:usim", "bcast"]) == ExitCode.DIFFERENT
        arguments = ["compare", "learn", "--link", "inprocess", "--profile", str(profile), "bcast", "-o", str(learned)]
        assert invoke(arguments) == ExitCode.OK
        assert invoke(["compare", "--a", source, "--b", f"inprocess:{learned}", "bcast", "usim"]) == ExitCode.OK

    def test_a_card_that_vanishes_under_a_script_is_no_teacher(self, capsys: pytest.CaptureFixture[str]) -> None:
        plan = Injector((Fault(FaultKind.REMOVAL, command="OMA BCAST"),))
        link = InProcessLink(FaultyCard(memory_card(PROFILE), plan))
        scripts = [load_script(path) for path in find_scripts(["bcast"])]
        taught = Lesson(scripts, RunOptions(pin=PIN, variables={"pin": Value(PIN.reveal().ljust(8, b"\xff"), True)}))
        with pytest.raises(SessionError, match="pulled out"):
            taught.propose(explore(InProcessLink(memory_card(PROFILE)), PIN), link)

    @pytest.mark.parametrize("content", [None, "", "no json\n", '{"type": "exchange"}\n'])
    def test_a_trace_that_is_none(
        self, content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        trace = tmp_path / "seen.jsonl"
        if content is not None:
            trace.write_text(content)
        arguments = ["--link", "inprocess", "--profile", "usim", "--from-trace", str(trace)]
        assert invoke(["compare", "learn", *arguments]) == ExitCode.INPUT
        assert "seen.jsonl" in capsys.readouterr().err
