"""The ports of protected content: what every protection of packets, and every one of files, offers.

The unit of a packet protection is a datagram as it was captured; what comes out are plain RTP packets. Where one RTP
packet carries several protected access units, they come out in one packet, in clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from card.lean import lean_dataclass
from host_tools.content.captures.datagrams import Datagram
from host_tools.content.rtp import RtpPacket
from host_tools.content.traffic_key import TrafficKey


@lean_dataclass(frozen=True, slots=True)
class Opened:
    """A unit is open: what was in it, in order."""

    payloads: tuple[RtpPacket, ...]


@dataclass(frozen=True, slots=True)
class NeedsKey:
    """The key of a unit is not here. `name` is what the unit calls it, no byte where it does not say."""

    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The unit is genuine, but was opened before, or is too old to tell."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The unit does not open although a key is there. `reason` is in words, the same for every such unit."""

    reason: str


REPEATED: Final = Repeated()
Opening = Opened | NeedsKey | Repeated | Failed


class KeyRing(Protocol):
    """What takes traffic keys by the names that the content has for them."""

    def add_key(self, name: bytes, key: TrafficKey, /) -> None:
        """Take a key; the same again changes nothing. Raises `UnusableKeyError` for one it cannot work with."""

    def forget_key(self, name: bytes, /) -> None:
        """Drop a key and what came from it; nothing where it is not here."""


class PacketOpener(KeyRing, Protocol):
    """Opens the packets of one kind of protection, of any number of sources. Keeps keys and sources within bounds."""

    def open_next(self, unit: Datagram, /) -> RtpPacket | None:
        """Open in short what nearly all units are: media, and the very next one of its source under the same key.

        What comes out is the one payload that `open` would give. None leaves the unit to `open`, and everything as it
        was; who has no short way always says None.
        """

    def open(self, unit: Datagram, newest: bytes | None = None, /) -> Opening:
        """Open one unit, whatever is in it.

        `newest` spares a unit that needed a key before the keys that did not fit it: it names the one that came since.
        """


class PacketSealer(Protocol):
    """Protects the packets of one RTP source, whose key may change at any packet."""

    def seal(self, packet: bytes, index: int, name: bytes, key: TrafficKey, /) -> bytes:
        """Return the payload of the datagram that carries an RTP packet under a key of this name.

        `index` is the packet's sequence number, and 65,536 for each time that it wrapped before; it rises from packet
        to packet. Raises `UnusableKeyError`, `MediaError`.
        """


class PacketFormat(Protocol):
    """How packets are protected and laid out, as far as they do not say it. Frozen, and equal by what it says."""

    @property
    def kind(self) -> str:
        """The name of the protection, as a recording has it."""

    @property
    def names_key(self) -> bool:
        """Whether a unit says which key it needs, in the way that an STKM names it."""

    def key_name(self, unit: Datagram, /) -> bytes | None:
        """Return the name of the key that a unit needs, None where it does not say or is none."""

    def why_not(self, unit: Datagram, /) -> str | None:
        """Return why a datagram is no unit of this protection, in words; None where it may be one."""

    def belongs(self, unit: Datagram, /) -> bool:
        """Tell whether a recording of the media has this datagram: a unit, or what controls them."""

    def opener(self) -> PacketOpener:
        """Return an opener without keys."""

    def as_dict(self) -> dict[str, object]:
        """Return what it says beside its kind, ready for the index of a recording."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file is open: the media type of what is inside, and that in pieces, once."""

    media_type: str
    pieces: Iterator[bytes]


class FileOpener(KeyRing, Protocol):
    """Opens protected files of one kind."""

    def open(self, file: BinaryIO, /) -> OpenedFile | NeedsKey | Failed:
        """Open a file that stands at its start. What shows only at its end, the pieces raise: `MediaError`."""


class FileFormat(Protocol):
    """One kind of protected file."""

    @property
    def kind(self) -> str:
        """The name of the protection."""

    def recognises(self, head: bytes, /) -> bool:
        """Tell from its first bytes (64, or all of a shorter one) whether a file is of this kind."""

    def opener(self) -> FileOpener:
        """Return an opener without keys."""
