"""A UDP relay that loses, doubles, delays and so reorders datagrams, as a seed says."""

from __future__ import annotations

import heapq
import random
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from host_tools.exchange.transport import Endpoint

_TICK = 0.05
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares of datagrams that are lost and doubled (0 to 1), and the longest delay in seconds."""

    lost: float = 0.0
    doubled: float = 0.0
    delay: float = 0.0


class LossyRelay:
    """Relays what comes to its places on to others, and what those answer back to whoever sent last.

    `ways` maps a place of its own to where its datagrams go on to. `counts` has `seen`, `lost`, `doubled`, `passed`;
    `passed` lists what was passed on towards the destinations, in this order.
    """

    def __init__(self, ways: Mapping[Endpoint, Endpoint], weather: Weather, seed: int) -> None:
        self.weather = weather
        self.counts: Counter[str] = Counter()
        self.passed: list[bytes] = []
        self._random = random.Random(seed)
        self._targets: dict[socket.socket, Endpoint] = {}
        self._senders: dict[socket.socket, Endpoint] = {}
        for place, target in ways.items():
            bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            bound.bind((place.address, place.port))
            bound.setblocking(False)
            self._targets[bound] = target
        self._due: list[tuple[float, int, socket.socket, Endpoint, bytes]] = []
        self._order = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for bound in self._targets:
            bound.close()

    @property
    def is_still(self) -> bool:
        """Whether all that was seen is lost or passed on."""
        counts = self.counts
        return counts["passed"] == counts["seen"] - counts["lost"] + counts["doubled"]

    def _run(self) -> None:
        with selectors.DefaultSelector() as watched:
            for bound in self._targets:
                watched.register(bound, selectors.EVENT_READ)
            while not self._ended.is_set():
                wait = min(_TICK, max(self._due[0][0] - time.monotonic(), 0)) if self._due else _TICK
                for key, _ in watched.select(wait):
                    assert isinstance(key.fileobj, socket.socket)
                    self._take(key.fileobj)
                self._send_due()

    def _take(self, bound: socket.socket) -> None:
        try:
            payload, source = bound.recvfrom(_PIECE)
        except OSError:  # nobody listened where the last one went
            return
        sender, target = Endpoint(*source[:2]), self._targets[bound]
        if sender == target:
            target = self._senders.get(bound, sender)
        else:
            self._senders[bound] = sender
        self.counts["seen"] += 1
        if self._random.random() < self.weather.lost:
            self.counts["lost"] += 1
            return
        copies = 1
        if self._random.random() < self.weather.doubled:
            self.counts["doubled"] += 1
            copies = 2
        for _ in range(copies):
            self._order += 1
            at = time.monotonic() + self._random.random() * self.weather.delay
            heapq.heappush(self._due, (at, self._order, bound, target, payload))

    def _send_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, bound, target, payload = heapq.heappop(self._due)
            self.counts["passed"] += 1
            if target == self._targets[bound]:
                self.passed.append(payload)
            bound.sendto(payload, (target.address, target.port))
