"""Which STKMs of a recording the card needs for the media that are played next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from host_tools.content.captures.pcap import Datagram
from host_tools.content.protection import PacketFormat


@dataclass(frozen=True, slots=True)
class TrackStkm:
    """The first STKM of a TEK, with its service: Key Domain ID (3 bytes) and Key Group (2)."""

    service: bytes
    datagram: Datagram


class StkmTrack(Protocol):
    """The STKMs on their way to the card while media are read."""

    def needed(self, media: Datagram) -> list[Datagram]:
        """Return the STKMs to be fed before a packet, each only once."""


class NamedTrack:
    """For packets that name their TEK."""

    def __init__(self, stkms: Mapping[bytes, TrackStkm], protection: PacketFormat) -> None:
        self._left = dict(stkms)
        self._protection = protection

    def needed(self, media: Datagram) -> list[Datagram]:
        """Return the STKM that the packet names, the first time."""
        name = self._protection.key_name(media)
        stkm = None if name is None else self._left.pop(name, None)
        return [] if stkm is None else [stkm.datagram]


class TimedTrack:
    """For packets that name no TEK: an STKM is needed from the time it was broadcast."""

    def __init__(self, stkms: Iterable[TrackStkm], since: float) -> None:
        """Take the STKMs; of those broadcast before `since` (seconds since 1970), the newest of each service do."""
        ordered = sorted(stkms, key=_time)
        later = [stkm for stkm in ordered if _time(stkm) >= since]
        newest = {stkm.service: stkm for stkm in ordered if _time(stkm) < since}
        self._left = deque([*sorted(newest.values(), key=_time), *later])

    def needed(self, media: Datagram) -> list[Datagram]:
        """Return the STKMs whose time has come since the packet before."""
        due = []
        while self._left and _time(self._left[0]) <= media.timestamp:
            due.append(self._left.popleft().datagram)
        return due


def _time(stkm: TrackStkm) -> float:
    return stkm.datagram.timestamp
