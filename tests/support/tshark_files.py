"""Files that tshark writes while it listens: when they have what crossed."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from tests.support.live import wait_until

MARK_PORT = 9
"""Where a mark goes, which nobody takes. A filter must let it pass; Wireshark may be told that it is no protocol."""


def wait_for_beginning(file: Path) -> None:
    """Wait until a capture has begun: the file is made when the filter is set and packets are taken."""
    wait_until(lambda: file.exists() and file.stat().st_size > 0, lambda: f"{file.name} never began")


def wait_for_all(file: Path) -> None:
    """Wait until a file has all that crossed the loopback interface so far.

    The kernel hands packets over in blocks, and what is in a buffer when tshark is ended may be lost. So a mark is sent
    behind them.
    """
    mark = secrets.token_hex(16).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.sendto(mark, ("127.0.0.1", MARK_PORT))
    wait_until(lambda: mark in file.read_bytes(), lambda: f"{file.name} never had the mark")
