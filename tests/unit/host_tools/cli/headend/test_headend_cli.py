"""`bcast-uicc headend`: files come out whole or not at all, and errors are one sentence."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from card import CardProfile
from card.spec.bcast.p1 import P1
from host_tools.cli.exits import ENVIRONMENT, INPUT, OK, USAGE
from host_tools.cli.headend.commands import headend
from host_tools.headend.scenario.handover import Handover
from host_tools.headend.scenario.recorder import record
from host_tools.headend.subscribers.personalised import subscriber_of
from tests.unit.host_tools.headend.networks import IMPI, IMSI, SMALL, small_scenario

PROFILE = Path("card/profile/demo/usim.toml")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(headend, [str(argument) for argument in arguments])


def test_record_writes_the_capture(scenario: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.pcap"
    result = run("record", scenario, "-o", output)
    assert result.exit_code == OK
    assert "60 packets of one on port 5004" in result.output
    assert output.read_bytes() == record(small_scenario(), tables=P1).pcap
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.pcap", "small.toml"]


def test_record_writes_ltkms_and_truth(scenario: Path, tmp_path: Path) -> None:
    ltkms, truth = tmp_path / "ltkms.json", tmp_path / "truth.json"
    truth.touch(mode=0o644)
    profile = Path(__file__).parents[5] / PROFILE
    arguments = ("--profile", profile, "--ltkms", ltkms, "--truth", truth)
    result = run("record", scenario, "-o", tmp_path / "out.pcap", *arguments)
    assert result.exit_code == OK, result.output
    assert len(Handover.parse(ltkms.read_text(encoding="utf-8"), "x").ltkms) == 3
    content = json.loads(truth.read_text(encoding="utf-8"))
    assert content["media"]["one"] == {
        "port": 5004,
        "packets": 60,
        "payload_sha256": record(small_scenario(), tables=P1).truth.media["one"].payload_sha256,
    }
    assert all(len(key["tek"]) == 32 for key in content["teks"].values())
    assert stat.S_IMODE(truth.stat().st_mode) == 0o600
    assert "TEKs in the clear" in result.output
    assert not any(key["tek"] in result.output for key in content["teks"].values())


def test_the_demo_is_known_by_name() -> None:
    result = run("check", "demo")
    assert result.exit_code == OK
    assert "6 crypto periods" in result.output
    assert result.output.count("LTKM for") == 3


def test_ltkms_need_a_card(scenario: Path, tmp_path: Path) -> None:
    result = run("record", scenario, "-o", tmp_path / "x", "--ltkms", tmp_path / "y")
    assert result.exit_code == USAGE
    assert "--profile" in result.output


@pytest.mark.parametrize(
    ("option", "value", "needs"),
    [
        ("--listener", "127.0.0.9", "--air"), ("--clock-file", "clock.json", "--air"), ("--media", "a=tone", "--air"),
        ("--speed", "2", "--air"), ("--announce", "folder", "--air"), ("--zn-port", "7000", "--certificates"),
    ],
)  # fmt: skip
def test_an_option_that_needs_another_is_called_by_its_own_name(option: str, value: str, needs: str) -> None:
    result = run("serve", "demo", option, value)
    assert result.exit_code == USAGE
    assert f"Error: {option} needs {needs}" in result.output


def test_a_wrong_scenario_is_one_message(tmp_path: Path) -> None:
    result = run("check", tmp_path / "none.toml")
    assert result.exit_code == INPUT
    assert "none.toml: cannot be read: No such file" in result.output
    unknown = run("check", "nothing")
    assert unknown.exit_code == INPUT
    assert "a scenario that ships: counted_playback, demo, " in unknown.output


def test_an_output_that_cannot_be_written(scenario: Path, tmp_path: Path) -> None:
    result = run("record", scenario, "-o", tmp_path / "no" / "x.pcap")
    assert result.exit_code == ENVIRONMENT
    assert "cannot be written" in result.output


def test_the_subscriber_of_a_profile() -> None:
    someone = subscriber_of(CardProfile.demo())
    assert (someone.imsi, someone.impi) == (IMSI, IMPI)
    # K and OPc of MILENAGE test set 1 answer its RAND with its RES.
    vector = someone.vector(bytes.fromhex("23553cbe9637a89d218ae64dae47bf35"))
    assert vector.xres.hex() == "a54211d5e3ba50bf"
