"""The table of exit statuses in docs/user/cli.md, row by row: each is driven, and says what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from card import CardProfile, create_card, open_card
from card.spec.bcast.p1 import P1
from host_tools.cli import main
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record
from host_tools.links.inprocess import InProcessLink
from tests.meta.tree import ROOT
from tests.support.hostile import SCRIPT
from tests.unit.host_tools.files.test_writing import full_disk

PAGE = ROOT / "docs" / "user" / "cli.md"
ROW = re.compile(r"^\| (\d+) \| (.+?) \|(.*)\|$", re.MULTILINE)
IN_PROCESS = ("--link", "inprocess", "--profile", "usim")
ROOM, TRACE = 1000, "t.pcapng"
Drive = Callable[[Path, pytest.MonkeyPatch], int]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BCAST_UICC_PIN", "BCAST_UICC_DEBUG", "BCAST_UICC_ALLOW_ICCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    create_card(CardProfile.demo(), "x.card").close()
    (tmp_path / "x.toml").write_text(SCRIPT)
    (tmp_path / "empty").mkdir()


def refusing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Learn from a card that answers 6CXX to everything."""
    monkeypatch.setattr(InProcessLink, "transmit", lambda _link, _apdu: bytes.fromhex("6C10"))
    return invoke(["compare", "learn", *IN_PROCESS, "-o", str(folder / "p.toml")])


