"""The MBMS key identifiers in a general extension of type 3 (RFC 4563 clause 4)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Self

from card.codec.mikey.fields import known
from card.codec.mikey.numbers import ExtensionType, KeyIdType
from card.codec.mikey.payloads import Extension
from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

_SIZE = MappingProxyType({KeyIdType.KEY_DOMAIN: 3, KeyIdType.MSK: 4, KeyIdType.MTK: 2})
# Domain, MSK ID and, in an STKM, MTK ID in this order: what every server known sends, read in one go.
_USUAL_FORM = re.compile(rb"\x00\x03(.{3})\x01\x04(.{4})(?:\x02\x02(.{2}))?", re.DOTALL)


@lean_dataclass(frozen=True, slots=True)
class MbmsKeyIds:
    """Which key a message brings: Key Domain ID (3 bytes), MSK ID (4) and, in an STKM only, MTK ID (2).

    The sub-payloads are read in any order and written domain, MSK, MTK.
    """

    key_domain_id: bytes
    msk_id: bytes
    mtk_id: bytes | None = None

    @property
    def key_group(self) -> bytes:
        """Key Group part of the MSK ID (2 bytes)."""
        return self.msk_id[:2]

    @property
    def key_number(self) -> bytes:
        """Key Number part of the MSK ID (2 bytes)."""
        return self.msk_id[2:]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the data of a type 3 extension. Raises `DecodeError`."""
        usual = _USUAL_FORM.fullmatch(data)
        if usual is not None:
            return cls(*usual.groups())
        found = _decode_identifiers(data)
        domain, msk = found.get(KeyIdType.KEY_DOMAIN), found.get(KeyIdType.MSK)
        if domain is None or msk is None:
            raise DecodeError("MBMS key IDs: Key Domain ID or MSK ID is missing")
        return cls(domain, msk, found.get(KeyIdType.MTK))

    def encode(self) -> bytes:
        """Return the data of a type 3 extension, 11 or 15 bytes. Raises `EncodeError` for a wrong size."""
        values = {KeyIdType.KEY_DOMAIN: self.key_domain_id, KeyIdType.MSK: self.msk_id}
        if self.mtk_id is not None:
            values[KeyIdType.MTK] = self.mtk_id
        return b"".join(_encode_identifier(kind, value) for kind, value in values.items())

    def to_extension(self) -> Extension:
        """Return the extension payload that carries these IDs."""
        return Extension(ExtensionType.MBMS_KEY_IDS, self.encode())


def _decode_identifiers(data: bytes) -> dict[KeyIdType, bytes]:
    reader = Reader(data)
    found: dict[KeyIdType, bytes] = {}
    while reader.remaining:
        start = reader.position
        kind = known(KeyIdType, reader.u8("key ID type"), "MBMS key IDs: type")
        value = reader.lv("MBMS key ID")
        if kind in found:
            raise DecodeError(f"MBMS key IDs: {kind.name} is repeated at offset {start}")
        if len(value) != _SIZE[kind]:
            raise DecodeError(f"MBMS key IDs: {kind.name} at offset {start} is not {_SIZE[kind]} bytes long")
        found[kind] = value
    return found


def _encode_identifier(kind: KeyIdType, value: bytes) -> bytes:
    if len(value) != _SIZE[kind]:
        raise EncodeError(f"MBMS key IDs: {kind.name} has {_SIZE[kind]} bytes, not {len(value)}")
    return bytes((kind, len(value))) + value
