"""Two ways to get a TCP line to vpcd: dial it (its normal mode) or wait for its call (its reversed mode)."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Final, Protocol

HAS_QUICKACK: Final = hasattr(socket, "TCP_QUICKACK")
"""Whether this platform has TCP_QUICKACK (Linux). Without it a stock Debian vpcd runs at about 20 APDU/s."""

_DIAL_TIMEOUT: Final = 5.0


class Line(Protocol):
    """Yields connected sockets, one after the other."""

    @property
    def peer(self) -> str:
        """The address as host:port, for people."""

    @property
    def keeps_silent_peers(self) -> bool:
        """Whether a peer that asks nothing may be vpcd, with another card ahead of us in its queue."""

    def connect(self) -> socket.socket:
        """Return a connected socket. Raises `OSError` when there is nobody, or after `close`."""

    def close(self) -> None:
        """Give up; a `connect` under way in another thread ends."""


class Dialler:
    """Dials vpcd, which listens: the normal mode, and the only one that Debian 12's pcscd survives."""

    keeps_silent_peers = True

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)

    @property
    def peer(self) -> str:
        """The address dialled."""
        return f"{self._address[0]}:{self._address[1]}"

    def connect(self) -> socket.socket:
        """Dial once. Raises `OSError`."""
        connection = socket.create_connection(self._address, timeout=_DIAL_TIMEOUT)
        connection.settimeout(None)
        return connection

    def close(self) -> None:
        """Nothing is held between calls; a dial under way ends by itself within seconds."""


class Listener:
    """Listens for vpcd in reversed mode (`DEVICENAME host:port` in pcscd's reader configuration).

    Raises `OSError` at once when the port is taken. Debian 12's pcscd aborts when a slot's card is not
    listening.
    """

    keeps_silent_peers = False

    def __init__(self, host: str, port: int) -> None:
        self._server = socket.create_server((host, port), backlog=1)

    @property
    def port(self) -> int:
        """The port listened on; useful after asking for port 0."""
        return int(self._server.getsockname()[1])

    @property
    def peer(self) -> str:
        """The address listened on."""
        try:
            host, port, *_ = self._server.getsockname()
        except OSError:
            return "a closed port"
        return f"{host}:{port}"

    def connect(self) -> socket.socket:
        """Wait for a call. Raises `OSError` after `close`."""
        connection, _ = self._server.accept()
        return connection

    def close(self) -> None:
        """Stop listening; closing twice is harmless."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


def tune(connection: socket.socket) -> None:
    """Send each reply at once instead of waiting to fill a segment."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def acknowledge_at_once(connection: socket.socket) -> None:
    """Acknowledge what arrives next without delay.

    vpcd sends a length and its body apart without TCP_NODELAY, so the body waits for the length's
    acknowledgement. The kernel forgets the option after each reply: call this after every one. It is worth
    a factor of 600.
    """
    if HAS_QUICKACK:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def limit_receive(connection: socket.socket, seconds: float) -> None:
    """Make a blocking `recv` raise `BlockingIOError` after `seconds`; 0 waits for ever.

    The kernel keeps the time. Python's own socket timeout would put a poll() in front of every recv().
    """
    whole, fraction = divmod(max(seconds, 0.0), 1.0)
    timeval = struct.pack("@ll", int(whole), int(fraction * 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
