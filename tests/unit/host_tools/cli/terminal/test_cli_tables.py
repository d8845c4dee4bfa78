"""The commands of the terminal with a card file whose tables are not the default ones, and with events on and off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from card import CardProfile, create_card, open_card
from card.profile.bcast import BcastProfile, TableSet
from host_tools.cli.exits import ExitCode
from tests.unit.host_tools.cli.terminal.test_cli_bcast import PROFILE, Run, capture_of, card, run

__all__ = ["card", "run"]

FAMILY = {"key_domain": "00f110", "key_group": "0001", "told": True, "refusal": None}


@pytest.fixture
def x2(tmp_path: Path) -> tuple[object, ...]:
    """The options that name a card file on the second set of tables; the subscriber's profile has the first."""
    path = tmp_path / "x2.card"
    create_card(replace(CardProfile.demo(), bcast=BcastProfile(TableSet.X2)), path).close()
    return "--link", "inprocess", "--profile", path, "--subscriber", PROFILE


@pytest.fixture
def x2_broadcast(run: Run, x2: tuple[object, ...], tmp_path: Path) -> tuple[Path, Path]:
    """A scenario whose SPE is one of the second set, and its capture by these tables."""
    from importlib.resources import files

    text = (files("host_tools.headend") / "scenarios" / "subscribe.toml").read_text("utf-8")
    scenario, capture = tmp_path / "subscribe.toml", tmp_path / "x2.pcap"
    scenario.write_text(text.replace("spe = 0x4  ", "spe = 0xEC  "))
    status, _, _ = run("headend", "record", scenario, "-o", capture, "--profile", x2[3])
    assert status == ExitCode.OK
    return scenario, capture


class TestTablesOfACardFile:
    def test_play_audit_and_replay(
        self, run: Run, x2: tuple[object, ...], x2_broadcast: tuple[Path, Path], tmp_path: Path
    ) -> None:
        scenario, capture = x2_broadcast
        film = tmp_path / "film.bcrec"
        status, out, err = run(
            "terminal", "record", capture, "-o", film, *x2, "--scenario", scenario, "--explain", "--json"
        )
        assert (status, "EVENT" in err) == (ExitCode.OK, False)
        assert json.loads(out)["stkms"]["granted"] == {"live, free": 12}
        status, out, _ = run("terminal", "audit", *x2[:4], "--json")
        found = json.loads(out)
        assert status == ExitCode.OK
        assert [(one["spe"], one["name"], one["properties"]) for one in found["policies"]] == [
            (0xEC, "unlimited live", ["recorded"])
        ]
        assert [bytes.fromhex(one["content_id"]) for one in found["recordings"]] == [b"film"]
        status, _, err = run("terminal", "replay", film, *x2[:4], "--explain")
        assert status == ExitCode.CARD
        assert "play-back: refused" in err

    def test_a_card_file_in_use(self, run: Run, x2: tuple[object, ...]) -> None:
        with_card = open_card(str(x2[3]))
        try:
            status, _, err = run("terminal", "audit", *x2[:4])
        finally:
            with_card.close()
        assert status == ExitCode.LOCKED
        assert "in use" in err


class TestEvents:
    def test_the_end_of_playing(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("parental", tmp_path)
        arguments = ("terminal", "play", capture, *card, "--scenario", "parental", "--explain")
        status, out, err = run(*arguments)
        assert status == ExitCode.OK
        assert err.splitlines()[-1] == "EVENT 00f110/0001 left: the card was told"
        assert "Services left" in out

    def test_in_json(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("parental", tmp_path)
        status, out, _ = run("terminal", "play", capture, *card, "--scenario", "parental", "--explain", "--json")
        result = json.loads(out)
        assert status == ExitCode.OK
        assert (result["departures"], result["events"]) == ({"told": 1, "refused": 0}, [FAMILY])

    def test_switched_off(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("parental", tmp_path)
        arguments = ("terminal", "play", capture, *card, "--scenario", "parental", "--explain", "--json")
        status, out, _ = run(*arguments, "--no-events")
        result = json.loads(out)
        assert status == ExitCode.OK
        assert (result["departures"], result["events"]) == ({"told": 0, "refused": 0}, [])

    def test_at_the_end_of_a_play_back(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, film = capture_of("counted_playback", tmp_path), tmp_path / "film.bcrec"
        run("terminal", "record", capture, "-o", film, *card, "--scenario", "counted_playback", "--json")
        status, out, _ = run("terminal", "replay", film, *card[:4], "--piece", "0-8", "--piece", "4-", "--explain",
                             "--json")  # fmt: skip
        result = json.loads(out)
        assert (status, result["events"]) == (ExitCode.OK, [FAMILY])
