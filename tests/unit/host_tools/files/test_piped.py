"""Lines that are piped in, and names that are no text."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from card.errors import UnusableFile
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.files.piped import LONGEST_LINE, piped_lines

CARD = ("--link", "inprocess", "--profile", "usim")
ODD = os.fsdecode(b"b\xff")


def stream(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")


def test_lines_come_as_they_are() -> None:
    assert list(piped_lines(stream(b"one\n\nthree"))) == ["one\n", "\n", "three"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\n", "<stdin>:1: not UTF-8 text"),
        (b"x" * (LONGEST_LINE + 1), f"<stdin>:1: a line of more than {LONGEST_LINE} characters"),
    ],
)
def test_what_is_no_line(content: bytes, message: str) -> None:
    with pytest.raises(UnusableFile) as caught:
        list(piped_lines(stream(content)))
    assert str(caught.value) == message


@pytest.mark.parametrize("command", [["shell"], ["script", "record", "x.toml"]])
def test_a_command_says_so(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", stream(b"\xff\xfe\n"))
    assert invoke([*command, *CARD]) == ExitCode.INPUT
    assert list(tmp_path.iterdir()) == []


def test_files_with_names_that_are_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"record {ODD}.toml\n00A40004023F0000\nstop\n"))
    for command in (
        ["card", "new", "usim", "-o", f"{ODD}.card"],
        ["shell", *CARD],
        ["script", "run", f"{ODD}.toml", *CARD, "-q", "--json", f"{ODD}.json", "--junit", f"{ODD}.xml"],
        ["headend", "record", "subscribe", "-o", f"{ODD}.pcap"],
        ["terminal", "record", f"{ODD}.pcap", "-o", f"{ODD}.rec", "--no-card"],
        ["compare", "--a", f"inprocess:{ODD}.card", "--b", "inprocess:usim", f"{ODD}.toml", "--html", f"{ODD}.html"],
    ):
        assert invoke(command) == ExitCode.OK, capsys.readouterr().err
    assert {path.suffix for path in tmp_path.iterdir()} == {".card", ".toml", ".json", ".xml", ".pcap", ".rec", ".html"}


@pytest.mark.parametrize(
    "words",
    [
        ["headend", "permissions", "terminal_binding", "--folder", "c", "--terminal", ODD],
        ["terminal", "record", "none.pcap", "-o", "x", "--no-card", "--content", ODD],
        ["card", "edit", "usim", "EF_SPN", "--value", ODD],
        ["script", "run", "uicc", *CARD, "--allow-iccid", ODD, "-q"],
        ["compare", "--a", ODD, "--b", ODD, "uicc"],
        ["run", "usim", "--fresh", "--host", ODD, "--wait", "0"],
    ],
)
def test_text_that_is_none(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(words) in set(ExitCode) - {ExitCode.INTERNAL}
