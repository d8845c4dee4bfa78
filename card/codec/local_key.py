"""Data objects of AUTHENTICATE in the Local Key Establishment context, both ways (TS 31.102 clause 7.1.2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Self

from card.codec.terminal_id import LONGEST_TERMINAL_ID
from card.codec.tlv import Tlv, decode_tlvs, encode_tlv, encode_tlvs
from card.crypto.local_key import (
    COUNTER_LIMIT_SIZE,
    LONGEST_RANDX,
    LONGEST_TERMINAL_APPLI_ID,
    LONGEST_UICC_APPLI_ID,
    MAC_SIZE,
)
from card.errors import DecodeError
from card.lean import lean_dataclass

SUCCESS = b"\xdb"


class UnusableName(DecodeError):
    """A part of a key identifier is missing, empty or longer than TS 33.110 allows."""


class Mode(IntEnum):
    """What is asked of the card (table 3)."""

    DERIVATION = 0x01
    AVAILABILITY = 0x02


class _Tag(IntEnum):
    CONTROL = 0x80
    COUNTER_LIMIT = 0x81
    MAC = 0x82
    IDENTIFIER = 0xA0


class _NameTag(IntEnum):
    NAF_ID = 0x83
    TERMINAL_ID = 0x84
    TERMINAL_APPLI_ID = 0x85
    UICC_APPLI_ID = 0x86
    RANDX = 0x87


# TS 33.110 clause A.2; the longest NAF_ID is that of a NAF derivation, whose length is one byte.
_LONGEST: Mapping[_NameTag, int] = {
    _NameTag.NAF_ID: 255,
    _NameTag.TERMINAL_ID: LONGEST_TERMINAL_ID,
    _NameTag.TERMINAL_APPLI_ID: LONGEST_TERMINAL_APPLI_ID,
    _NameTag.UICC_APPLI_ID: LONGEST_UICC_APPLI_ID,
    _NameTag.RANDX: LONGEST_RANDX,
}


@lean_dataclass(frozen=True, slots=True)
class KeyIdentifier:
    """Names a Ks_local: NAF_ID, Terminal_ID (1 to 10 bytes), the two applications (1 to 32, 1 to 16), RANDx (1 to 16).

    The UICC_ID belongs to it too (TS 33.110 clause B.1), but the card knows its own.
    """

    naf_id: bytes
    terminal_id: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    randx: bytes

    @property
    def names(self) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """All parts in the order of their tags."""
        return self.naf_id, self.terminal_id, self.terminal_appli_id, self.uicc_appli_id, self.randx

    def encode(self) -> bytes:
        """Return the value of tag A0."""
        return encode_tlvs(Tlv(tag, name) for tag, name in zip(_NameTag, self.names, strict=True))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the value of tag A0. Raises `UnusableName`, and `DecodeError` for objects that are wrong."""
        found = decode_tlvs(value)
        if found.keys() - set(_NameTag):
            raise DecodeError("key identifier: other objects than 83 to 87")
        for tag, longest in _LONGEST.items():
            size = len(found.get(tag, b""))
            if not 0 < size <= longest:
                raise UnusableName(f"key identifier: tag {tag:02X} has {size} bytes; allowed: 1 to {longest}")
        return cls(*(found[tag] for tag in _NameTag))


@lean_dataclass(frozen=True, slots=True)
class KeyDerivation:
    """Asks for a Ks_local with its Counter Limit (a number of 16 bytes); `mac` (16 bytes) shows who asks (table 4)."""

    identifier: KeyIdentifier
    counter_limit: int
    mac: bytes

    def encode(self) -> bytes:
        """Return the value of the command object 73."""
        return (
            encode_tlv(_Tag.CONTROL, bytes((Mode.DERIVATION,)))
            + encode_tlv(_Tag.COUNTER_LIMIT, self.counter_limit.to_bytes(COUNTER_LIMIT_SIZE, "big"))
            + encode_tlv(_Tag.MAC, self.mac)
            + encode_tlv(_Tag.IDENTIFIER, self.identifier.encode())
        )


@lean_dataclass(frozen=True, slots=True)
class AvailabilityCheck:
    """Asks whether the card holds a valid Ks_local (table 6)."""

    identifier: KeyIdentifier

    def encode(self) -> bytes:
        """Return the value of the command object 73."""
        control = encode_tlv(_Tag.CONTROL, bytes((Mode.AVAILABILITY,)))
        return control + encode_tlv(_Tag.IDENTIFIER, self.identifier.encode())


LocalKeyRequest = KeyDerivation | AvailabilityCheck


def decode_request(value: bytes) -> LocalKeyRequest:
    """Read the value of the command object 73. Raises `UnusableName`, and `DecodeError` for objects that are wrong."""
    found = decode_tlvs(value)
    mode, named = found.pop(_Tag.CONTROL, b""), found.pop(_Tag.IDENTIFIER, b"")
    sizes = {tag: len(item) for tag, item in found.items()}
    if mode == bytes((Mode.AVAILABILITY,)) and not sizes:
        return AvailabilityCheck(KeyIdentifier.decode(named))
    if mode != bytes((Mode.DERIVATION,)) or sizes != {_Tag.COUNTER_LIMIT: COUNTER_LIMIT_SIZE, _Tag.MAC: MAC_SIZE}:
        raise DecodeError("local key: neither a key derivation nor an availability check")
    limit = int.from_bytes(found[_Tag.COUNTER_LIMIT], "big")
    return KeyDerivation(KeyIdentifier.decode(named), limit, found[_Tag.MAC])


def encode_response(mac: bytes = b"") -> bytes:
    """Return the value of the response object 73: the status, and the response MAC (16 bytes) of a derivation."""
    return encode_tlv(_Tag.CONTROL, SUCCESS) + (encode_tlv(_Tag.MAC, mac) if mac else b"")


def decode_response(value: bytes) -> bytes:
    """Return the response MAC (16 bytes), or nothing for an availability check. Raises `DecodeError`."""
    found = decode_tlvs(value)
    mac = found.pop(_Tag.MAC, b"")
    if found != {_Tag.CONTROL: SUCCESS} or len(mac) not in (0, MAC_SIZE):
        raise DecodeError("local key: the answer does not say that all went well")
    return mac
