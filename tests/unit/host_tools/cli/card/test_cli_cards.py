"""How a command line names a card: card file, profile, profile that ships."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from card import open_card
from card.errors import CardError
from card.profile.schema import demo_path
from host_tools.cli.console import Console
from host_tools.cli.exits import ExitCode, explain
from host_tools.sessions.cards import is_profile, open_named_card
from host_tools.sessions.errors import SessionError, Trouble
from tests.support.ports import CollectingTrace

WRONG_PIN = bytes.fromhex("0020000108") + b"9999\xff\xff\xff\xff"
SELECT_USIM = bytes.fromhex("00A4040C07A0000000871002")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def profile(folder: Path) -> Path:
    return Path(shutil.copy(demo_path("usim"), folder / "mine.toml"))


def exit_code(error: Exception) -> int:
    known = explain(error)
    assert known is not None
    return known.exit_code


def spend_a_try(name: str | Path) -> str:
    """Open the card, verify a wrong PIN, close; return the status word, which counts the tries left."""
    card = open_named_card(name, Console())
    try:
        card.power_on()
        assert card.transmit(SELECT_USIM) == b"\x90\x00"
        return card.transmit(WRONG_PIN).hex()
    finally:
        card.close()


def test_a_profile_keeps_its_card_beside_it(profile: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spend_a_try(profile) == "63c2"
    assert capsys.readouterr().err == f"{folder / 'mine.card'}: new card made from {profile}\n"
    assert spend_a_try(profile) == "63c1"
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith(f"{folder / 'mine.card'}: opened, with the state it had")


def test_a_fresh_card_leaves_no_trace(profile: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = open_named_card(profile, Console(), fresh=True)
    assert card.power_on()[0] == 0x3B
    card.close()
    assert [path.name for path in folder.iterdir()] == ["mine.toml"]
    assert capsys.readouterr().err == ""


def test_a_profile_that_ships_makes_its_card_where_one_works(folder: Path) -> None:
    open_named_card("usim", Console()).close()
    assert [path.name for path in folder.iterdir()] == ["usim.card"]


def test_a_card_file_is_opened_quietly(profile: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_named_card(profile, Console()).close()
    capsys.readouterr()
    assert spend_a_try("mine.card") == "63c2"
    assert spend_a_try(folder / "mine.card") == "63c1"
    assert capsys.readouterr().err == ""


def test_a_file_with_the_name_of_a_profile_that_ships_comes_first(profile: Path, folder: Path) -> None:
    open_named_card(profile, Console()).close()
    (folder / "mine.card").rename(folder / "usim")
    assert not is_profile(Path("usim"))
    assert spend_a_try("usim") == "63c2"


def test_the_trace_goes_where_it_is_wanted(profile: Path) -> None:
    trace = CollectingTrace()
    card = open_named_card(profile, Console(), trace=trace)
    card.power_on()
    card.close()
    assert [str(event) for event in trace.events] == ["-- power on"]


def test_a_throw_away_card_needs_a_profile() -> None:
    with pytest.raises(SessionError, match="from a profile") as caught:
        open_named_card("some.card", Console(), fresh=True)
    assert caught.value.trouble is Trouble.MISUSE


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("none.card", ExitCode.ENVIRONMENT, "no such card file"),
        ("usim-t9", ExitCode.ENVIRONMENT, "no such card file, nor a profile that ships: csim, usim, usim-t1"),
        ("../usim", ExitCode.ENVIRONMENT, "no such card file"),
        ("none.toml", ExitCode.INPUT, "cannot be read"),
        ("letter.txt", ExitCode.INPUT, "not a usable card file"),
    ],
)
def test_errors_have_their_exit_status(folder: Path, name: str, status: ExitCode, said: str) -> None:
    (folder / "letter.txt").write_text("dear friend\n" * 200)
    with pytest.raises((SessionError, CardError), match=said) as caught:
        open_named_card(name, Console())
    assert exit_code(caught.value) == status
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_a_card_in_use_has_its_own_status(profile: Path) -> None:
    open_named_card(profile, Console()).close()
    holder = open_card("mine.card")
    try:
        with pytest.raises((SessionError, CardError), match="in use by process") as caught:
            open_named_card(profile, Console())
    finally:
        holder.close()
    assert exit_code(caught.value) == ExitCode.LOCKED


def test_a_foreign_file_in_the_place_of_the_card_is_bad_input(profile: Path, folder: Path) -> None:
    (folder / "mine.card").write_text("dear friend\n" * 200)
    with pytest.raises((SessionError, CardError), match="not a usable card file") as caught:
        open_named_card(profile, Console())
    assert exit_code(caught.value) == ExitCode.INPUT
