"""`bcast-uicc script` and `bcast-uicc trace` as a person uses them."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from host_tools.cli.main import invoke
from tests.unit.host_tools.script.fakes import ICCID, OPC, K, write

CARD = ("--link", "inprocess", "--profile", "usim")
GOOD = '[[step]]\nname = "MF"\napdu = "00A40004023F0000"\ntlv = { "62/83" = "3F00" }\n'
BAD = '[[step]]\nname = "nothing there"\napdu = "00A40004026FFE00"\n'


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BCAST_UICC_PIN", "BCAST_UICC_K", "BCAST_UICC_OPC", "BCAST_UICC_ALLOW_ICCID"):
        monkeypatch.delenv(name, raising=False)


def test_a_good_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["script", "run", str(write(tmp_path, GOOD)), *CARD]) == 0
    assert "test: 1 passed" in capsys.readouterr().out


def test_a_failing_script_is_explained_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    junit, lines, trace = tmp_path / "r.xml", tmp_path / "r.jsonl", tmp_path / "t.jsonl"
    options = ["--junit", str(junit), "--json", str(lines), "--trace", str(trace)]
    assert invoke(["script", "run", str(write(tmp_path, GOOD + BAD)), *CARD, *options]) == 1
    shown = capsys.readouterr().out
    assert "test.toml:5: nothing there" in shown
    assert "9000: normal ending of the command or 91XX wanted, 6A82: file not found came" in shown
    assert ElementTree.parse(junit).getroot()[0].get("failures") == "1"
    assert json.loads(lines.read_text().splitlines()[-1])["summary"]["failed"] == 1
    assert invoke(["trace", "filter", str(trace), "sw=6A82"]) == 0
    assert "SELECT by FID 6FFE" in capsys.readouterr().out


def test_json_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["script", "run", str(write(tmp_path, GOOD)), *CARD, "--json", "-"]) == 0
    assert [json.loads(line).get("status") for line in capsys.readouterr().out.splitlines()] == ["passed", None]


def test_a_script_that_is_wrong_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, '[[step]]\nadpu = "00"\n')
    for command in (["script", "run", str(path), *CARD], ["script", "lint", str(path)]):
        assert invoke(command) == 5
        assert "test.toml:2: unknown key 'adpu' (did you mean 'apdu'?)" in capsys.readouterr().err


def test_suites_by_name_with_leave_to_change_the_card(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", "1234")
    monkeypatch.setenv("BCAST_UICC_K", K)
    monkeypatch.setenv("BCAST_UICC_OPC", OPC)
    assert invoke(["script", "run", "all", *CARD, "--destructive", "--allow-iccid", ICCID]) == 0
    shown = "".join(capsys.readouterr())
    assert re.search(r"^mbms: \d+ passed  \(", shown, re.MULTILINE)
    assert "1234" not in shown
    assert K not in shown


def test_list_and_lint(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["script", "list"]) == 0
    assert "mbms           MBMS: MUKs, MSKs and MTKs" in capsys.readouterr().out
    assert invoke(["script", "lint", "all", "--strict"]) == 0


def test_strict_lint_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, '[[step]]\napdu = "00200001 08 3132333435363738"\n')
    assert invoke(["script", "lint", str(path)]) == 0
    assert invoke(["script", "lint", str(path), "--strict"]) == 5
    assert "a PIN is written in the script" in capsys.readouterr().out


def test_a_session_becomes_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = "# a session\n00 A4 00 04 3F00 /\nreset\n00 20 00 01 31323334FFFFFFFF\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(session))
    output = tmp_path / "recorded.toml"
    assert invoke(["script", "record", str(output), *CARD]) == 0
    assert "9000: 62" in capsys.readouterr().out
    assert "31323334" not in output.read_text()
    assert invoke(["script", "run", str(output), *CARD, "--pin", "1234"]) == 0


def test_import_export_and_trace_to_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(tmp_path, "-> 00a40004023f00\n<- 6a86: \n-> 00b0000001\n<- 6986: \n", "session.log")
    imported = tmp_path / "imported.toml"
    assert invoke(["script", "import", str(log), "-o", str(imported)]) == 0
    trace = tmp_path / "t.pcapng"
    assert invoke(["script", "run", str(imported), *CARD, "--trace", str(trace)]) == 1
    assert invoke(["script", "record", str(tmp_path / "again.toml"), "--from", str(trace)]) == 0
    assert invoke(["script", "lint", str(tmp_path / "again.toml")]) == 0
    capsys.readouterr()
    assert invoke(["script", "export", str(imported)]) == 0
    assert "00 A4 00 04 02 3F 00" in capsys.readouterr().out


def test_traces_are_shown_converted_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    script = str(write(tmp_path, GOOD + '[[step]]\napdu = "00A40004022FE200"\n[[step]]\napdu = "00B000000A"\n'))
    assert invoke(["script", "run", script, *CARD, "--trace", str(first)]) == 0
    assert invoke(["script", "run", script, "--link", "inprocess", "--profile", "usim-t1", "--trace", str(second)]) == 0
    capsys.readouterr()
    assert invoke(["trace", "show", str(first)]) == 0
    assert "62 FCP template" in capsys.readouterr().out
    assert invoke(["trace", "diff", str(first), str(first)]) == 0
    assert invoke(["trace", "diff", str(first), str(second)]) == 1
    assert "byte" in capsys.readouterr().out
    converted = tmp_path / "c.pcapng"
    assert invoke(["trace", "filter", str(first), "-o", str(converted)]) == 0
    assert invoke(["trace", "show", str(converted), "--brief"]) == 0
    assert "READ BINARY" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["script", "run", "no-such-script", *CARD], 5),
        (["script", "run", "usim", *CARD, "--set", "x=zz"], 2),
        (["script", "run", "usim", *CARD, "--gsmtap", "host:port"], 2),
        (["script", "run", "usim", *CARD, "--junit", "/nowhere/x.xml"], 3),
        (["script", "run", "usim", *CARD, "--trace", "/nowhere/x.jsonl"], 3),
        (["trace", "show", "/nowhere/x.jsonl"], 5),
        (["trace", "show", __file__], 5),
        (["trace", "show", "/nowhere/x.pcap"], 5),
        (["trace", "filter", __file__, "nonsense"], 2),
        (["script", "import", "/nowhere/x.log"], 5),
    ],
)
def test_what_goes_wrong_is_one_sentence(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(arguments) == code
    shown = capsys.readouterr().err
    assert "Error: " in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_tap_ends_in_peace_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "host_tools.cli.main", "trace", "tap", "--listen", "0", "-o", str(tmp_path / "t")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("listening on port ")
        process.send_signal(number)
        _, rest = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, rest) == (0, "")
