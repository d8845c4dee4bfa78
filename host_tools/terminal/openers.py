"""Which opener has a media packet: the protection that the STKMs of its service name.

STKMs and media of a service go to the same address (TS 33.246 clause 6.3.3.2.2), by which a terminal with nothing but a
capture knows what belongs together. Where no STKM came to the address of a packet, the one protection in use has it;
before any STKM, and where there are several in use, the first that may be its own: it will lack a key and be held.
"""

from __future__ import annotations

from host_tools.content.captures.datagrams import Datagram
from host_tools.content.protection import PacketFormat, PacketOpener
from host_tools.content.registry import Protections

_HOSTS_KEPT = 1024  # addresses, those with the newest TEKs; far more than services at once
_Pair = tuple[PacketFormat, PacketOpener]


class Openers:
    """The openers of one playing, one for each protection in use."""

    def __init__(self, protections: Protections) -> None:
        self._protections = protections
        self._made: dict[str, _Pair] = {}  # by kind
        self._by_host: dict[str, _Pair] = {}
        self._elsewhere = self._pair(protections.usual)
        self._in_use: set[str] = set()

    def tune(self, host: str, number: int | None) -> PacketOpener | None:
        """An STKM to `host` gave a TEK; return what it is for by its traffic protection, None for an unknown one."""
        found = self._protections.of_stkm(number)
        if found is None:
            return None
        pair = self._pair(found)
        self._by_host.pop(host, None)
        self._by_host[host] = pair
        if len(self._by_host) > _HOSTS_KEPT:
            self._by_host.pop(next(iter(self._by_host)))
        self._in_use.add(found.kind)
        self._elsewhere = pair if len(self._in_use) == 1 else self._pair(self._protections.usual)
        return pair[1]

    def forget_key(self, name: bytes) -> None:
        """Drop a key, whatever it was for."""
        for _format, opener in self._made.values():
            opener.forget_key(name)

    def of(self, unit: Datagram) -> tuple[PacketFormat, PacketOpener]:
        """Return how a media packet is taken to be protected, and what opens it."""
        found = self._by_host.get(unit.destination.host)
        return found if found is not None else self._guess(unit)

    def _guess(self, unit: Datagram) -> _Pair:
        if self._elsewhere[0].why_not(unit) is None:
            return self._elsewhere
        other = next((one for one in self._protections.formats if one.why_not(unit) is None), None)
        return self._elsewhere if other is None else self._pair(other)

    def _pair(self, found: PacketFormat) -> _Pair:
        if found.kind not in self._made:
            self._made[found.kind] = found, found.opener()
        return self._made[found.kind]
