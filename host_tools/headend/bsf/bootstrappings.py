"""The keys Ks of subscribers: one at a time for each, and none beyond its life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from card.crypto.secret import Secret
from host_tools.headend.bounded import BoundedTable


@dataclass(frozen=True, slots=True)
class Bootstrapping:
    """What a run of a subscriber gave: B-TID, RAND (16 bytes), Ks (32), when it was made and when it is over."""

    impi: str
    b_tid: str
    rand: bytes
    ks: Secret
    created: datetime
    expires: datetime


class Bootstrappings(Protocol):
    """Where they are kept."""

    def current(self, impi: str, /) -> Bootstrapping | None:
        """Return the last run of a subscriber, also when its time is over; None where there is none."""

    def replace(self, made: Bootstrapping, tmpi: str, /) -> None:
        """Take a new run in the place of the subscriber's last one, and its TMPI in the place of the last one."""

    def end(self, impi: str, /) -> None:
        """Forget the last run of a subscriber; its TMPI stays."""

    def impi_of(self, tmpi: str, /) -> str | None:
        """Return whose newest TMPI this is, None for any other text."""


class MemoryBootstrappings:
    """Runs in memory. Those that are over go when others come; beyond `in_all` the oldest gives way.

    Whoever's run gave way bootstraps again: nothing but that is lost.
    """

    def __init__(self, in_all: int) -> None:
        self._runs: BoundedTable[str, Bootstrapping] = BoundedTable(1, in_all)
        self._tmpis: BoundedTable[str, None] = BoundedTable(1, in_all)

    def __len__(self) -> int:
        return len(self._runs)

    def current(self, impi: str) -> Bootstrapping | None:
        """Return the last run of a subscriber, also when its time is over; None where there is none."""
        return self._runs.get(impi)

    def replace(self, made: Bootstrapping, tmpi: str) -> None:
        """Take a new run in the place of the subscriber's last one, and its TMPI in the place of the last one."""
        self._runs.put(made.impi, made.impi, made)
        self._tmpis.put(made.impi, tmpi, None)
        while (oldest := self._runs.oldest()) is not None and oldest.expires <= made.created:
            self._runs.pop(oldest.impi)

    def end(self, impi: str) -> None:
        """Forget the last run of a subscriber; its TMPI stays."""
        self._runs.pop(impi)

    def impi_of(self, tmpi: str) -> str | None:
        """Return whose newest TMPI this is, None for any other text."""
        return self._tmpis.owner(tmpi)
