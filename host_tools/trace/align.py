"""Finds what two long series have in common while both are read: memory use does not grow with their length.

What is equal is passed on at once. Where the series part, a window of each is filled and matched, and the reading goes
on where they have a stretch in common again. Windows grow until there is one, up to a limit.
"""

from __future__ import annotations

import difflib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Generic, TypeVar

WINDOWS: Final = (128, 512, 2048)
"""Elements of each series that are matched, one after the other."""

_MOST_PAIRS = 50_000  # equal pairs that a match is looked for among; with more, it takes too long
_COMMON_THREAD = 4  # so many equal elements in a row end the search

_T = TypeVar("_T")
_Opcode = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Stretch(Generic[_T]):
    """A stretch of both series. `is_equal`: element by element, as far as their names go."""

    is_equal: bool
    left: Sequence[_T]
    right: Sequence[_T]


def align(left: Iterable[_T], right: Iterable[_T], name: Callable[[_T], bytes]) -> Iterator[Stretch[_T]]:
    """Yield stretches that are equal or not until both series end; every element is in one. `name` is compared."""
    a, b = _Ahead(left), _Ahead(right)
    while a.fill(1) | b.fill(1):
        if a.window and b.window and name(a.window[0]) == name(b.window[0]):
            yield Stretch(True, a.take(1), b.take(1))
            continue
        for is_equal, from_a, from_b in _part(a, b, name):
            yield Stretch(is_equal, a.take(from_a), b.take(from_b))


class _Ahead(Generic[_T]):
    """A series, and the elements of it that were read but not taken."""

    def __init__(self, series: Iterable[_T]) -> None:
        self._series = iter(series)
        self.window: deque[_T] = deque()
        self.is_at_end = False

    def fill(self, count: int) -> bool:
        """Read until so many elements are there; return whether there is one at all."""
        wanted = count - len(self.window)
        if wanted > 0 and not self.is_at_end:
            self.window.extend(islice(self._series, wanted))
            self.is_at_end = len(self.window) < count
        return bool(self.window)

    def take(self, count: int) -> list[_T]:
        return [self.window.popleft() for _ in range(count)]


def _part(a: _Ahead[_T], b: _Ahead[_T], name: Callable[[_T], bytes]) -> Iterator[tuple[bool, int, int]]:
    """Yield how many elements of both sides are equal or not, until the series have a thread in common again."""
    for size in WINDOWS:
        a.fill(size)
        b.fill(size)
        found = _match([name(one) for one in islice(a.window, size)], [name(one) for one in islice(b.window, size)])
        is_end = a.is_at_end and b.is_at_end and max(len(a.window), len(b.window)) <= size
        if is_end or size == WINDOWS[-1] or any(kind == "equal" and _is_thread(of) for kind, *of in found):
            yield from _until_thread(found, is_end=is_end)
            return


def _until_thread(opcodes: Sequence[_Opcode], *, is_end: bool) -> Iterator[tuple[bool, int, int]]:
    """Yield the sizes of what opcodes say, up to the first common thread; all of it at the end of both series.

    Without a thread, the last difference is only that of the window where something else came before it.
    """
    for index, (kind, *limits) in enumerate(opcodes):
        is_equal = kind == "equal"
        if not is_end and index and not is_equal and index == len(opcodes) - 1:
            return
        a_from, a_to, b_from, b_to = limits
        yield is_equal, a_to - a_from, b_to - b_from
        if not is_end and is_equal and _is_thread(limits):
            return


def _is_thread(limits: Sequence[int]) -> bool:
    return limits[1] - limits[0] >= _COMMON_THREAD


def _match(a: Sequence[bytes], b: Sequence[bytes]) -> Sequence[_Opcode]:
    """Return opcodes as `difflib` has them; place by place where nothing stands out among very many equal elements."""
    counted = Counter(b)
    if sum(counted[one] for one in a) <= _MOST_PAIRS:
        return difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    common = min(len(a), len(b))
    pairs: list[_Opcode] = [("equal" if a[at] == b[at] else "replace", at, at + 1, at, at + 1) for at in range(common)]
    if len(a) != len(b):
        pairs.append(("replace", common, len(a), common, len(b)))
    return pairs
