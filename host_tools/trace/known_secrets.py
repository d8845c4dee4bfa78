"""Secrets that somebody knows by value, wherever they turn up: those of a script are not always where a rule looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from card.codec.redaction import Span

SHORTEST = 4
"""Shorter secrets are not looked for: so few bytes turn up anywhere by chance."""
MOST_DERIVED = 1024
MOST_KEPT = 8192
_FILLER = b"\xff"
_LONGEST_INDEXED = 64  # bytes; of a longer secret the pieces would take more room than looking saves time
_REMEMBERED = 4  # data: a command and its answer, as the link and as the client see them


class KnownSecrets:
    """The secrets of a run, by value.

    Of more than 1,024 derived ones those that were learnt longest ago are forgotten. Kept ones never are: more than
    8,192 of them hide everything.
    """

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._kept: set[bytes] = set()
        self._derived: dict[bytes, None] = {}
        self._index = _Index()
        self._seen: dict[bytes, tuple[Span, ...]] = {}  # the data that came last, and what was found
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: bytes, *, keep: bool = False) -> None:
        """Look for a secret from now on, with and without its padding of FF; one of less than 4 bytes is left.

        `keep` is for what the run was given. What is made of that may be forgotten.
        """
        if self._hides_all:
            return  # whatever is learnt, no more can be hidden, and the room for it is bounded
        for form in {secret, secret.rstrip(_FILLER)}:
            if len(form) >= SHORTEST and form not in self._kept:
                self._learn(form, keep)

    def spans(self, data: bytes) -> tuple[Span, ...]:
        """Return where secrets stand in `data`, whole or cut off by either end; spans that touch are one."""
        if len(data) < SHORTEST or not (self._kept or self._derived):
            return ()
        # A trace of the link and a report of the run ask for the same data: looked at once. A secret learnt meanwhile
        # brings a new dictionary, so that what another thread finds without it is not remembered.
        seen = self._seen
        found = seen.get(data)
        if found is None:
            found = self._look(data)
            if len(seen) >= _REMEMBERED:
                seen.clear()
            seen[data] = found
        return found

    @property
    def _hides_all(self) -> bool:
        return len(self._kept) > MOST_KEPT

    def _learn(self, secret: bytes, keep: bool) -> None:
        is_new = secret not in self._derived
        self._derived.pop(secret, None)
        if keep:
            self._kept.add(secret)
        else:
            self._derived[secret] = None
        if is_new:
            self._index.add(secret)
        self._seen = {}
        while len(self._derived) > MOST_DERIVED:
            oldest = next(iter(self._derived))
            del self._derived[oldest]
            self._index.remove(oldest)

    def _look(self, data: bytes) -> tuple[Span, ...]:
        if self._hides_all:
            return ((0, len(data)),)
        return merge(span for secret in self._index.candidates(data) for span in _spans_of(secret, data))


class _Index:
    """Secrets by the pieces of 4 bytes in them. Another thread may add while candidates are sought."""

    def __init__(self) -> None:
        self._by_piece: dict[bytes, tuple[bytes, ...]] = {}
        self._long: dict[bytes, None] = {}

    def add(self, secret: bytes) -> None:
        """Take a secret that is not there."""
        if len(secret) > _LONGEST_INDEXED:
            self._long[secret] = None
            return
        for piece in _pieces(secret):
            self._by_piece[piece] = (*self._by_piece.get(piece, ()), secret)

    def remove(self, secret: bytes) -> None:
        """Take a secret out that is there."""
        if len(secret) > _LONGEST_INDEXED:
            del self._long[secret]
            return
        for piece in _pieces(secret):
            others = tuple(item for item in self._by_piece[piece] if item != secret)
            if others:
                self._by_piece[piece] = others
            else:
                del self._by_piece[piece]

    def candidates(self, data: bytes) -> set[bytes]:
        """Return the secrets that share a piece with `data`."""
        pieces = _pieces(data)
        found = {secret for piece in self._by_piece.keys() & pieces for secret in self._by_piece.get(piece, ())}
        found |= {secret for secret in tuple(self._long) if secret[:SHORTEST] in pieces or data[:SHORTEST] in secret}
        return found


def _pieces(data: bytes) -> set[bytes]:
    return {data[at : at + SHORTEST] for at in range(len(data) - SHORTEST + 1)}


def _spans_of(secret: bytes, data: bytes) -> Iterator[Span]:
    """Yield where one secret stands, and the piece of it that a chain of commands or a piecewise read leaves."""
    size = len(data)
    if secret in data:
        ends = (end for end, matched in enumerate(_matched(secret, data), 1) if matched == len(secret))
        yield from _joined((end - len(secret), end) for end in ends)
    elif data in secret:
        yield 0, size
    tail = _overlap(data, secret) if data[:SHORTEST] in secret else 0
    if tail >= SHORTEST:
        yield 0, tail
    head = _overlap(secret, data) if data[-SHORTEST:] in secret else 0
    if head >= SHORTEST:
        yield size - head, size


def _overlap(front: bytes, back: bytes) -> int:
    """Return how many bytes at the end of `back` are those at the beginning of `front`, at most."""
    longest = min(len(front), len(back))
    return _matched(front[:longest], back[-longest:])[-1]


def _matched(pattern: bytes, text: bytes) -> list[int]:
    """Return for each byte of `text` how many bytes up to there are the first of `pattern`, at most.

    Knuth, Morris and Pratt: no bytes make it take longer than both are long.
    """
    borders = [0]
    for byte in pattern[1:]:
        borders.append(_advance(pattern, borders, borders[-1], byte))
    matched = 0
    return [matched := _advance(pattern, borders, matched, byte) for byte in text]


def _advance(pattern: bytes, borders: list[int], matched: int, byte: int) -> int:
    while matched and (matched == len(pattern) or pattern[matched] != byte):
        matched = borders[matched - 1]
    return matched + (pattern[matched] == byte)


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in their order, those that touch or overlap as one."""
    return tuple(_joined(sorted(spans)))


def _joined(ordered: Iterable[Span]) -> Iterator[Span]:
    """Yield spans that come in their order, those that touch or overlap as one."""
    whole: Span | None = None
    for start, end in ordered:
        if whole is not None and start <= whole[1]:
            whole = (whole[0], max(end, whole[1]))
            continue
        if whole is not None:
            yield whole
        whole = (start, end)
    if whole is not None:
        yield whole
