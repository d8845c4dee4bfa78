"""Tells from the beginning of a MIKEY message whether what has come of it holds a key in clear."""

from __future__ import annotations

from card.codec.mikey.header import Header
from card.codec.mikey.numbers import EncryptionAlgorithm, PayloadType
from card.codec.mikey.payloads import PAYLOADS
from card.codec.reader import Reader
from card.errors import DecodeError


class _Cut(Exception):
    """The message ends here for now: the rest comes in another block."""


class _PrefixReader(Reader):
    """Reads what may be the beginning of something longer."""

    def take(self, count: int, what: str = "field") -> bytes:
        """Read `count` bytes. Raises `_Cut` when fewer have come."""
        if count > self.remaining:
            raise _Cut
        return super().take(count, what)

    def u8(self, what: str = "byte") -> int:
        """Read one byte. Raises `_Cut` when none is left."""
        if not self.remaining:
            raise _Cut
        return super().u8(what)


def is_open(prefix: bytes) -> bool:
    """True when the message follows its grammar so far and key data, if it has come to them, are encrypted.

    Payloads before KEMAC hold times, names, random values and policies (RFC 3830 clause 6).
    """
    reader = _PrefixReader(prefix)
    try:
        _, payload = Header.decode(reader)
        while payload not in (PayloadType.LAST, PayloadType.KEMAC):
            kind = PAYLOADS[payload]
            payload = reader.u8("next payload")
            kind.decode(reader)
        if payload == PayloadType.LAST:
            return not reader.remaining
        reader.u8("next payload")
        return EncryptionAlgorithm(reader.u8("encryption algorithm")) is not EncryptionAlgorithm.NULL
    except _Cut:
        return True
    except (DecodeError, KeyError, ValueError):
        return False
