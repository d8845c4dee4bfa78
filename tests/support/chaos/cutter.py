"""A TCP relay that cuts connections at a chosen octet, and notes what crossed."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from host_tools.exchange.transport import Endpoint

_PIECE = 65_536
_TICK = 0.05


@dataclass(frozen=True, slots=True)
class Cut:
    """After how many octets towards the server, or back, a connection ends; None: never.

    With `reset` the ends see a reset, else a close.
    """

    up: int | None = None
    down: int | None = None
    reset: bool = False


NEVER = Cut()


@dataclass
class Crossed:
    """What one connection carried: octets that were passed on, in both directions."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


class CuttingRelay:
    """Relays to one server; `plan` says for each connection, counted from 0, where it is cut.

    `source` is the address from which it goes on to the server, so that pushes go there.
    """

    def __init__(self, server: Endpoint, plan: Callable[[int], Cut] = lambda _: NEVER, source: str = "") -> None:
        self.plan = plan
        self.crossed: list[Crossed] = []
        self._server = server
        self._source = source
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_TICK)
        self._thread = threading.Thread(target=self._accept)
        self._carriers: list[threading.Thread] = []

    @property
    def place(self) -> Endpoint:
        """Where it listens."""
        return Endpoint(*self._listening.getsockname()[:2])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for carrier in self._carriers:
            carrier.join()
        self._listening.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            with suppress(TimeoutError):
                client, _ = self._listening.accept()
                crossed, cut = Crossed(), self.plan(len(self.crossed))
                self.crossed.append(crossed)
                carrier = threading.Thread(target=self._carry, args=(client, crossed, cut))
                self._carriers.append(carrier)
                carrier.start()

    def _carry(self, client: socket.socket, crossed: Crossed, cut: Cut) -> None:
        with client, suppress(OSError):
            source = (self._source, 0) if self._source else None
            with socket.create_connection((self._server.address, self._server.port), 5, source) as server:
                self._relay(client, server, crossed, cut)

    def _relay(self, client: socket.socket, server: socket.socket, crossed: Crossed, cut: Cut) -> None:
        ways = {client: (server, crossed.up, cut.up), server: (client, crossed.down, cut.down)}
        with selectors.DefaultSelector() as watched:
            for way in ways:
                watched.register(way, selectors.EVENT_READ)
            while not self._ended.is_set() and watched.get_map():
                for key, _ in watched.select(_TICK):
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    other, passed, limit = ways[end]
                    piece = end.recv(_PIECE if limit is None else min(_PIECE, max(limit - len(passed), 1)))
                    if limit is not None and len(passed) + len(piece) > limit:
                        piece = piece[: limit - len(passed)]
                    if piece:
                        other.sendall(piece)
                        passed += piece
                    if limit is not None and len(passed) >= limit:
                        _end(cut, client, server)
                        return
                    if not piece:
                        watched.unregister(end)
                        other.shutdown(socket.SHUT_WR)


def _end(cut: Cut, *ends: socket.socket) -> None:
    """End a connection on both sides, as a reset where that is wanted."""
    for end in ends:
        if cut.reset:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
