"""Logs of other programs, as they really look."""

from __future__ import annotations

import pytest

from host_tools.script.lint import lint_script
from host_tools.script.model import ApduStep, Script
from host_tools.script.oneline import parse_lines

# What scriptor 1.6 (pcsc-tools) prints for a file of four commands.
SCRIPTOR = """\
Using T=0 protocol
# SELECT MF gives an FCP template = ok
00 A4 00 04 02 3F 00 00
> 00 A4 00 04 02 3F 00 00
< 62 1D 82 02 78 21 83 02 3F 00 A5 03 80 01 71 8A\x20
01 05 8B 03 2F 06 01 C6 06 90 01 80 83 01 01 90\x20
00 : Normal processing.
# SELECT EF_ICCID = ok
00A40004022FE200
> 00 A4 00 04 02 2F E2 00\x20
< 62 17 82 02 41 21 83 02 2F E2 8A 01 05 8B 03 2F\x20
06 02 80 02 00 0A 88 01 10 90 00 : Normal processing.
reset
> RESET
< OK: 3B 9F 96 80 1F C7 80 31 E0 73 FE 21 13 67 42\x20
00 84 00 \\
00 08
> 00 84 00 00 08
< D0 0D 5F 5E 0D 9B 3A 2C 90 00 : Normal processing.
"""


def read(text: str, *, expect_data: bool = False) -> Script:
    return parse_lines(text.splitlines(), "x", "x.log", expect_data=expect_data)


def told(script: Script) -> list[tuple[str, str, str | None]]:
    return [
        (step.command.text, step.expect.sw.text, step.expect.data.text if step.expect.data else None)
        for step in script.steps
        if isinstance(step, ApduStep)
    ]


def test_scriptor_breaks_answers_after_sixteen_bytes() -> None:
    script = read(SCRIPTOR, expect_data=True)
    assert told(script) == [
        ("00A40004023F0000", "9000", "621D8202782183023F00A5038001718A01058B032F0601C606900180830101"),
        ("00A40004022FE200", "9000", "62178202412183022FE28A01058B032F06028002000A880110"),
        ("0084000008", "9000", None),
    ]
    challenge = script.steps[-1]
    assert isinstance(challenge, ApduStep)
    assert challenge.expect.length == range(8, 9)  # a random number: its length counts
    assert script.remarks == ()


def test_a_command_line_goes_on_behind_a_backslash() -> None:
    script = read("# Select\n00 A4 00 \\\n 04 02 \\\n3F 00\n00 B0 00 00 \\\n")
    assert [text for text, _, _ in told(script)] == ["00A40004023F00", "00B00000"]
    assert (script.steps[0].head.name, script.steps[0].head.place.line) == ("Select", 2)


def test_exit_ends_a_list_of_commands() -> None:
    assert len(read("00A40004023F00\nexit\nthis is never read\n").steps) == 1


@pytest.mark.parametrize(
    "prefix",
    [
        "INFO     root: ",
        "2026-01-02 03:04:05,678 INFO pySim.transport ",
        "[12:00:01] DEBUG <module>: ",
        "\x1b[32mINFO\x1b[0m:root:",
        "\x1b[32m",
        "",
    ],
)
def test_marks_behind_the_words_of_a_logging_library(prefix: str) -> None:
    script = read(f"{prefix}-> 00a40004023f00\n{prefix}<- 9000: 6200\n-> 00b0000001\n<- 6986: \n", expect_data=True)
    assert told(script) == [("00A40004023F00", "9000", "6200"), ("00B0000001", "6986", "")]
    assert script.remarks == ()


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("-> 00b0000001\n<- 6986: \n00B0000002\n", "x.log:3: 1 line was not understood"),
        ("hello\n-> 00b0000001\nINFO -> not hex\n", "x.log:1: 2 lines were not understood, this is the first"),
        ("-> 00b0000001\n<- KO: the card is gone\n", "x.log:2: 1 line was not understood"),
        ("<- 9000: \n-> 00b0000001\n", "x.log:1: 1 line was not understood"),
    ],
)
def test_what_is_not_understood_is_told(text: str, remark: str) -> None:
    script = read(text)
    assert [str(problem) for problem in script.remarks] == [f"{remark} (what stands there is not in the script)"]
    assert script.remarks[0] in list(lint_script(script))
