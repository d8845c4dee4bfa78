"""An STKM taken apart: what an MTK message of MBMS says (RFC 4563, TS 33.246 clause 6.4.3).

Nearly all of them have one form: HDR, EXT with the key IDs, EXT of OMA BCAST or none, T, KEMAC. A card reads one every
few seconds for hours, so this form is split in one go; every other form, and every fault, is `MikeyMessage`'s.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Self

from card.codec.mikey.message import MikeyMessage
from card.codec.mikey.numbers import (
    VERSION,
    CsIdMapType,
    DataType,
    EncryptionAlgorithm,
    ExtensionType,
    KeyIdType,
    MacAlgorithm,
    PayloadType,
    TimestampType,
)
from card.codec.mikey.payloads import Extension, Kemac, Timestamp
from card.errors import DecodeError
from card.lean import lean_dataclass


def _bytes(*numbers: int) -> bytes:
    return re.escape(bytes(numbers))


# HDR and the EXT with domain, MSK ID and MTK ID; `more` tells that the EXT of OMA BCAST follows. The V bit asks nothing
# of an STKM, and the Empty map names no crypto session.
_HEAD = re.compile(
    _bytes(VERSION, DataType.PRE_SHARED, PayloadType.EXT)
    + rb"[\x00\x80](.{4})"
    + _bytes(0, CsIdMapType.EMPTY)
    + rb"(?:" + _bytes(PayloadType.T) + rb"|(?P<more>" + _bytes(PayloadType.EXT) + rb"))"
    + _bytes(ExtensionType.MBMS_KEY_IDS, 0, 15)
    + _bytes(KeyIdType.KEY_DOMAIN, 3) + rb"(.{3})"
    + _bytes(KeyIdType.MSK, 4) + rb"(.{4})"
    + _bytes(KeyIdType.MTK, 2) + rb"(.{2})",
    re.DOTALL,
)  # fmt: skip
_EXTENSION = re.compile(_bytes(PayloadType.T, ExtensionType.OMA_BCAST) + rb"(.{2})", re.DOTALL)
_COUNTER_AND_KEMAC = re.compile(
    _bytes(PayloadType.KEMAC, TimestampType.COUNTER) + rb"(.{4})"
    + _bytes(PayloadType.LAST, EncryptionAlgorithm.AES_CM_128) + rb"(.{2})",
    re.DOTALL,
)  # fmt: skip
_MAC_ALGORITHM = MacAlgorithm.HMAC_SHA1_160
_TAIL = 1 + _MAC_ALGORITHM.size  # MAC algorithm and MAC


@lean_dataclass(frozen=True, slots=True)
class Stkm:
    """The parts of an STKM, taken apart but not verified.

    `key_domain_id` has 3 bytes, `msk_id` 4; `counter` is the COUNTER of its T payload. `encrypted` and `mac` (20 bytes
    over `covered`) are those of its KEMAC: AES-CM-128 and HMAC-SHA-1. `extensions` are the data of the OMA BCAST ones.
    """

    csb_id: int
    key_domain_id: bytes
    msk_id: bytes
    mtk_id: int
    counter: int
    encrypted: bytes = field(repr=False)
    covered: bytes = field(repr=False)
    mac: bytes
    extensions: tuple[bytes, ...] = ()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Take an STKM apart. Raises `DecodeError` when a payload it needs is missing or of another kind."""
        return cls._decode_usual(raw) or cls._decode_any(raw)

    @classmethod
    def _decode_usual(cls, raw: bytes) -> Self | None:
        head = _HEAD.match(raw)
        if head is None:
            return None
        csb_id, more, domain, msk_id, mtk_id = head.groups()
        end, extensions = (head.end(), ()) if more is None else _split_extension(raw, head.end())
        middle = _COUNTER_AND_KEMAC.match(raw, end)
        if middle is None:
            return None
        counter, size = middle.groups()
        start, end = middle.end(), middle.end() + int.from_bytes(size, "big")
        if len(raw) != end + _TAIL or raw[end] != _MAC_ALGORITHM:
            return None
        return cls(
            int.from_bytes(csb_id, "big"),
            domain,
            msk_id,
            int.from_bytes(mtk_id, "big"),
            int.from_bytes(counter, "big"),
            raw[start:end],
            raw[: end + 1],
            raw[end + 1 :],
            extensions,
        )

    @classmethod
    def _decode_any(cls, raw: bytes) -> Self:
        message = MikeyMessage.decode(raw)
        if message.header.data_type is not DataType.PRE_SHARED:
            raise DecodeError("STKM: a pre-shared key message is wanted")
        ids, timestamp, kemac = message.key_ids(), message.one(Timestamp), message.one(Kemac)
        if ids.mtk_id is None:
            raise DecodeError("STKM: the MTK ID is missing")
        timestamp.require_counter()
        kemac.require_protection()
        extensions = message.all(Extension)
        return cls(
            message.header.csb_id,
            ids.key_domain_id,
            ids.msk_id,
            int.from_bytes(ids.mtk_id, "big"),
            timestamp.value,
            kemac.encrypted,
            message.mac_input(raw),
            kemac.mac,
            tuple(extension.data for extension in extensions if extension.type == ExtensionType.OMA_BCAST),
        )


def _split_extension(raw: bytes, start: int) -> tuple[int, tuple[bytes, ...]]:
    """Return where the EXT of OMA BCAST ends, and its data; the end of `raw` when there is none."""
    found = _EXTENSION.match(raw, start)
    if found is None:
        return len(raw), ()
    end = found.end() + int.from_bytes(found.group(1), "big")
    return end, (raw[found.end() : end],)
