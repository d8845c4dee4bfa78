"""What is left when a part of the chain is killed: one sentence, the counters so far, no process and no folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from card.spec.bcast.p1 import P1
from host_tools.cli.exits import ExitCode
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record
from tests.integration.test_demo_pcsc import descendants
from vpicc_bridge.pcscd import SOCKET_VARIABLE, PrivatePcscd

pytestmark = pytest.mark.pcscd

PROGRAM = [sys.executable, "-m", "host_tools.cli.main"]
PATIENCE = 60.0
PLAYED = 200_000  # bytes of the capture before the kill; a pipe holds fewer, so play is in the middle of it


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder for temporary files that pcscd's own user can enter, and whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="bu-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def started(*arguments: str, env: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*PROGRAM, *arguments], env={**env, "PYTHONUNBUFFERED": "1"}, cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("victim", ["card", "pcscd"])
def test_a_reader_that_is_killed_while_a_broadcast_plays(tmp_path: Path, victim: str) -> None:
    pcap, pipe = record(shipped_scenario("demo"), tables=P1).pcap, tmp_path / "live.pcap"
    os.mkfifo(pipe)
    with PrivatePcscd(slots=2) as pcscd:
        env, port, reader = pcscd.environ(), str(pcscd.ports[0]), pcscd.reader_names[0]
        options = ("--reader", reader, "--scenario", "demo", "--profile", "usim", "--pin", "1234", "--json")
        with (
            started("run", "usim", "--fresh", "--port", port, env=env, folder=tmp_path) as card,
            started("terminal", "play", str(pipe), *options, env=env, folder=tmp_path) as play,
        ):
            with contextlib.suppress(BrokenPipeError), pipe.open("wb") as file:
                file.write(pcap[:PLAYED])
                killed = card.pid if victim == "card" else pcscd.pid or 0
                os.kill(killed, signal.SIGKILL)
                wait_until(lambda: not is_running(killed))  # else play may come to its end before that
                file.write(pcap[PLAYED:])
            out, err = play.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert play.returncode == ExitCode.ENVIRONMENT
    assert err == f"Error: The card in reader “{reader}” vanished while it was in use.\n"
    assert 0 < result["stkms"]["seen"] < 48
    assert 0 < result["packets"]["decrypted"] < 1200


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("command", [("run", "usim", "--fresh", "--private-pcscd"), ("demo", "--no-keep")])
def test_nothing_runs_on(shared_folder: Path, tmp_path: Path, command: tuple[str, ...], number: signal.Signals) -> None:
    with started(*command, env={**os.environ, "TMPDIR": str(shared_folder)}, folder=tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "ATR" in line:
                break
        below = descendants(process.pid)
        assert len(below) >= 2  # pcscd and what guards it
        process.send_signal(number)
        process.wait(PATIENCE)
        wait_until(lambda: not any(map(is_running, below)))
    left = [path.name for path in shared_folder.iterdir()]
    if number is signal.SIGKILL:  # the demo's own folder stays: nobody was left to remove it
        assert [name for name in left if not name.startswith("bcast-uicc-demo-")] == []
    else:
        assert left == []


def test_run_ends_when_its_own_pcscd_does(tmp_path: Path) -> None:
    with started("run", "usim", "--fresh", "--private-pcscd", env=dict(os.environ), folder=tmp_path) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip().partition(f"{SOCKET_VARIABLE}=")[2]).parent
        for line in process.stdout:
            if "Ctrl-C" in line:
                break
        for pid in descendants(process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may have ended meanwhile
                if Path(f"/proc/{pid}/comm").read_text().strip() == "pcscd":
                    os.kill(pid, signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.ENVIRONMENT
    assert err.splitlines()[-1] == "Error: the private pcscd was ended by signal 9."
    assert not folder.exists()
