"""What the card needs from outside: storage, randomness, time and somewhere to send its trace.

All four come in through `open_card`, so that every run can be repeated from a seed (docs/adr: sans-IO).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class Store(Protocol):
    """The card's non-volatile memory as a flat map from key to bytes.

    `commit` is the only write and is atomic: after a power cut at any point the store holds the state before or
    after the whole commit, never between.
    """

    def load(self) -> dict[str, bytes]:
        """Return everything stored. Raises `StoreError`."""

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Write all `changes` or none; `None` deletes a key. Raises `StoreError`."""

    def close(self) -> None:
        """Release the storage. Closing twice is harmless."""


class Rng(Protocol):
    """Source of random bytes."""

    def random_bytes(self, count: int, /) -> bytes:
        """Return `count` bytes."""


class Clock(Protocol):
    """Seconds that pass, for proactive timers; never wall-clock time."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""


class TraceSink(Protocol):
    """Receives typed trace events (`card/trace.py`). Must not raise and must return quickly."""

    def emit(self, event: object, /) -> None:
        """Take one event."""
