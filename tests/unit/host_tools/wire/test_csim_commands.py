"""A CSIM before `headend serve`: it goes by its NAI, its digest is keyed by the registration key, it buys and plays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import host_tools.headend
from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.headend.scenario.wares import EVERYTHING, ITEM_PREFIX, MONTH
from tests.support.csim import write_csim_subscriber
from tests.support.head_end import PIN, free_address
from tests.unit.host_tools.wire.test_commands import Served, run, serving

_IN_PROCESS = ("--link", "inprocess", "--csim", "--json")


@pytest.fixture(autouse=True)
def _pin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "csim.card"
    create_card(CardProfile.demo("csim"), path).close()
    return path


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    """Return the demo with one SEK for each service: what the BSM gives whenever it is asked opens the recording."""
    text = (Path(host_tools.headend.__file__).parent / "scenarios" / "demo.toml").read_text()
    one_sek, rolls = re.subn(r'\[\[event\]\]\nat = [0-9.]+\nkind = "sek-rollover"\nservice = "tone-a"\n', "", text)
    assert rolls == 1
    path = tmp_path / "one-sek.toml"
    path.write_text(one_sek)
    return str(path)


@pytest.fixture
def served(tmp_path: Path, scenario: str) -> Iterator[Served]:
    subscribers = write_csim_subscriber(tmp_path / "subscribers.toml")
    kept = ("--subscribers", str(subscribers), "--db", str(tmp_path / "a.db"))
    with serving(tmp_path, *kept, scenario=scenario) as found:
        yield found


def recorded(scenario: str, folder: Path, *more: str) -> Path:
    """Return a broadcast as a capture or, with what a recording takes, as a recording of it."""
    capture = folder / "b.pcap"
    assert invoke(["headend", "record", scenario, "-o", str(capture)]) == ExitCode.OK
    if not more:
        return capture
    recording = folder / "b.recording"
    assert invoke(["terminal", "record", str(capture), "-o", str(recording), *more]) == ExitCode.OK
    return recording


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    captured = capsys.readouterr()
    found: dict[str, Any] = json.loads(captured.out)
    return found


def place(served: Served, card: Path) -> list[str]:
    return [*_IN_PROCESS, "--profile", str(card), "--network", str(served.file), "--address", served.address]


def test_a_csim_asks_and_buys_over_http(served: Served, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(served, "buy", card, f"{ITEM_PREFIX}tone-a,{MONTH}", "--csim") == ExitCode.OK
    assert "taken" in {one["verdict"] for one in told(capsys)["ltkms"]}


def test_a_player_gets_with_a_csim_what_it_needs(
    served: Served, scenario: str, card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Token Purchase for each service, by the name of the key that its STKM wants; what is included costs nothing."""
    capture = recorded(scenario, tmp_path)
    capsys.readouterr()
    assert invoke(["terminal", "play", str(capture), *place(served, card), "--buy"]) == ExitCode.OK
    found = told(capsys)
    assert found["packets"]["decrypted"] == found["packets"]["seen"] > 1000
    assert found["stkms"]["remedies"] > 0
    assert run(served, "account", card, "--csim") == ExitCode.OK
    assert told(capsys)["charged"] == []


def test_a_csim_that_has_bought_asks_for_its_keys(
    served: Served, scenario: str, card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elsewhere than where it bought: it does not register, so keys come to where it asks from."""
    recording = recorded(scenario, tmp_path, "--no-card")
    assert run(served, "buy", card, f"{EVERYTHING},{MONTH}", "--csim") == ExitCode.OK
    capsys.readouterr()
    elsewhere = replace(served, address=free_address())
    assert run(elsewhere, "keys", card, "--csim") == ExitCode.OK
    assert {one["verdict"] for one in told(capsys)["ltkms"]} == {"taken"}
    assert invoke(["terminal", "replay", str(recording), *place(elsewhere, card)]) == ExitCode.OK
    packets = [piece["packets"] for piece in told(capsys)["pieces"]]
    assert sum(one["decrypted"] for one in packets) == sum(one["seen"] for one in packets) > 1000


@pytest.mark.parametrize("more", [("--ltkms", "x.json"), ("--network", "x.toml", "--me", "x.card")])
def test_what_a_csim_cannot(
    more: tuple[str, ...], tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = recorded("demo", tmp_path)
    capsys.readouterr()
    status = invoke(["terminal", "play", str(capture), *_IN_PROCESS, "--profile", str(card), *more])
    assert "--csim" in capsys.readouterr().err
    assert status == ExitCode.USAGE


def test_a_csim_plays_with_a_head_end_in_this_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--scenario`: LTKMs under keys from RK; and what the card was given once it plays without anybody."""
    capture, card = recorded("demo", tmp_path), tmp_path / "csim.card"
    create_card(CardProfile.demo("csim"), card).close()
    used = [*_IN_PROCESS, "--profile", str(card)]
    capsys.readouterr()
    keys = ["--scenario", "demo", "--subscriber", "csim"]
    assert invoke(["terminal", "play", str(capture), *used, *keys]) == ExitCode.OK
    packets = told(capsys)["packets"]
    assert packets["decrypted"] == packets["seen"] > 1000
    assert invoke(["terminal", "audit", *used]) == ExitCode.OK
    assert told(capsys)["key_groups"] == []