def on_a_full_disk(*words: str) -> Drive:
    def drive(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> int:
        (folder / "b.pcap").write_bytes(record(shipped_scenario("subscribe"), tables=P1).pcap)
        before = {path.name for path in folder.iterdir()}
        with full_disk(ROOM):
            status = invoke(list(words))
        left = {path.name for path in folder.iterdir()} - before
        assert left == {words[-1]} & {TRACE}, "nothing half is left; of a trace, what was whole"
        assert not left or invoke(["trace", "show", TRACE]) == ExitCode.OK
        return status

    return drive


def in_use(name: str) -> Drive:
    def drive(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> int:
        (folder / "soft.card").symlink_to("x.card")
        (folder / "hard.card").hardlink_to("x.card")
        card = open_card("x.card")
        try:
            return invoke(["card", "show", name])
        finally:
            card.close()

    return drive


def defect(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    def broken(*_arguments: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(main.cli, "invoke", broken)
    return invoke(["script", "list"])


def interrupted(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    def interrupt(*_arguments: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.cli, "invoke", interrupt)
    return invoke(["script", "list"])


def reader_gone(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> int:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "host_tools.cli.main", "card", "show", str(folder / "x.card")]
    try:
        return subprocess.run(command, stdout=write, cwd=ROOT, check=False).returncode
    finally:
        os.close(write)


def words(text: str) -> Drive:
    return lambda _folder, _monkeypatch: invoke(text.split())


DRIVES: dict[ExitCode, dict[str, Drive]] = {
    ExitCode.OK: {"a card file made": words("card new usim -o new.card")},
    ExitCode.DIFFERENT: {
        "two cards that differ": words("card diff x.card csim"),
        "a script that fails": words("script run csim.toml --link inprocess --profile usim"),
    },
    ExitCode.USAGE: {
        "an unknown option": words("card show --nothing"),
        "an empty folder of scripts, run": words("script run empty --link inprocess --profile usim"),
        "an empty folder of scripts, checked": words("script lint empty"),
        "an empty folder of scripts, exported": words("script export empty"),
        "an empty folder of scripts, compared": words("compare --a inprocess:usim --b inprocess:usim empty"),
        "an empty folder of scripts, learned from": words("compare learn empty --link inprocess --profile usim"),
        "all scripts, exported into one file": words("script export all -o x.scriptor"),
    },
    ExitCode.ENVIRONMENT: {
        "a card file that is missing": words("card show nothing.card"),
        "a full disk: the head-end's broadcast": on_a_full_disk("headend", "record", "subscribe", "-o", "y.pcap"),
        "a full disk: a recording": on_a_full_disk("terminal", "record", "b.pcap", "-o", "y.bcrec", "--no-card"),
        "a full disk: a trace": on_a_full_disk("script", "run", "uicc", "-q", *IN_PROCESS, "--trace", TRACE),
        "a full disk: a report": on_a_full_disk("script", "run", "uicc", "-q", *IN_PROCESS, "--json", "r.json"),
        "a full disk: a JUnit report": on_a_full_disk("script", "run", "uicc", "-q", *IN_PROCESS, "--junit", "r.xml"),
        "a full disk: a script": on_a_full_disk("script", "export", "bcast", "-o", "x.scriptor"),
    },
    ExitCode.CARD: {
        "a wrong PIN": words("terminal info --link inprocess --profile usim --pin 9999"),
        "a card that lets nothing be learned": refusing,
    },
    ExitCode.INPUT: {
        "a profile that is none": words("card new x.toml -o new.card"),
        "a capture that is none": words("terminal play x.toml --link inprocess --profile usim --pin 1234"),
        "a scenario that is none": words("headend check x.toml"),
    },
    ExitCode.LOCKED: {f"through {name}": in_use(name) for name in ("x.card", "soft.card", "hard.card")},
    ExitCode.INTERNAL: {"an error that nobody expected": defect},
    ExitCode.INTERRUPTED: {"Ctrl-C": interrupted},
    ExitCode.BROKEN_PIPE: {"output that nobody reads": reader_gone},
}
CASES = [(status, what) for status, drives in DRIVES.items() for what in drives]


def table() -> dict[int, tuple[str, str]]:
    section = PAGE.read_text().partition("## Exit status")[2].partition("\n## ")[0]
    return {int(status): (meaning, example) for status, meaning, example in ROW.findall(section)}


def test_the_page_has_a_row_for_every_status_and_every_row_is_driven() -> None:
    assert set(table()) == {int(status) for status in ExitCode} == {int(status) for status in DRIVES}
    assert all(meaning for meaning, _ in table().values())


@pytest.mark.parametrize(("status", "what"), CASES, ids=lambda value: str(value).replace(" ", "-"))
def test_a_row_is_true(
    status: ExitCode, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "csim.toml").write_text(SCRIPT.replace("9000", "6A82"))
    before = set(tmp_path.iterdir())
    assert DRIVES[status][what](tmp_path, monkeypatch) == status
    said = capfd.readouterr().err
    assert "Traceback" not in said
    if status not in (ExitCode.OK, ExitCode.DIFFERENT, ExitCode.BROKEN_PIPE):
        assert said.strip(), "it says why"
    if status is ExitCode.USAGE:
        assert set(tmp_path.iterdir()) == before


def test_a_full_disk_has_the_name_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["script", "run", "uicc", "-q", *IN_PROCESS, "--trace", "t.jsonl"]) == ExitCode.OK
    capsys.readouterr()
    with full_disk(ROOM):
        assert invoke(["trace", "filter", "t.jsonl", "-o", "y.pcapng"]) == ExitCode.ENVIRONMENT
    assert capsys.readouterr().err == "Error: y.pcapng: cannot be written: File too large\n"
    assert not (tmp_path / "y.pcapng").exists()


@pytest.mark.parametrize(
    ("mode", "warning"), [(0o600, ""), (0o400, ""), (0o644, "may read"), (0o666, "may write"), (0o640, "may read")]
)
def test_a_card_file_that_others_may_use_is_warned_of(
    mode: int, warning: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.card").chmod(mode)
    assert invoke(["terminal", "info", "--link", "inprocess", "--profile", "x.card", "--pin", "1234"]) == ExitCode.OK
    said = capsys.readouterr().err
    assert said.count("Warning: ") == bool(warning), "once"
    assert warning in said
    assert ("chmod 600 x.card" in said) == bool(warning)
