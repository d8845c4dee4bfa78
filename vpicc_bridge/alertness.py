"""Whether the next command is awaited awake, because sleeping would take longer than it does to come.

Waking a process takes about as long as vpcd's next message in a burst. Staying awake for nothing costs a processor,
so it is done only inside a burst: where the two commands before came within that time, too. One is not enough: commands
come in pairs (SELECT and READ, a command and the fetching of its answer), and after a pair nothing follows.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Final

_BURST: Final = 2  # commands in a row that came soon after an answer

ALERT: Final = 0.0002
"""Seconds in which the next command of a burst comes.

For a process with one card. With many of them the waking threads would be in each other's way."""


class Alertness:
    """Watches how soon commands follow on answers. For one line, on the thread that serves it."""

    def __init__(self, seconds: float = ALERT) -> None:
        """Take how long to stay awake at most, and how soon the next command makes a burst; 0 sleeps always."""
        self._seconds = seconds
        self._answered: float | None = None
        self._soon = 0  # how many commands in a row came soon

    @property
    def is_awake(self) -> bool:
        """Whether the next message is awaited awake."""
        return self._soon >= _BURST and self._answered is not None

    def answered(self) -> None:
        """A command was answered just now."""
        if self._seconds:
            self._answered = time.perf_counter()

    def rest(self) -> None:
        """Something else than a command was dealt with: nothing is expected."""
        self._answered = None
        self._soon = 0

    def receive(self, connection: socket.socket, size: int) -> bytes | None:
        """Return what comes while it is worth staying awake; None when nothing does, or when it is not.

        Others get the processor first, so on a machine with a single one nobody waits for us.
        """
        if self._soon < _BURST or self._answered is None:
            return None
        end = self._answered + self._seconds
        while time.perf_counter() < end:
            try:
                return connection.recv(size, socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()
        return None

    def received(self) -> None:
        """A message has come, or a part of it."""
        if self._answered is not None:
            self._soon = self._soon + 1 if time.perf_counter() - self._answered <= self._seconds else 0
            self._answered = None
