"""Every command that opens a card writes the same traces, without PINs and keys."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from card.profile.schema import demo_path
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent
from host_tools.trace.jsonl import read_json_lines
from tests.support.sac import IMEI, PSK
from tests.unit.vpicc_bridge.fakes import ATR, OFF, ON, FakePort

PIN = b"1234\xff\xff\xff\xff"
CARD = ("--link", "inprocess", "--profile", "usim")
SELECT_USIM = bytes.fromhex("00A4040407A0000000871002")
VERIFY_PIN = bytes.fromhex("0020000108") + PIN
CHALLENGE = bytes.fromhex("0084000008")


@pytest.fixture(autouse=True)
def _pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", "1234")


def names(events: list[TraceEvent]) -> list[int]:
    """Return the instructions of the exchanges."""
    return [event.command[1] for event in events if isinstance(event, TracedExchange)]


def is_clean(trace: Path) -> bool:
    """Tell whether the PIN is in no byte of a trace."""
    raw = trace.read_bytes()
    return PIN not in raw and PIN.hex().encode() not in raw.lower()


@pytest.mark.parametrize(
    "command",
    [("terminal", "info", *CARD), ("terminal", "audit", *CARD), ("demo", "--link", "inprocess", "--no-keep")],
)
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_trace_is_written_in_both_forms(
    command: tuple[str, ...], as_json: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, capture = tmp_path / "t.jsonl", tmp_path / "t.pcapng"
    traces = ("--trace", str(lines), "--trace", str(capture))
    assert invoke([*command, *as_json, *traces, "-v"]) == ExitCode.OK
    shown = capsys.readouterr().err
    events = list(read_json_lines(lines))
    assert isinstance(events[0], CardEvent)
    assert 0x20 in names(events)
    assert "VERIFY PIN 1 [ADF.USIM]" in shown
    assert "00 20 00 01 08 ·· ··" in shown
    assert is_clean(lines)
    assert is_clean(capture)
    assert invoke(["trace", "show", str(capture), "--brief"]) == ExitCode.OK
    assert "VERIFY PIN 1 [ADF.USIM]" in capsys.readouterr().out


def test_the_shell_and_a_recording_write_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell, recording, script = tmp_path / "s.jsonl", tmp_path / "r.jsonl", tmp_path / "r.toml"
    monkeypatch.setattr("sys.stdin", io.StringIO("select USIM\npin\n"))
    assert invoke(["shell", *CARD, "--trace", str(shell)]) == ExitCode.OK
    assert names(list(read_json_lines(shell)))[-1] == 0x20
    assert is_clean(shell)
    monkeypatch.setattr("sys.stdin", io.StringIO("0084000008\n"))
    assert invoke(["script", "record", str(script), *CARD, "--trace", str(recording)]) == ExitCode.OK
    assert names(list(read_json_lines(recording))) == [0x84]
    assert "length = 8" in script.read_text()


def test_both_sides_of_a_secure_channel_are_traced(tmp_path: Path) -> None:
    profile, trace = tmp_path / "card.toml", tmp_path / "t.jsonl"
    psk = f'[sac]\npsk = [{{ terminal_id = "{IMEI}", key = "{PSK.reveal().hex()}" }}]\n'
    profile.write_text(demo_path().read_text() + psk)
    command = ["terminal", "info", "--link", "inprocess", "--profile", str(profile), "--sac", "x-sac-1"]
    assert invoke([*command, "--trace", str(trace)]) == ExitCode.OK
    events = list(read_json_lines(trace))
    inside = [event for event in events if "x-sac-1" in event.link]
    wire = [event for event in events if event not in inside]
    assert 0x20 in names(inside)
    assert 0x20 not in names(wire)
    assert 0x75 in names(wire)
    assert is_clean(trace)


@pytest.mark.parametrize(
    ("option", "status", "said"),
    [
        (("--trace", "/nonexistent/t"), ExitCode.ENVIRONMENT, "/nonexistent/t: cannot be written: No such file"),
        (("--trace", "/dev/full"), ExitCode.ENVIRONMENT, "/dev/full: No space left"),
        (("--gsmtap", "127.0.0.1:0"), ExitCode.USAGE, "HOST or HOST:PORT"),
    ],
)
def test_a_trace_that_cannot_be_written(
    option: tuple[str, str], status: ExitCode, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["terminal", "info", *CARD, *option]) == status
    assert said in capsys.readouterr().err


def test_showing_a_trace_to_a_program_that_leaves_is_no_error(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    assert invoke(["demo", "--link", "inprocess", "--no-keep", "--json", "--trace", str(trace)]) == ExitCode.OK
    program = [sys.executable, "-m", "host_tools.cli.main"]
    with subprocess.Popen(
        [*program, "trace", "show", str(trace)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == ExitCode.BROKEN_PIPE


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_session_in_both_forms_does_not_differ(
    order: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tmp_path / "t.jsonl", tmp_path / "t.pcapng"
    assert invoke(["terminal", "info", *CARD, "--trace", str(files[0]), "--trace", str(files[1])]) == ExitCode.OK
    capsys.readouterr()
    assert invoke(["trace", "diff", *(str(files[index]) for index in order)]) == ExitCode.OK
    assert capsys.readouterr() == ("", "no difference\n")


def test_one_difference_is_told_in_the_singular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, part = tmp_path / "t.jsonl", tmp_path / "p.jsonl"
    assert invoke(["terminal", "info", *CARD, "--trace", str(whole)]) == ExitCode.OK
    part.write_text("".join(whole.read_text().splitlines(keepends=True)[:-1]))
    capsys.readouterr()
    assert invoke(["trace", "diff", str(whole), str(part)]) == ExitCode.DIFFERENT
    shown = capsys.readouterr()
    assert (shown.out[:2], shown.err) == ("- ", "1 difference\n")


@pytest.fixture
def port() -> Iterator[FakePort]:
    made = FakePort()
    yield made
    made.close()


def serve(port: FakePort, *options: str) -> tuple[list[bytes], str, int]:
    """Run a card, ask it three things over vpcd's line, end it; return its answers, what it said, its exit status."""
    command = [sys.executable, "-m", "host_tools.cli.main", "run", "usim", "--fresh", "--port", str(port.port)]
    program = [*command, *options]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            vpcd = port.accept()
            vpcd.send(ON)
            vpcd.ask(ATR)
            answers = [vpcd.ask(apdu) for apdu in (SELECT_USIM, VERIFY_PIN, CHALLENGE)]
            vpcd.send(OFF)
            vpcd.ask(ATR)
        finally:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
    return answers, said, process.returncode


