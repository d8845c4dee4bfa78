"""Ports that a test names before somebody else opens them.

They are not those that the system gives to whoever asks for any: one of those that was found free is soon had by a
connection of another test. And each worker of pytest-xdist has ports of its own.
"""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import ExitStack
from pathlib import Path

_FIRST = 10_000
_OF_A_WORKER = 1024
_BLOCK = 16
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_BLOCKS = itertools.count(os.getpid())
"""Runs beside each other begin at different ones."""


def free_ports(address: str, count: int = 1) -> int:
    """Return the first of so many ports that nobody has, neither of TCP nor of UDP."""
    assert 0 < count <= _BLOCK
    workers = max((_system_begins_at() - _FIRST) // _OF_A_WORKER, 1)
    begins = _FIRST + _worker() % workers * _OF_A_WORKER
    blocks = _OF_A_WORKER // _BLOCK
    for number in itertools.islice(_BLOCKS, blocks):
        first = begins + number % blocks * _BLOCK
        if _are_free(address, range(first, first + count)):
            return first
    raise AssertionError("no free ports")


def head_end_ports() -> tuple[str, ...]:
    """Return options for the ports of a head-end that is ended and started again at the same ones."""
    bsm = free_ports("127.0.0.1", 3)
    return "--port", str(bsm), "--bsf-port", str(bsm + 1), "--push-port", str(bsm + 2)


def _worker() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _system_begins_at() -> int:
    return int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768


def _are_free(address: str, ports: range) -> bool:
    with ExitStack() as opened:
        try:
            for port in ports:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    opened.enter_context(socket.socket(socket.AF_INET, kind)).bind((address, port))
        except OSError:
            return False
    return True
