"""Where connections can be cut: after which octet of which connection, in which direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.support.chaos.cutter import NEVER, Crossed, Cut


@dataclass(frozen=True)
class Place:
    """The octet of the connection, counted from the first of an exchange, after which it ends."""

    connection: int
    is_up: bool
    octet: int

    def plan(self, first: int, *, reset: bool) -> Plan:
        """Return the plan for a relay, of an exchange whose first connection has this number."""
        up, down = (self.octet, None) if self.is_up else (None, self.octet)
        return Plan(first + self.connection, Cut(up, down, reset))


@dataclass(frozen=True)
class Plan:
    """One connection is cut, and no other."""

    connection: int
    cut: Cut

    def __call__(self, connection: int) -> Cut:
        return self.cut if connection == self.connection else NEVER


def every_octet(exchange: Sequence[Crossed]) -> Iterator[Place]:
    """All places in what crossed once: before the first octet, after each, and after the last."""
    for number, crossed in enumerate(exchange):
        for is_up, stream in ((True, crossed.up), (False, crossed.down)):
            yield from (Place(number, is_up, octet) for octet in range(len(stream) + 1))


def boundaries(exchange: Sequence[Crossed]) -> Iterator[Place]:
    """The ends of lines of the heads, the beginning of the bodies, and their ends; and one octet before each."""
    for number, crossed in enumerate(exchange):
        for is_up, stream in ((True, crossed.up), (False, crossed.down)):
            head, between, _ = bytes(stream).partition(b"\r\n\r\n")
            ends, at = {0, len(stream)}, 0
            for line in head.split(b"\r\n"):
                at += len(line) + 2
                ends.add(at)
            ends.add(len(head) + len(between))
            for end in sorted(ends | {end - 1 for end in ends if end > 0}):
                yield Place(number, is_up, min(end, len(stream)))