def test_a_running_card_records_what_its_reader_sees(port: FakePort, tmp_path: Path) -> None:
    plan, trace = tmp_path / "plan.toml", tmp_path / "t.jsonl"
    plan.write_text('[[fault]]\nkind = "wrong-sw"\nsw = "6581"\ncommand = "GET CHALLENGE"\n')
    answers, said, status = serve(port, "--trace", str(trace), "--faults", str(plan))
    assert status == ExitCode.OK
    assert said.splitlines().count("fault: wrong-sw 6581 at GET CHALLENGE #1") == 1
    assert answers[-1] == bytes.fromhex("6581")
    events = list(read_json_lines(trace))
    assert [event.what for event in events if isinstance(event, CardEvent)] == ["power on", "power off"]
    exchanges = [event for event in events if isinstance(event, TracedExchange)]
    assert [event.response for event in exchanges] == answers
    assert [event.fault for event in exchanges] == ["", "", "fault: wrong-sw 6581 at GET CHALLENGE #1"]
    assert is_clean(trace)


def test_a_running_card_outlives_its_trace(port: FakePort) -> None:
    answers, said, status = serve(port, "--trace", "/dev/full")
    assert status == ExitCode.OK
    assert answers[1] == bytes.fromhex("9000")
    assert said.count("The trace ends here: No space left on device.") == 1
