"""Doubles for both ends of the bridge: a card that keeps a diary, and a vpcd at the other end of a socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from vpicc_bridge.notices import Notice

LOOPBACK = "127.0.0.1"
OFF, ON, RESET, ATR = b"\x00", b"\x01", b"\x02", b"\x04"
PATIENCE = 60.0
"""Seconds until what does not come counts as missing: a process may start slowly, and nothing is measured by it."""


class DiaryCard:
    """Writes down every call; answers an APDU with itself and 9000, or raises what it is told to raise."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.diary: list[str] = []
        self.failure = failure

    @property
    def atr(self) -> bytes:
        self._maybe_fail()
        return b"\x3b\x01\x77"

    def power_on(self) -> bytes:
        return self._write("on")

    def power_off(self) -> None:
        self._write("off")

    def reset(self) -> bytes:
        return self._write("reset")

    def transmit(self, apdu: bytes, /) -> bytes:
        self._write(apdu.hex())
        return apdu + b"\x90\x00"

    def _write(self, entry: str) -> bytes:
        self.diary.append(entry)
        self._maybe_fail()
        return b"\x3b\x01\x77"

    def _maybe_fail(self) -> None:
        if self.failure is not None:
            raise self.failure


@dataclass
class Notebook:
    """An observer that keeps what it is told."""

    notices: list[Notice] = field(default_factory=list)

    def notice(self, notice: Notice, /) -> None:
        self.notices.append(notice)

    def kinds(self) -> list[str]:
        return [type(notice).__name__ for notice in self.notices]


class FakeVpcd:
    """vpcd's side of one line."""

    def __init__(self, line: socket.socket) -> None:
        line.settimeout(PATIENCE)
        self.line = line

    def send(self, body: bytes, *, whole: bool = False) -> None:
        """Send as vpcd does: length and body apart; `whole`: at once, where a silence between them would be judged."""
        length = len(body).to_bytes(2, "big")
        for piece in (length + body,) if whole else (length, body):
            self.line.sendall(piece)

    def ask(self, body: bytes, *, whole: bool = False) -> bytes:
        self.send(body, whole=whole)
        return self._exactly(int.from_bytes(self._exactly(2), "big"))

    def is_closed(self) -> bool:
        """Wait for the other side to close the line."""
        try:
            return self.line.recv(1) == b""
        except ConnectionResetError:
            return True

    def stays_quiet(self, seconds: float) -> None:
        """Fail if the other side sends anything, or closes, within `seconds`."""
        self.line.settimeout(seconds)
        with pytest.raises(TimeoutError):
            self.line.recv(1)
        self.line.settimeout(PATIENCE)

    def close(self) -> None:
        self.line.close()

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            portion = self.line.recv(count - len(received))
            assert portion, "the card closed the line"
            received += portion
        return received


class FakePort:
    """vpcd's listening port for one slot."""

    def __init__(self) -> None:
        self.server = socket.create_server((LOOPBACK, 0))
        self.server.settimeout(PATIENCE)
        self.port: int = self.server.getsockname()[1]
        self._accepted: list[FakeVpcd] = []

    def accept(self) -> FakeVpcd:
        self._accepted.append(FakeVpcd(self.server.accept()[0]))
        return self._accepted[-1]

    def close(self) -> None:
        """Close the port and every line taken from it."""
        self.server.close()
        for vpcd in self._accepted:
            vpcd.close()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.005)
