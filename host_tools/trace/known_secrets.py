"""Secrets that somebody knows by value, wherever they turn up: those of a script are not always where a rule looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from host_tools.trace.events import Span

SHORTEST = 4
"""Shorter secrets are not looked for: so few bytes turn up anywhere by chance."""
_MOST = 1024
_FILLER = b"\xff"


class KnownSecrets:
    """The secrets of a run, by value. Of more than 1,024 those that were learnt longest ago are forgotten."""

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        self._secrets: dict[bytes, None] = {}
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: bytes) -> None:
        """Look for a secret from now on, with and without its padding of FF; one of less than 4 bytes is left."""
        for form in {secret, secret.rstrip(_FILLER)}:
            if len(form) >= SHORTEST:
                self._secrets.pop(form, None)
                self._secrets[form] = None
        while len(self._secrets) > _MOST:
            del self._secrets[next(iter(self._secrets))]

    def spans(self, data: bytes) -> Iterator[Span]:
        """Yield where secrets stand in `data`, whole or cut off by either end. Spans may overlap."""
        for secret in self._secrets:
            yield from _whole(secret, data)
            yield from _cut_off(secret, data)


def _whole(secret: bytes, data: bytes) -> Iterator[Span]:
    at = data.find(secret)
    while at >= 0:
        yield at, at + len(secret)
        at = data.find(secret, at + 1)


def _cut_off(secret: bytes, data: bytes) -> Iterator[Span]:
    """Yield the piece of a secret that a chain of commands or a piecewise read leaves in one exchange."""
    size = len(data)
    if SHORTEST <= size < len(secret) and data in secret:
        yield 0, size
        return
    longest = min(len(secret) - 1, size)
    yield from _tail_in_front(secret, data, longest)
    yield from _head_at_the_end(secret, data, longest)


def _tail_in_front(secret: bytes, data: bytes, longest: int) -> Iterator[Span]:
    at = secret.find(data[:SHORTEST], len(secret) - longest)
    while 0 <= at <= len(secret) - SHORTEST:
        if data.startswith(secret[at:]):
            yield 0, len(secret) - at
            return
        at = secret.find(data[:SHORTEST], at + 1)


def _head_at_the_end(secret: bytes, data: bytes, longest: int) -> Iterator[Span]:
    at = secret.rfind(data[-SHORTEST:], 0, longest)
    while at >= 0 and len(data) >= SHORTEST:
        length = at + SHORTEST
        if data.endswith(secret[:length]):
            yield len(data) - length, len(data)
            return
        at = secret.rfind(data[-SHORTEST:], 0, length - 1)


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in their order, those that touch or overlap as one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
