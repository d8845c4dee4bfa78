"""Protections that are not the product's: what a second one has to bring, and nothing more.

A packet is a mark, the name of its key (MSK ID and MTK ID, 6 bytes), a check byte, and the RTP packet under a pad made
of the key. A file is a mark, the name of its key, and its text under the pad. No RTP stands in the clear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from host_tools.content.captures.datagrams import Datagram
from host_tools.content.errors import RtpError, UnusableKeyError
from host_tools.content.known import KNOWN
from host_tools.content.protection import REPEATED, Failed, NeedsKey, Opened, OpenedFile, Opening
from host_tools.content.registry import PacketProtection
from host_tools.content.rtp import RtpPacket
from host_tools.content.traffic_key import TrafficKey

NUMBER = 5
"""traffic_protection_protocol of the toy."""
SALT_SIZE = 3
WRONG = "the check byte is wrong"
_FILE_MARK = b"toyfile."
_NAME_SIZE = 6


def pad(data: bytes, key: TrafficKey) -> bytes:
    salt = b"" if key.salt is None else key.salt.reveal()
    stream = hashlib.shake_128(key.tek.reveal() + salt).digest(len(data))
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))


@dataclass(frozen=True, slots=True)
class ToyFormat:
    """The layout of packets: the mark they begin with."""

    mark: bytes = b"toy!"

    @property
    def kind(self) -> str:
        return "toy"

    @property
    def names_key(self) -> bool:
        return True

    def key_name(self, unit: Datagram) -> bytes | None:
        start = len(self.mark)
        return None if self.why_not(unit) else unit.payload[start : start + _NAME_SIZE]

    def why_not(self, unit: Datagram) -> str | None:
        return None if unit.payload.startswith(self.mark) else "no toy"

    def belongs(self, unit: Datagram) -> bool:
        return self.why_not(unit) is None

    def opener(self) -> ToyOpener:
        return ToyOpener(self)

    def as_dict(self) -> dict[str, object]:
        return {"mark": self.mark.hex()}

    @classmethod
    def parse(cls, item: Mapping[str, object]) -> ToyFormat:
        return cls(bytes.fromhex(str(item["mark"])))

    def protect(self, packet: RtpPacket, name: bytes, key: TrafficKey) -> bytes:
        plain = packet.encode()
        return self.mark + name + bytes((sum(plain) & 0xFF,)) + pad(plain, key)


class ToyKeys:
    """Takes keys with a salt of three bytes: no other protection has such."""

    def __init__(self) -> None:
        self.keys: dict[bytes, TrafficKey] = {}

    def add_key(self, name: bytes, key: TrafficKey) -> None:
        if key.salt is None or len(key.salt) != SALT_SIZE:
            raise UnusableKeyError("a toy wants a salt of three bytes")
        self.keys[name] = key

    def forget_key(self, name: bytes) -> None:
        self.keys.pop(name, None)


class ToyOpener(ToyKeys):
    """Opens toy packets, each once."""

    def __init__(self, layout: ToyFormat) -> None:
        super().__init__()
        self._layout = layout
        self._seen: set[bytes] = set()

    def open_next(self, _unit: Datagram) -> None:
        return None

    def open(self, unit: Datagram, _newest: bytes | None = None) -> Opening:
        name = self._layout.key_name(unit) or b""
        key = self.keys.get(name)
        if key is None:
            return NeedsKey(name)
        if unit.payload in self._seen:
            return REPEATED
        body = unit.payload[len(self._layout.mark) + _NAME_SIZE :]
        plain = pad(body[1:], key)
        if not body or body[0] != sum(plain) & 0xFF:
            return Failed(WRONG)
        self._seen.add(unit.payload)
        try:
            return Opened((RtpPacket.decode(plain),))
        except RtpError as error:
            return Failed(str(error))


class ToyFileFormat:
    """Toy files."""

    @property
    def kind(self) -> str:
        return "toy file"

    def recognises(self, head: bytes) -> bool:
        return head.startswith(_FILE_MARK)

    def opener(self) -> ToyFileOpener:
        return ToyFileOpener()

    def protect(self, text: str, name: bytes, key: TrafficKey) -> bytes:
        return _FILE_MARK + name + pad(text.encode(), key)


class ToyFileOpener(ToyKeys):
    """Opens toy files."""

    def open(self, file: BinaryIO) -> OpenedFile | NeedsKey | Failed:
        if file.read(len(_FILE_MARK)) != _FILE_MARK:
            return Failed("no toy file")
        name = file.read(_NAME_SIZE)
        key = self.keys.get(name)
        return NeedsKey(name) if key is None else OpenedFile("text/plain", iter((pad(file.read(), key),)))


TOY = ToyFormat()
TOYS = KNOWN.with_packets(PacketProtection(NUMBER, TOY, ToyFormat.parse)).with_file(ToyFileFormat())
