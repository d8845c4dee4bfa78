from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.tables.problems import Place
from host_tools.script.errors import ExpressionError, ScriptError
from host_tools.script.load import load_script
from host_tools.script.model import ApduStep, ResetStep, Script
from host_tools.script.oneline import parse_line, parse_lines
from host_tools.script.writer import script_as_toml
from tests.unit.host_tools.script.fakes import write

HERE = Place("here", 1)


def sent(text: str) -> str:
    step = parse_line(text, HERE)
    assert isinstance(step, ApduStep)
    return step.command.text


@pytest.mark.parametrize(
    ("text", "apdu"),
    [
        ("00A40004023F00", "00A40004023F00"),
        ("00 A4 00 04 02 3F 00", "00A40004023F00"),
        ("00 a4 00 04 3f 00", "00A40004023F00"),
        ("00 A4 00 04 : 01 AB", "00A400040201AB"),
        ("00 A4 00 04 02 3F 00 /00", "00A40004023F0000"),
        ("00 A4 00 04 3F00 /", "00A40004023F0000"),
        ("00 B0 00 00 /9", "00B0000009"),
        ("00 B0 00 00 09", "00B0000009"),
        ("00 70 80 01", "00708001"),
        ("00:A4:00:04:02:3F:00", "00A40004023F00"),
    ],
)
def test_command(text: str, apdu: str) -> None:
    assert sent(text) == apdu


def test_expected_status_word() -> None:
    step = parse_line("00A40004023F00 =9000|61XX", HERE)
    assert isinstance(step, ApduStep)
    assert step.expect.sw.fits(0x6110)
    assert not step.expect.sw.fits(0x6A82)
    assert isinstance(parse_line("reset", HERE), ResetStep)


@pytest.mark.parametrize("text", ["00", "00A4", "hello", "00A40004 =", "00A40004 =90", "0A4", "00A40004 /XYZ"])
def test_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_line(text, HERE)


@given(st.text(max_size=80))
def test_any_line_is_read_or_refused(line: str) -> None:
    message = "x:1: "
    try:
        parse_lines([line], "x", "x")
    except ScriptError as error:
        message = str(error)
    assert message.startswith("x:1: ")


def commands(script: Script) -> list[str]:
    return [step.command.text if isinstance(step, ApduStep) else "reset" for step in script.steps]


def expectations(script: Script) -> list[tuple[str, str | None]]:
    return [
        (step.expect.sw.text, step.expect.data.text if step.expect.data else None)
        for step in script.steps
        if isinstance(step, ApduStep)
    ]


def test_scriptor_file_with_comments_as_names() -> None:
    text = "# reset the card\nreset\n\n# Select MF 3F00\nA0 A4 00 00 02 3F 00\nA0 C0 00 00 17\n"
    script = parse_lines(text.splitlines(), "x", "x.scriptor")
    assert commands(script) == ["reset", "A0A40000023F00", "A0C0000017"]
    assert [step.head.name for step in script.steps][:2] == ["reset the card", "Select MF 3F00"]
    assert [step.head.place.line for step in script.steps] == [2, 5, 6]


def test_scriptor_output_with_answers() -> None:
    text = "Using given card reader\n> 00 A4 00 04 02 3F 00\n< 61 1F : Response bytes available\n"
    script = parse_lines(text.splitlines(), "x", "x.log")
    assert commands(script) == ["00A40004023F00"]
    assert expectations(script) == [("611F", None)]


def test_pysim_log_keeps_only_the_exchanges() -> None:
    text = (
        "pySIM-shell (MF)> select EF.ICCID\n-> 00a4000402 2fe2\n<- 6119: \n-> 00c0000019\n"
        '<- 9000: 62178202412183022fe2\n{ "file_descriptor": {} }\n'
    )
    script = parse_lines(text.splitlines(), "x", "x.log", expect_data=True)
    assert commands(script) == ["00A40004022FE2", "00C0000019"]
    assert expectations(script) == [("6119", ""), ("9000", "62178202412183022FE2")]
    assert all(step.raw for step in script.steps if isinstance(step, ApduStep))


def test_an_empty_file_and_a_bad_line_are_told() -> None:
    with pytest.raises(ScriptError, match="x:1: there is no command in here"):
        parse_lines(["", "# nothing"], "x", "x")
    with pytest.raises(ScriptError, match=r"x:2: cannot read 'nonsense' \(CLA INS P1 P2"):
        parse_lines(["00A40004", "nonsense"], "x", "x")


def test_imported_script_loads_as_toml(tmp_path: Path) -> None:
    text = '-> 00a4000402 3f00\n<- 9000: 62\n# a "quoted" name\nreset\n-> 00b0000001\n<- 6986: \n-> 00d60000 01ff\n'
    imported = parse_lines(text.splitlines(), "x", "x.log", expect_data=True)
    loaded = load_script(write(tmp_path, "\n".join(script_as_toml(imported))))
    assert [cmd.replace(" ", "") for cmd in commands(loaded)] == commands(imported)
    assert expectations(loaded) == expectations(imported)
    assert [step.head.destructive for step in loaded.steps] == [False, False, True]
