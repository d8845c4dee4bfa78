"""What `bcast-uicc run CARDFILE` does without: a module that it imports is waited for at every start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from card import CardProfile, create_card

ROOT = Path(__file__).parents[2]
NOT_NEEDED = (
    "aiohttp", "asyncio", "card.crypto.tls_psk", "card.inspection", "card.personalisation", "card.profile",
    "host_tools.content", "host_tools.exchange", "host_tools.headend", "host_tools.terminal", "http", "jinja2",
    "logging", "lxml", "rich", "smartcard", "sqlalchemy", "ssl", "tomllib", "vpicc_bridge.pcscd", "xml",
)  # fmt: skip
STARTS = """
import os, socket, sys, threading
from host_tools.cli.main import invoke
vpcd = socket.create_server(("127.0.0.1", 0))
def ask():
    line, _ = vpcd.accept()
    line.sendall(bytes((0, 1, 4)))
    assert line.recv(64)[2:3] == b";"
    print("IMPORTED", *sorted(sys.modules), flush=True)
    os._exit(0)
threading.Thread(target=ask, daemon=True).start()
sys.exit(invoke(["run", sys.argv[1], "--port", str(vpcd.getsockname()[1])]))
"""


def test_what_a_start_does_without(tmp_path: Path) -> None:
    file = tmp_path / "started.card"
    create_card(CardProfile.demo(), file).close()
    command = [sys.executable, "-c", STARTS, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("IMPORTED")]
    imported = line.split()[1:]
    assert "card.commands.table" in imported
    waited_for = [name for name in imported for least in NOT_NEEDED if f"{name}.".startswith(f"{least}.")]
    assert waited_for == []
