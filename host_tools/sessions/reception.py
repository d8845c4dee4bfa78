"""What a terminal received of each RTP source, counted so that it adds up (RFC 3550 clause 5.1 and appendix A.3).

`expected` is what a source sent from the first packet that was heard to the last; each of these was received once or is
lost. How many of the lost this computer dropped itself, its sockets know.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.rtp import MOST_AHEAD, MOST_BEHIND, SEQUENCES

_MOST_SOURCES = 64


@dataclass(slots=True)
class Source:
    """One RTP source at one place; `first` is the sequence number of its first packet."""

    place: Endpoint
    ssrc: int
    first: int
    expected: int = 0
    lost: int = 0
    _next: int | None = None
    _missing: OrderedDict[int, None] = field(default_factory=OrderedDict, repr=False)

    def take(self, sequence: int) -> None:
        """Take a packet with this sequence number."""
        ahead = 0 if self._next is None else (sequence - self._next) % SEQUENCES
        if ahead >= SEQUENCES - MOST_BEHIND:  # late, or a copy
            if self._missing.pop(sequence, self) is None:
                self.lost -= 1
            return
        if ahead > MOST_AHEAD:
            self.pause()
            ahead = 0
        for number in range(max(ahead - MOST_BEHIND, 0), ahead):
            self._missing[(sequence - ahead + number) % SEQUENCES] = None
        while len(self._missing) > MOST_BEHIND:
            self._missing.popitem(last=False)
        self._missing.pop(sequence, None)
        self.expected += ahead + 1
        self.lost += ahead
        self._next = (sequence + 1) % SEQUENCES

    def pause(self) -> None:
        """It is not listened to for a while: what it sends meanwhile is not lost."""
        self._next = None
        self._missing.clear()

    def as_dict(self) -> Mapping[str, object]:
        """Return it ready for JSON."""
        told = {"ssrc": self.ssrc, "first": self.first, "expected": self.expected, "lost": self.lost}
        return {"place": str(self.place), **told}


class Reception:
    """The sources of one listening; further ones than 64 are not counted."""

    def __init__(self) -> None:
        self._sources: dict[tuple[Endpoint, bytes], Source] = {}

    @property
    def lost(self) -> int:
        """Media packets that never came."""
        return sum(source.lost for source in self._sources.values())

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources as they were first heard."""
        return tuple(self._sources.values())

    def take(self, datagram: Datagram) -> None:
        """Take an RTP packet."""
        head = datagram.payload
        name, sequence = (datagram.destination, head[8:12]), int.from_bytes(head[2:4], "big")
        source = self._sources.get(name)
        if source is None:
            if len(self._sources) >= _MOST_SOURCES:
                return
            source = self._sources[name] = Source(datagram.destination, int.from_bytes(head[8:12], "big"), sequence)
        source.take(sequence)

    def pause(self) -> None:
        """Another service is listened to from now on."""
        for source in self._sources.values():
            source.pause()
