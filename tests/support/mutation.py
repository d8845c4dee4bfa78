"""Damages good files in the ways that files get damaged, and in those of somebody who means harm; from a seed."""

from __future__ import annotations

import random
import signal
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_MOST_DAMAGES = 4
_LARGEST = 1 << 18  # bytes of a damaged file


def damaged(good: Sequence[bytes], number: int) -> bytes:
    """Return one of the `good` files with some damage; the same `number` gives the same."""
    chance = random.Random(number)
    data = bytearray(chance.choice(good))
    for _ in range(chance.randint(1, _MOST_DAMAGES)):
        chance.choice(_DAMAGES)(data, chance)
    return bytes(data[:_LARGEST])


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    """A number at the edge of what its field can hold, of any width and byte order."""
    size, order = chance.choice((1, 2, 4)), chance.choice(("little", "big"))
    at = chance.randrange(len(data) + 1)
    number = chance.choice(_EXTREMES) & (1 << 8 * size) - 1
    data[at : at + size] = number.to_bytes(size, "little" if order == "little" else "big")


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _remove(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    del data[start : start + chance.randint(1, 64)]


def _insert(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.randint(1, 64))


def _repeat(data: bytearray, chance: random.Random) -> None:
    """A stretch once more, somewhere else."""
    start, at = chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)
    data[at:at] = data[start : start + chance.randint(1, 2000)]


_DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _overwrite, _cut, _remove, _insert, _repeat)


class TooSlow(Exception):
    """Something took longer than a watchdog allows."""


@contextmanager
def watched(seconds: int, megabytes: int) -> Iterator[None]:
    """Fail when the block takes longer, or more memory at a time, than this. A guard against hangs, no measurement."""

    def bark(_number: int, _frame: object) -> None:
        raise TooSlow(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(seconds)
    tracemalloc.start(1)
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
        assert peak < megabytes << 20, f"{peak >> 20} MB"
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
