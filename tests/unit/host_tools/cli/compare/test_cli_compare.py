"""`bcast-uicc compare` on cards in this process: exit codes, reports, learning a profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from card.errors import ProfileError
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.compare.explore import FoundCard, explore
from host_tools.compare.learn import LearnError, propose_profile
from host_tools.compare.model import INTERRUPTED
from host_tools.compare.play import play_scripts, play_until_interrupted
from host_tools.links.base import ReaderGone
from host_tools.links.inprocess import InProcessLink
from host_tools.realism.faulty import FaultyCard
from host_tools.realism.plan import Fault, FaultKind, Injector
from host_tools.script.load import load_script
from host_tools.script.runner import RunOptions
from host_tools.trace.known_secrets import KnownSecrets

SCRIPT = """
[script]
title = "Look"
[[step]]
name = "MF"
apdu = "00A40004 02 3F00 00"
[[step]]
name = "ICCID"
apdu = "00A40004 02 2FE2 00"
[[step]]
name = "read ICCID"
apdu = "00B00000 0A"
[[step]]
name = "challenge"
apdu = "00840000 08"
"""
PIN = Secret(b"1234")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "look.toml"
    path.write_text(SCRIPT)
    return path


def compare(*arguments: object) -> int:
    return invoke(["compare", *map(str, arguments)])


def test_the_same_card_twice_is_fine(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim", script) == ExitCode.OK
    assert "Only allowed differences: 1." in capsys.readouterr().out


def test_other_cards_differ_and_the_reports_say_how(script: Path, tmp_path: Path) -> None:
    html, as_json = tmp_path / "r.html", tmp_path / "r.json"
    status = compare("--a", "inprocess:usim", "--b", "inprocess:usim-t1", script, "--html", html, "--json", as_json)
    assert status == ExitCode.DIFFERENT
    assert html.read_text().startswith("<!DOCTYPE html>")
    data = json.loads(as_json.read_text())
    assert [found["where"] for found in data["general"]] == ["ATR"]
    (iccid,) = (pair for pair in data["pairs"] if pair["step"] == "Look: read ICCID")
    assert {found["allowed"] for found in iccid["differences"]} == {"each card has an ICCID of its own"}


def test_the_suites_that_ship_find_two_cards_of_one_profile_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", "1234")
    as_json = tmp_path / "r.json"
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim", "all", "--json", as_json) == ExitCode.OK
    pairs = json.loads(as_json.read_text())["pairs"]
    assert len(pairs) > 50
    assert {tuple(pair["outcomes"]) for pair in pairs} <= {("passed", "passed"), ("skipped", "skipped")}


def test_both_sides_can_be_traced(script: Path, tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim-t1", script, "--trace", trace) == ExitCode.DIFFERENT
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    seen = [(event["link"], event["command"]) for event in events if event.get("command", "").startswith("0084")]
    assert seen == [(f"{name} (in process)", "0084000008") for name in ("usim", "usim-t1")]


def test_a_step_that_only_one_card_passes_is_told_so(script: Path, tmp_path: Path) -> None:
    script.write_text(SCRIPT + '[[step]]\nname = "PIN"\napdu = "00200001"\nsw = "63C3"\n')
    as_json = tmp_path / "r.json"
    compare("--a", "inprocess:usim", "--b", "inprocess:usim-t1", script, "--json", as_json)
    assert json.loads(as_json.read_text())["pairs"][-1]["outcomes"] == ["passed", "failed"]


def test_an_interrupted_comparison_still_writes_its_reports(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    transmit = InProcessLink.transmit

    def pressed(link: InProcessLink, apdu: bytes) -> bytes:
        if apdu[1] == 0x84:  # GET CHALLENGE, the last step
            raise KeyboardInterrupt
        return transmit(link, apdu)

    monkeypatch.setattr(InProcessLink, "transmit", pressed)
    html, as_json = tmp_path / "r.html", tmp_path / "r.json"
    reports = ("--html", html, "--json", as_json)
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim-t1", script, *reports) == ExitCode.INTERRUPTED
    assert html.read_text().endswith("</html>\n")
    data = json.loads(as_json.read_text())
    assert (data["allowed"], data["a"]["trouble"], data["b"]["trouble"]) == (False, "interrupted", "interrupted")
    assert [pair["step"] for pair in data["pairs"] if pair["a"]][-1] == "Look: read ICCID"
    assert {pair["b"] for pair in data["pairs"]} == {None}
    shown = " ".join(capsys.readouterr().out.split())
    assert "usim (in process): interrupted. usim-t1 (in process): interrupted." in shown


@pytest.mark.parametrize(
    "where", ["host_tools.cli.compare.commands.load_scripts", "host_tools.sessions.comparing.open_side"]
)
def test_an_interruption_before_the_first_command_leaves_reports_too(
    where: str, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    page, data = tmp_path / "r.html", tmp_path / "r.json"
    status = compare("--a", "inprocess:usim", "--b", "Reader 1", script, "--html", page, "--json", data)
    assert status == ExitCode.INTERRUPTED
    read = json.loads(data.read_text())
    assert (read["a"]["reader"], read["b"]["reader"]) == ("inprocess:usim", "Reader 1")
    assert (read["a"]["trouble"], read["b"]["trouble"]) == ("interrupted", "interrupted")
    assert "interrupted" in page.read_text()


def test_the_report_of_an_early_interruption_is_not_written_over_a_script(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("host_tools.cli.compare.commands.load_scripts", interrupt)
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim", script, "--json", script) == ExitCode.USAGE
    assert script.read_text() == SCRIPT


def test_a_comparison_that_is_interrupted_on_the_second_side_keeps_the_first(script: Path) -> None:
    class Pressed(InProcessLink):
        def transmit(self, apdu: bytes) -> bytes:
            if apdu[1] == 0xB0:
                raise KeyboardInterrupt
            return super().transmit(apdu)

    card = memory_card(CardProfile.demo())
    run = play_until_interrupted(Pressed(card), [load_script(script)], RunOptions(), KnownSecrets())
    assert (run.trouble, run.steps[-2].name) == (INTERRUPTED, "Look: ICCID")
    with pytest.raises(KeyboardInterrupt):  # whoever tries and learns must not take it for an answer
        play_scripts(Pressed(card), [load_script(script)], RunOptions())


def test_a_report_never_becomes_what_is_compared(
    script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[allow]]\nwhy = "another issuer"\n')
    sides = ("--a", "inprocess:usim", "--b", "inprocess:usim", "--allow", rules)
    for option in ("--html", "--json", "--trace"):
        for target in (script, rules):
            assert compare(*sides, script, option, target) == ExitCode.USAGE
    assert compare(*sides, script, "--html", tmp_path / "r", "--json", tmp_path / "r") == ExitCode.USAGE
    assert capsys.readouterr().err.count("is what this command reads: write to another file") == 6
    assert script.read_text() == SCRIPT


def test_rules_of_ones_own_allow_the_rest(script: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[allow]]\nwhy = "another issuer"\n')
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim-t1", script, "--allow", rules) == ExitCode.OK
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim", script, "--no-default-allow") == ExitCode.DIFFERENT


def test_wrong_input_is_told_with_its_line(script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[allow]]\nwhy = "x"\nkind = "y"\n')
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim", script, "--allow", rules) == ExitCode.INPUT
    assert "rules.toml:3: there is no kind 'y'" in capsys.readouterr().err
    assert compare("--a", "inprocess:usim", "--b", "inprocess:usim", tmp_path / "gone.toml") == ExitCode.INPUT
    assert compare("--a", "inprocess:usim", script) == ExitCode.USAGE


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_card_that_vanishes_ends_the_run_or_not_as_asked(script: Path, keep_going: bool) -> None:
    plan = (Fault(FaultKind.REMOVAL, command="GET CHALLENGE"),)
    more = script.with_name("more.toml")
    more.write_text(SCRIPT)
    link = InProcessLink(FaultyCard(memory_card(CardProfile.demo()), Injector(plan)))
    run = play_scripts(link, [load_script(script), load_script(more)], RunOptions(stop_on_lost=not keep_going))
    assert "pulled out" in run.trouble
    assert [step.outcome for step in run.steps if "challenge" in step.name] == ["error"] * (2 if keep_going else 1)
    (lost,) = [seen for step in run.steps[:5] for seen in step.observed if seen.sw is None]
    assert lost.error == run.trouble


def test_a_late_answer_is_noted_with_its_command(script: Path) -> None:
    import threading

    release = threading.Event()

    class Slow(InProcessLink):
        def transmit(self, apdu: bytes) -> bytes:
            if apdu[1] == 0x84:
                release.wait(10)
            return super().transmit(apdu)

    try:
        run = play_scripts(Slow(memory_card(CardProfile.demo())), [load_script(script)], RunOptions(timeout=1.0))
    finally:
        release.set()
    assert "did not answer within" in run.trouble
    last = run.steps[-1].observed[-1]
    assert (last.command[1], last.sw, last.error) == (0x84, None, run.trouble)


class TestLearn:
    def test_a_learned_profile_answers_like_the_card(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BCAST_UICC_PIN", "1234")
        learned = tmp_path / "learned.toml"
        status = compare("learn", "--link", "inprocess", "--profile", "usim-t1", "-o", learned)
        assert status == ExitCode.OK
        script = tmp_path / "files.toml"
        files = ("2FE2", "7FFF6F07", "7FFF6F38", "7FFF6FAD", "7FFF6F46", "7FFF6FD7", "7FFF6F78")
        steps = [f'[[step]]\nname = "{fid}"\napdu = "00A40804 {len(fid) // 2:02X} {fid} 00"\n' for fid in files]
        script.write_text('[[step]]\nname = "U"\napdu = "00A40404 07 A0000000871002 00"\n' + "".join(steps))
        assert compare("--a", "inprocess:usim-t1", "--b", f"inprocess:{learned}", script) == ExitCode.OK
        assert compare("--a", "inprocess:usim-t1", "--b", "inprocess:usim", script) == ExitCode.DIFFERENT

    def test_no_key_is_read_and_the_pins_are_placeholders(self) -> None:
        profile = CardProfile.demo()
        found = explore(InProcessLink(memory_card(profile)), PIN)
        assert "ADF.USIM/6F07" in found.files
        assert not {"ADF.USIM/6F08", "ADF.USIM/6F09"} & set(found.files)

        def emulate(text: str) -> FoundCard:
            return explore(InProcessLink(memory_card(CardProfile.parse(text, "learned"))), PIN)

        text = propose_profile(found, emulate)
        assert profile.usim.k.reveal().hex() not in text.lower()
        assert f'k = "{"00" * 16}"' in text

    def test_without_the_pin_less_is_read_and_it_says_so(self, tmp_path: Path) -> None:
        learned = tmp_path / "learned.toml"
        assert compare("learn", "--link", "inprocess", "--profile", "usim", "-o", learned) == ExitCode.OK
        assert "# ADF.USIM/6F07 EF_IMSI: could not be read" in learned.read_text()

    def test_a_profile_that_exists_is_kept(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine.toml"
        mine.write_text("mine")
        arguments = ("learn", "--link", "inprocess", "--profile", "usim", "-o", mine)
        assert compare(*arguments) == ExitCode.ENVIRONMENT
        assert mine.read_text() == "mine"
        assert compare(*arguments, "--force") == ExitCode.OK
        assert CardProfile.load(mine).name

    def test_a_card_the_emulator_cannot_be(self) -> None:
        found = explore(InProcessLink(memory_card(CardProfile.demo())), PIN)

        def refuse(text: str) -> FoundCard:
            raise ProfileError(f"{len(text)} characters, none of them right")

        with pytest.raises(LearnError, match="cannot be made like the card"):
            propose_profile(found, refuse)

    def test_a_vanished_card_is_an_error_of_the_machine(self) -> None:
        card = FaultyCard(memory_card(CardProfile.demo()), Injector((Fault(FaultKind.REMOVAL, at=5),)))
        with pytest.raises(ReaderGone):
            explore(InProcessLink(card), PIN)
