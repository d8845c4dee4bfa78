"""`bcast-uicc run` in a real reader: a USIM appears, answers, shows its trace, and leaves."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.pcsc_client import PATIENCE, Client
from vpicc_bridge.pcscd import SOCKET_VARIABLE, PrivatePcscd

pytestmark = pytest.mark.pcscd

SELECT_MF = bytes.fromhex("00a40004023f00")
LIST_CARDS = (
    "import time\n"
    "from smartcard.System import readers\n"
    "from smartcard.Exceptions import NoCardException\n"
    "for attempt in range(1200):\n"
    "    try:\n"
    "        connection = readers()[0].createConnection()\n"
    "        connection.connect()\n"
    "    except NoCardException:\n"
    "        time.sleep(0.05)\n"
    "        continue\n"
    "    print(bytes(connection.getATR()).hex())\n"
    "    break\n"
)


@contextmanager
def running(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "host_tools.cli.main", "run", "usim", "--fresh", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("bridge", ["native", "vpicc"])
def test_the_usim_appears_and_leaves(private_pcscd: PrivatePcscd, client: Client, tmp_path: Path, bridge: str) -> None:
    reader, port = private_pcscd.reader_names[0], private_pcscd.ports[0]
    with running("--port", str(port), "-v", "--bridge", bridge, folder=tmp_path) as process:
        client.wait_present(reader)
        with client.connected(reader) as handle:
            atr = handle.atr()
            assert handle.transmit(SELECT_MF)[-2] in (0x61, 0x90)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    client.wait_empty(reader)
    assert process.returncode == 0, errors
    assert atr.hex(" ").upper() in output
    assert "SELECT" in output


CONNECT_ONCE = (
    "from smartcard.System import readers\n"
    "connection = readers()[0].createConnection()\n"
    "connection.connect()\n"
    "print(bytes(connection.getATR()).hex())\n"
)


def until_ready(process: subprocess.Popen[str], lines: list[str]) -> list[str]:
    """Add what a process says to `lines`, up to the line that says that the card can be used; return them."""
    assert process.stdout is not None
    while not lines or not lines[-1].startswith("Ready:"):
        lines.append(process.stdout.readline())
        assert lines[-1], "the line did not come"
    return lines


def test_a_client_that_waits_for_the_line_finds_the_card(tmp_path: Path) -> None:
    with running("--private-pcscd", folder=tmp_path) as process:
        lines = until_ready(process, [])
        name, _, path = lines[0].strip().rpartition("export ")[2].partition("=")
        command = [sys.executable, "-W", "ignore", "-c", CONNECT_ONCE]
        seen = subprocess.run(command, env={name: path}, capture_output=True, text=True, check=True, timeout=60).stdout
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert bytes.fromhex(seen)[0] == 0x3B


def test_a_private_pcscd_on_the_command_line(tmp_path: Path) -> None:
    with running("--private-pcscd", folder=tmp_path) as process:
        assert process.stdout is not None
        name, _, path = process.stdout.readline().strip().rpartition("export ")[2].partition("=")
        assert name == SOCKET_VARIABLE
        seen = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", LIST_CARDS],
            env={name: path},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout.strip()
        lines = until_ready(process, [])  # the client may have been faster
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    shown = re.search(r"ATR: +([0-9A-F ]+)", "".join(lines))
    assert shown is not None
    assert bytes.fromhex(seen) == bytes.fromhex(shown[1])
    assert process.returncode == 0
    assert not Path(path).parent.exists()
