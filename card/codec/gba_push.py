"""The GBA Push Information message, GPI (TS 33.223 clauses 5.2.1 and 5.3.5).

Syntax only: `card.crypto.gba_push` encrypts and authenticates. NAF_ID, Key_LT and P-TID travel encrypted.

provisional: the length octets before NAF_ID and P-TID travel in clear; clause 5.3.4 names the elements alone, and the
figure with the layout does not say more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from card.codec.mikey.fields import prefixed
from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from card.spec.gba import UA_PROTOCOL_SIZE

MAC_SIZE = 4
_VERSION = 1
_VERSION_SHIFT = 4
_GBA_U = 0x01
_RAND_SIZE = 16
_AUTN_SIZE = 16
_LIFETIME_SIZE = 4
_NO_MAC_YET = bytes(MAC_SIZE)

# RFC 4330 clause 3: with its first bit set a time counts from 1900, else from the first overflow in 2036.
_ERA = 1 << 32
_FIRST_BIT = 1 << 31
_NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SealedGpi:
    """A GPI as it travels. `gba_u` is the U/M bit; RAND and AUTN (AUTN* of GBA_U) have 16 bytes each.

    `app_label` (UTF-8, 0 to 255 bytes) names the application of the UICC. Still encrypted: `naf_id` (6 to 255 bytes),
    `lifetime` (4), `p_tid` (0 to 255). `mac` has 4 bytes; a builder leaves it at its zeros and calls `with_mac`.
    """

    gba_u: bool
    rand: bytes
    autn: bytes
    app_label: bytes
    naf_id: bytes
    lifetime: bytes
    p_tid: bytes
    mac: bytes = _NO_MAC_YET

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Take a message apart; its three reserved bits are ignored. Raises `DecodeError`."""
        reader = Reader(raw)
        first = reader.u8("version of the GPI")
        if first >> _VERSION_SHIFT != _VERSION:
            raise DecodeError(f"GPI: version {first >> _VERSION_SHIFT} is not known, {_VERSION} is")
        message = cls(
            gba_u=bool(first & _GBA_U),
            rand=reader.take(_RAND_SIZE, "RAND"),
            autn=reader.take(_AUTN_SIZE, "AUTN"),
            app_label=reader.lv("App_Lbl"),
            naf_id=reader.lv("NAF_ID"),
            lifetime=reader.take(_LIFETIME_SIZE, "Key_LT"),
            p_tid=reader.lv("P-TID"),
            mac=reader.take(MAC_SIZE, "MAC of the GPI"),
        )
        reader.expect_end("GPI")
        if len(message.naf_id) <= UA_PROTOCOL_SIZE:
            raise DecodeError(f"GPI: a NAF_ID of {len(message.naf_id)} bytes has no room for an FQDN")
        return message

    def encode(self) -> bytes:
        """Return the message. Raises `EncodeError` when a part has a wrong size."""
        sizes = len(self.rand), len(self.autn), len(self.lifetime), len(self.mac)
        if sizes != (_RAND_SIZE, _AUTN_SIZE, _LIFETIME_SIZE, MAC_SIZE):
            raise EncodeError(f"GPI: RAND, AUTN, Key_LT and MAC have 16, 16, 4 and 4 bytes, not {sizes}")
        if len(self.naf_id) <= UA_PROTOCOL_SIZE:
            raise EncodeError("GPI: a NAF_ID is an FQDN and the 5 bytes of the Ua protocol")
        first = _VERSION << _VERSION_SHIFT | (_GBA_U if self.gba_u else 0)
        clear = bytes((first,)) + self.rand + self.autn + prefixed(self.app_label, 1, "App_Lbl")
        return clear + prefixed(self.naf_id, 1, "NAF_ID") + self.lifetime + prefixed(self.p_tid, 1, "P-TID") + self.mac

    def with_mac(self, mac: bytes) -> Self:
        """Return the message with its MAC (4 bytes)."""
        return replace(self, mac=mac)


def mac_input(raw: bytes) -> bytes:
    """Return what the MAC of an encoded message covers: all of it, the MAC field zero (TS 33.223 clause 5.3.3)."""
    return raw[:-MAC_SIZE] + _NO_MAC_YET


def encode_ntp_seconds(moment: datetime) -> bytes:
    """Return Key_LT (4 bytes): the seconds of an aware time, 1968 to 2104, since 1900 or the overflow in 2036.

    A fraction of a second is dropped, so that no key lives too long. Raises `EncodeError` for another time.
    """
    seconds = int((moment - _NTP_EPOCH) // timedelta(seconds=1))
    if not _FIRST_BIT <= seconds < _ERA + _FIRST_BIT:
        raise EncodeError(f"Key_LT: {moment:%Y} does not fit, 1968 to 2104 do")
    return (seconds % _ERA).to_bytes(_LIFETIME_SIZE, "big")


def decode_ntp_seconds(value: bytes) -> datetime:
    """Return the time, in UTC, that a Key_LT (4 bytes) stands for."""
    seconds = int.from_bytes(value, "big")
    return _NTP_EPOCH + timedelta(seconds=seconds if seconds & _FIRST_BIT else seconds + _ERA)
