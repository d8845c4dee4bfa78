"""Data objects of AUTHENTICATE in the Local Key Establishment context (TS 31.102 clause 7.1, P2 86), both ways.

provisional: that the context exists and has these two modes is sourced, the tags and sizes are recalled weakly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from card.codec.tlv import Tlv, decode_tlvs, encode_tlv, encode_tlvs
from card.crypto.local_key import COUNTER_LIMIT_SIZE, MAC_SIZE, RANDX_SIZE
from card.errors import DecodeError

SUCCESS = b"\xdb"
_LONGEST_NAME = 64
_LONGEST_NAF_ID = 255


class Mode(IntEnum):
    """What is asked of the card."""

    DERIVATION = 0x01
    AVAILABILITY = 0x02


class _Tag(IntEnum):
    MODE = 0x80
    COUNTER_LIMIT = 0x81
    MAC = 0x82
    IDENTIFIER = 0xA0


class _NameTag(IntEnum):
    NAF_ID = 0x80
    TERMINAL_ID = 0x81
    TERMINAL_APPLI_ID = 0x82
    UICC_APPLI_ID = 0x83
    RANDX = 0x84


@dataclass(frozen=True, slots=True)
class KeyIdentifier:
    """Names a Ks_local: NAF ID, terminal, terminal application, UICC application, and RANDx (16 bytes)."""

    naf_id: bytes
    terminal_id: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    randx: bytes

    def encode(self) -> bytes:
        """Return the value of tag A0."""
        names = (self.naf_id, self.terminal_id, self.terminal_appli_id, self.uicc_appli_id, self.randx)
        return encode_tlvs(Tlv(tag, name) for tag, name in zip(_NameTag, names, strict=True))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the value of tag A0. Raises `DecodeError`."""
        found = decode_tlvs(value)
        if set(found) != set(_NameTag) or len(found[_NameTag.RANDX]) != RANDX_SIZE:
            raise DecodeError("key identifier: objects 80 to 84 with a RANDx of 16 bytes are wanted")
        for tag, name in found.items():
            if not 0 < len(name) <= (_LONGEST_NAF_ID if tag == _NameTag.NAF_ID else _LONGEST_NAME):
                raise DecodeError(f"key identifier: tag {tag:02X} has {len(name)} bytes")
        return cls(*(found[tag] for tag in _NameTag))


@dataclass(frozen=True, slots=True)
class KeyDerivation:
    """Asks for a Ks_local that may be used `counter_limit` times; `mac` (16 bytes) shows who asks."""

    identifier: KeyIdentifier
    counter_limit: int
    mac: bytes

    def encode(self) -> bytes:
        """Return the value of the command object 73."""
        return (
            encode_tlv(_Tag.MODE, bytes((Mode.DERIVATION,)))
            + encode_tlv(_Tag.COUNTER_LIMIT, self.counter_limit.to_bytes(COUNTER_LIMIT_SIZE, "big"))
            + encode_tlv(_Tag.MAC, self.mac)
            + encode_tlv(_Tag.IDENTIFIER, self.identifier.encode())
        )


@dataclass(frozen=True, slots=True)
class AvailabilityCheck:
    """Asks whether the card holds a Ks_local that may still be used."""

    identifier: KeyIdentifier

    def encode(self) -> bytes:
        """Return the value of the command object 73."""
        mode = encode_tlv(_Tag.MODE, bytes((Mode.AVAILABILITY,)))
        return mode + encode_tlv(_Tag.IDENTIFIER, self.identifier.encode())


LocalKeyRequest = KeyDerivation | AvailabilityCheck


def decode_request(value: bytes) -> LocalKeyRequest:
    """Read the value of the command object 73. Raises `DecodeError`."""
    found = decode_tlvs(value)
    mode = found.pop(_Tag.MODE, b"")
    identifier = KeyIdentifier.decode(found.pop(_Tag.IDENTIFIER, b""))
    if mode == bytes((Mode.AVAILABILITY,)) and not found:
        return AvailabilityCheck(identifier)
    sizes = {tag: len(value) for tag, value in found.items()}
    if mode != bytes((Mode.DERIVATION,)) or sizes != {_Tag.COUNTER_LIMIT: COUNTER_LIMIT_SIZE, _Tag.MAC: MAC_SIZE}:
        raise DecodeError("local key: neither a key derivation nor an availability check")
    return KeyDerivation(identifier, int.from_bytes(found[_Tag.COUNTER_LIMIT], "big"), found[_Tag.MAC])


def encode_response(mac: bytes = b"") -> bytes:
    """Return the value of the response object 73: the status, and the response MAC (16 bytes) of a derivation."""
    return encode_tlv(_Tag.MODE, SUCCESS) + (encode_tlv(_Tag.MAC, mac) if mac else b"")


def decode_response(value: bytes) -> bytes:
    """Return the response MAC (16 bytes), or nothing for an availability check. Raises `DecodeError`."""
    found = decode_tlvs(value)
    mac = found.pop(_Tag.MAC, b"")
    if found != {_Tag.MODE: SUCCESS} or len(mac) not in (0, MAC_SIZE):
        raise DecodeError("local key: the answer does not say that all went well")
    return mac
