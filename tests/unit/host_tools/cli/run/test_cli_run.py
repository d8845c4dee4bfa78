"""`bcast-uicc run` as a process of its own, against a vpcd made of a loopback socket."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from host_tools.cli.run.commands import Console, run
from host_tools.sessions.errors import SessionError
from host_tools.sessions.place import AskedCard, Outlook, Place, hint, watch
from tests.unit.vpicc_bridge.fakes import ATR, LOOPBACK, ON, PATIENCE, DiaryCard, FakePort, FakeVpcd, wait_until
from vpicc_bridge.notices import Connected, Disconnected, Occupied, Unreachable

SELECT_MF = bytes.fromhex("00a40004023f00")
PROFILE = "usim"


@pytest.fixture
def port() -> Iterator[FakePort]:
    made = FakePort()
    yield made
    made.close()


@contextmanager
def running(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "host_tools.cli.main", "run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_card_answers_shows_its_trace_and_leaves_cleanly(
    port: FakePort, tmp_path: Path, number: signal.Signals
) -> None:
    with running(PROFILE, "--fresh", "--port", str(port.port), "-v", folder=tmp_path) as process:
        vpcd = port.accept()
        vpcd.send(ON)
        atr = vpcd.ask(ATR)
        assert atr[0] == 0x3B
        assert vpcd.ask(SELECT_MF)[-2] in (0x61, 0x90)
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE)
        assert vpcd.is_closed()
    assert process.returncode == 0
    assert atr.hex(" ").upper() in output
    assert "A0000000871002" in output
    assert "SELECT" in output
    assert output.count("Ready:    the reader has the card\n") == 1
    assert output.index("Ctrl-C takes") < output.index("Ready:") < output.index("SELECT") < output.index("Card taken")
    assert "Card taken out." in output
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["removal", "mute"])
def test_a_card_that_was_pulled_is_back_on_the_port_it_listened_on(tmp_path: Path, kind: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(f'[[fault]]\nkind = "{kind}"\ncommand = "SELECT"\nat = 1\nback_after = 0\n')
    with running(PROFILE, "--fresh", "--listen", "--port", "0", "--faults", str(plan), folder=tmp_path) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        address = LOOPBACK, int(first.rpartition(":")[2].rstrip(")\n"))
        with closing(call(address)) as vpcd:
            vpcd.send(ON)
            vpcd.ask(ATR)
            vpcd.send(SELECT_MF)
            assert vpcd.is_closed()
        with closing(call(address)) as vpcd:
            vpcd.send(ON)
            assert vpcd.ask(SELECT_MF)[-2] in (0x61, 0x90)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert errors.splitlines().count(f"fault: {kind} at SELECT #1") == 1
    assert "failed" not in errors


def call(address: tuple[str, int]) -> FakeVpcd:
    """Call a card that listens, as vpcd does in its reversed mode; it may not be back yet."""
    made: list[FakeVpcd] = []

    def answered() -> bool:
        with suppress(ConnectionRefusedError):
            made.append(FakeVpcd(socket.create_connection(address)))
        return bool(made)

    wait_until(answered)
    return made[0]


def test_a_second_ctrl_c_does_not_cut_the_clean_up_short(port: FakePort, tmp_path: Path) -> None:
    with running(PROFILE, "--fresh", "--port", str(port.port), folder=tmp_path) as process:
        port.accept().ask(ATR)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Card taken out." in output
    assert "interrupted" not in errors


def test_a_kept_card_file_is_released_at_the_end(port: FakePort, tmp_path: Path) -> None:
    for _ in range(2):
        with running(PROFILE, "--port", str(port.port), folder=tmp_path) as process:
            port.accept().ask(ATR)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


def test_a_card_file_in_use_is_exit_6(port: FakePort, tmp_path: Path) -> None:
    arguments = (PROFILE, "--port", str(port.port))
    with running(*arguments, folder=tmp_path):
        port.accept().ask(ATR)
        with running(*arguments, folder=tmp_path) as second:
            _, errors = second.communicate(timeout=PATIENCE)
    assert second.returncode == 6
    assert "Traceback" not in errors


def test_without_vpcd_it_keeps_dialling_and_says_once_what_to_do(tmp_path: Path) -> None:
    taken = socket.socket()
    taken.bind((LOOPBACK, 0))  # bound, not listening: dials are refused, and nobody else gets the port
    number = taken.getsockname()[1]
    with running(PROFILE, "--fresh", "--port", str(number), folder=tmp_path) as process:
        assert process.stderr is not None
        assert "no vpcd at" in process.stderr.readline()
        assert "bcast-uicc doctor" in process.stderr.readline()
        taken.listen()
        taken.settimeout(PATIENCE)
        line, _ = taken.accept()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        line.close()
    taken.close()
    assert process.returncode == 0
    assert "no vpcd" not in errors


def test_a_taken_port_in_listen_mode_is_exit_3(port: FakePort, tmp_path: Path) -> None:
    with running(PROFILE, "--fresh", "--listen", "--port", str(port.port), folder=tmp_path) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert errors == f"Error: cannot listen on {LOOPBACK}:{port.port}: {os.strerror(errno.EADDRINUSE)}.\n"


def test_listen_mode_serves_who_calls(tmp_path: Path) -> None:
    with running(PROFILE, "--fresh", "--listen", "--port", "0", folder=tmp_path) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline().rstrip(")\n").rpartition(":")[2])
        with socket.create_connection((LOOPBACK, number), timeout=PATIENCE) as vpcd:
            vpcd.sendall(b"\x00\x01\x04")
            assert vpcd.recv(3)[2] == 0x3B
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "1", "--slot", "1"),
        ("--listen", "--bridge", "vpicc"),
        ("--private-pcscd", "--host", "::1"),
        ("--private-pcscd", "--port", "9"),
        ("--private-pcscd", "--listen"),
        ("--port", "0"),
        ("--slot", "16"),
        ("--port", "65536"),
    ],
)
def test_contradictions_are_usage_errors(options: tuple[str, ...]) -> None:
    result = CliRunner().invoke(run, [PROFILE, "--fresh", *options])
    assert result.exit_code == 2
    assert "Error:" in result.output


def test_a_missing_profile_is_one_sentence(tmp_path: Path) -> None:
    with running("no-such-profile.toml", folder=tmp_path) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode in (3, 5)
    assert "Traceback" not in errors


def test_a_console_without_a_reader_does_not_disturb_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("host_tools.cli.run.commands.click.echo", broken)
    console = Console(verbose=True)
    console.emit("an event")
    console.notice(Connected("somewhere"))


def test_a_console_hints_only_when_vpcd_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(verbose=False, advice=lambda: "call the doctor")
    console.emit("an event")
    console.notice(Connected("here:1"))
    assert console.outlook.connected
    assert "doctor" not in capsys.readouterr().err
    console.notice(Unreachable("here:1", "Connection refused"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("call the doctor.\n")


def test_it_gives_up_after_the_time_it_may_wait(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))  # bound, not listening: dials are refused, and nobody else gets the port
        number = taken.getsockname()[1]
        with running(PROFILE, "--fresh", "--port", str(number), "--wait", "0.2", folder=tmp_path) as process:
            _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert errors.endswith(f"Error: no vpcd at {LOOPBACK}:{number} within 0.2 s.\n")
    assert errors.count("bcast-uicc doctor") == 1


def test_it_gives_up_on_a_slot_that_another_card_keeps(port: FakePort, tmp_path: Path) -> None:
    with running(PROFILE, "--fresh", "--port", str(port.port), "--wait", "0.2", folder=tmp_path) as process:
        port.accept()  # and asks nothing
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert f"Error: slot taken: another card sits at {LOOPBACK}:{port.port}" in errors


@pytest.mark.parametrize(
    ("outlook", "reason"),
    [
        (Outlook(), "no vpcd at 127.0.0.1:9 within 0 s: .*doctor"),
        (Outlook(advised=True), r"no vpcd at 127.0.0.1:9 within 0 s\.$"),
        (Outlook(connected=True, occupied=True), "slot taken"),
        (Outlook(connected=True), None),
        (Outlook(connected=True, occupied=True, asked=True), None),
    ],
)
def test_who_waits_gives_up_only_on_a_card_that_is_in_no_reader(outlook: Outlook, reason: str | None) -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    giving_up = pytest.raises(SessionError, match=reason) if reason else nullcontext()
    ending = threading.Timer(1.2, ended.set)  # after two looks
    if reason is None:  # who gives up does so however late the first look is
        ending.start()
    try:
        with giving_up:
            watch(thread, outlook, Place(LOOPBACK, 9, None), 0.0)
    finally:
        ended.set()
        ending.cancel()
        thread.join()


def test_who_waits_for_the_reader_is_told_each_time_it_has_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    """Under power and asked for its ATR; a card that is only looked for is not in yet."""
    console = Console(verbose=False)
    card = AskedCard(DiaryCard(), console.outlook, console.card_is_in)
    for _ in range(2):
        console.notice(Connected("x"))
        assert card.atr
        assert "Ready" not in capsys.readouterr().out
        card.power_on()
        assert card.atr == card.atr
        card.power_off()
        assert card.atr
        assert capsys.readouterr().out.count("Ready:    the reader has the card") == 1
        console.notice(Disconnected("x", "gone"))


@pytest.mark.parametrize("ask", [lambda card: card.atr, lambda card: card.power_on()])
def test_a_reader_that_asks_is_noted(ask: Callable[[AskedCard], bytes]) -> None:
    outlook = Outlook()
    card = AskedCard(DiaryCard(), outlook)
    assert not outlook.asked
    assert ask(card) == DiaryCard().atr
    assert outlook.asked


def test_a_line_that_is_lost_is_out_again() -> None:
    console = Console(verbose=False)
    console.notice(Connected("here:1"))
    console.notice(Occupied("here:1"))
    assert (console.outlook.connected, console.outlook.occupied) == (True, True)
    console.notice(Disconnected("here:1", "vpcd closed the connection"))
    assert (console.outlook.connected, console.outlook.occupied) == (False, False)


def test_a_card_that_was_connected_stays_however_short_the_wait(port: FakePort, tmp_path: Path) -> None:
    with running(PROFILE, "--fresh", "--port", str(port.port), "--wait", "2", folder=tmp_path) as process:
        vpcd = port.accept()
        vpcd.send(ON)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        assert vpcd.ask(ATR)[0] == 0x3B
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 80])
def test_a_host_that_does_not_exist(tmp_path: Path, host: str) -> None:
    with running(PROFILE, "--fresh", "--host", host, folder=tmp_path) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert errors.startswith(f"Error: --host {host}: ")
    assert errors.count("\n") == 1


def test_the_advice_for_another_machine_is_not_about_this_one() -> None:
    advice = hint(Place("192.0.2.1", 35963, None))
    assert "pcscd runs there" in advice
    assert advice[-1].isalpha()  # whoever prints it adds the full stop
    assert "doctor" in hint(Place(LOOPBACK, 35963, None))


def test_the_advice_names_the_fix_and_not_its_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = SimpleNamespace(fix="sudo systemctl start pcscd.socket   # once")
    monkeypatch.setattr("vpicc_bridge.doctor.first_fault", lambda _machine: fault)
    assert hint(Place(LOOPBACK, 35963, None)).startswith("try `sudo systemctl start pcscd.socket`, or use")


def test_a_card_file_is_opened_before_a_pcscd_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[object] = []
    monkeypatch.setattr("host_tools.cli.run.commands.private_place", lambda *arguments: started.append(arguments))
    result = CliRunner().invoke(run, [str(tmp_path / "none.card"), "--private-pcscd"])
    assert result.exit_code == 3
    assert started == []
