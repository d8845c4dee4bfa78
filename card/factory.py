"""Opens cards with the default ports: an SQLite card file, the system's randomness and its monotonic clock.

What makes a card from a profile is imported only where one is made: it takes as long as the card itself.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from card.card import Card
from card.ports import Clock, Rng, Store, TraceSink
from card.store.memory import MemoryStore
from card.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from card.profile.schema import CardProfile


class SystemRng:
    """Random bytes from the operating system."""

    def random_bytes(self, count: int, /) -> bytes:
        """Return `count` bytes."""
        return os.urandom(count)


class SystemClock:
    """The machine's monotonic clock."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()


def open_card(
    path: str | os.PathLike[str],
    *,
    rng: Rng | None = None,
    clock: Clock | None = None,
    trace: TraceSink | None = None,
    strict: bool = False,
) -> Card:
    """Open a card file. Raises `StoreError` (missing, no card file) or `CardFileLocked` (in use)."""
    return _card(SqliteStore(path), rng, clock, trace, strict)


def create_card(
    profile: CardProfile,
    path: str | os.PathLike[str],
    *,
    rng: Rng | None = None,
    clock: Clock | None = None,
    trace: TraceSink | None = None,
    strict: bool = False,
) -> Card:
    """Personalise a new card file from a profile and open it. The file must not exist.

    Raises `ProfileError`, `StoreError`. A profile that does not fit together leaves no file behind.
    """
    from card.personalisation.personalise import personalise

    store = SqliteStore(path, create=True)
    try:
        personalise(profile, store)
    except BaseException:
        store.close()
        store.path.unlink(missing_ok=True)
        raise
    return _card(store, rng, clock, trace, strict)


def memory_card(
    profile: CardProfile,
    *,
    rng: Rng | None = None,
    clock: Clock | None = None,
    trace: TraceSink | None = None,
    strict: bool = False,
) -> Card:
    """Personalise a card that lives as long as the process. Raises `ProfileError`."""
    from card.personalisation.personalise import personalise

    store = MemoryStore()
    personalise(profile, store)
    return _card(store, rng, clock, trace, strict)


def _card(store: Store, rng: Rng | None, clock: Clock | None, trace: TraceSink | None, strict: bool) -> Card:
    try:
        return Card(store, rng=rng or SystemRng(), clock=clock or SystemClock(), trace=trace, strict=strict)
    except BaseException:
        store.close()
        raise
