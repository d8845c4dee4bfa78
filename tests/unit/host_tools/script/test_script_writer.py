from __future__ import annotations

import io
from pathlib import Path

from card.crypto.secret import Secret
from host_tools.script.load import load_script
from host_tools.script.oneline import parse_lines
from host_tools.script.runner import Runner, RunOptions
from host_tools.script.values import Value
from host_tools.script.writer import ScriptWriter, script_as_scriptor
from host_tools.trace.record import Recorder, RecordingLink
from tests.unit.host_tools.script.fakes import ICCID, PIN, demo_link, statuses, write

SESSION = [
    "00A40004023F0000", "00A4040410A0000000871002FFFFFFFF890709000000", "0020000108" + "31323334FFFFFFFF",
    "00A40004026F0700", "00B0000009", "0088008111" + "10" + "00" * 16 + "00", "00D6000001FF",
]  # fmt: skip


def recorded(*, expect_data: bool = True) -> str:
    """Return the script recorded from a session with a fresh demo card."""
    file = io.StringIO()
    link = demo_link()
    recording = RecordingLink(link, Recorder("test", [ScriptWriter(file, 'a "title"', expect_data=expect_data)]))
    for command in SESSION:
        recording.transmit(bytes.fromhex(command))
    recording.reset()
    recording.transmit(bytes.fromhex("00A40004022FE200"))
    text = file.getvalue()
    recording.close()
    return text


def test_a_recorded_session_passes_on_an_equal_card(tmp_path: Path) -> None:
    text = recorded()
    script = load_script(write(tmp_path, text))
    options = RunOptions(
        pin=Secret(PIN),
        variables={"pin": Value(PIN.ljust(8, b"\xff"), secret=True)},
        destructive=True,
        allowed_iccids=frozenset({ICCID}),
    )
    results = list(Runner(demo_link(), options).run(script))
    assert set(statuses(results)) == {"passed"}
    assert len(results) == len(SESSION) + 2


def test_no_secret_is_recorded() -> None:
    text = recorded()
    assert "31323334" not in text
    assert "{pin}" in text


def test_a_recorded_script_finds_another_card_different(tmp_path: Path) -> None:
    script = load_script(write(tmp_path, recorded()))
    results = list(Runner(demo_link("usim-t1"), RunOptions()).run(script))
    assert "failed" in statuses(results)


def test_without_data_only_status_and_length_count() -> None:
    text = recorded(expect_data=False)
    assert "data = " not in text
    assert "length = 9" in text


def test_scriptor_export_unrolls_and_leaves_out_what_it_cannot_know(tmp_path: Path) -> None:
    text = """
[script]
title = "t"
[variables]
pin = { env = "X", form = "pin" }
base = "2F"
[[step]]
reset = true
[[step]]
name = "select"
apdu = "00A4000C [{base}{n}]"
for = { variable = "n", from = 1, to = 2 }
[[step]]
name = "verify"
apdu = "00200001 [{pin}]"
[[step]]
apdu = "0084000004"
capture = { c = "data" }
[[step]]
name = "answer"
apdu = "00820000 [{c}]"
"""
    lines = list(script_as_scriptor(load_script(write(tmp_path, text))))
    commands = [line for line in lines if not line.startswith("#")]
    assert commands == ["reset", "00 A4 00 0C 02 2F 01", "00 A4 00 0C 02 2F 02", "00 84 00 00 04"]
    assert "# left out: verify: {pin} has no value: it comes from the environment variable X" in lines
    assert "# left out: answer: {c} has no value: it is captured from an answer" in lines
    again = parse_lines(lines, "x", "x")
    assert len(again.steps) == 4
