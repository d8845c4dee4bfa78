"""The key data sub-payloads inside a KEMAC (RFC 3830 clauses 6.13 and 6.14).

These are the plain bytes: what `card.crypto.mikey_keys` encrypts and decrypts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

from card.codec.mikey.fields import known, prefixed, unsigned
from card.codec.mikey.numbers import SALTED, KeyType, PayloadType, ValidityType
from card.codec.reader import Reader
from card.crypto.secret import Secret
from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

# Names of their own: looking a member up in its enumeration takes longer than comparing it.
_KEY_DATA, _LAST = PayloadType.KEY_DATA, PayloadType.LAST
_MAX_LIMIT_SIZE = 8  # the widest limit RFC 3830 knows is an NTP timestamp


@lean_dataclass(frozen=True, slots=True)
class Spi:
    """Key validity by name: the SPI or MKI, 0 to 255 bytes."""

    value: bytes

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read length and value."""
        return cls(reader.lv("SPI"))

    def encode(self) -> bytes:
        """Return length and value."""
        return prefixed(self.value, 1, "SPI")


@lean_dataclass(frozen=True, slots=True)
class KeyInterval:
    """Key validity by limits, both as they travel: big-endian, 1 to 8 bytes each.

    Plain MBMS bounds MTK IDs with 2 bytes, OMA BCAST bounds STKM timestamps with 4. `lower` above `upper` is
    legal here: with it a server withdraws the key.
    """

    valid_from: bytes
    valid_to: bytes

    @classmethod
    def between(cls, lower: int, upper: int, size: int) -> Self:
        """Return the interval with limits of `size` bytes. Raises `EncodeError` when one does not fit."""
        return cls(unsigned(lower, size, "lower limit"), unsigned(upper, size, "upper limit"))

    @property
    def lower(self) -> int:
        """VF as a number."""
        return int.from_bytes(self.valid_from, "big")

    @property
    def upper(self) -> int:
        """VT as a number."""
        return int.from_bytes(self.valid_to, "big")

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read VF and VT, each behind its length."""
        limits = reader.lv("valid-from limit"), reader.lv("valid-to limit")
        if not all(1 <= len(limit) <= _MAX_LIMIT_SIZE for limit in limits):
            raise DecodeError(f"a validity limit has 1 to {_MAX_LIMIT_SIZE} bytes")
        return cls(*limits)

    def encode(self) -> bytes:
        """Return VF and VT, each behind its length. Raises `EncodeError` for a limit of another size."""
        limits = self.valid_from, self.valid_to
        if not all(1 <= len(limit) <= _MAX_LIMIT_SIZE for limit in limits):
            raise EncodeError(f"a validity limit has 1 to {_MAX_LIMIT_SIZE} bytes")
        return b"".join(prefixed(limit, 1, "validity limit") for limit in limits)


Validity = Spi | KeyInterval | None


@lean_dataclass(frozen=True, slots=True)
class KeyData:
    """One key with its salt (for the two salted types only) and its validity (`None`: not limited)."""

    type: KeyType
    key: Secret
    salt: Secret | None = None
    validity: Validity = None

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read the body behind the next-payload byte."""
        types = reader.u8("key and validity type")
        key_type = known(KeyType, types >> 4, "key type")
        validity_type = known(ValidityType, types & 0x0F, "validity type")
        key = Secret(reader.take(reader.u16("length of key"), "key"))
        salt = Secret(reader.take(reader.u16("length of salt"), "salt")) if key_type in SALTED else None
        return cls(key_type, key, salt, _VALIDITY_READERS[validity_type](reader))

    def encode(self) -> bytes:
        """Return the plain body behind the next-payload byte. Raises `EncodeError` if the salt is amiss."""
        if (self.type in SALTED) != (self.salt is not None):
            raise EncodeError(f"key type {self.type.name} {'needs' if self.type in SALTED else 'has no'} salt")
        types = self.type << 4 | _validity_type(self.validity)
        salt = b"" if self.salt is None else prefixed(self.salt.reveal(), 2, "salt")
        validity = b"" if self.validity is None else self.validity.encode()
        return bytes((types,)) + prefixed(self.key.reveal(), 2, "key") + salt + validity


def decode_key_data(plain: bytes) -> tuple[KeyData, ...]:
    """Return the sub-payloads that fill `plain`, at least one. Raises `DecodeError`."""
    reader = Reader(plain)
    found: list[KeyData] = []
    next_payload: int = _KEY_DATA
    while next_payload != _LAST:
        start = reader.position
        try:
            if next_payload != _KEY_DATA:
                raise DecodeError(f"payload {next_payload} cannot stand here")
            next_payload = reader.u8("next payload")
            found.append(KeyData.decode(reader))
        except DecodeError as error:
            raise DecodeError(f"MIKEY key data at offset {start}: {error}") from None
    reader.expect_end("MIKEY key data")
    return tuple(found)


def encode_key_data(items: Sequence[KeyData]) -> bytes:
    """Return the sub-payloads chained one after the other. Raises `EncodeError` when there is none."""
    if not items:
        raise EncodeError("a KEMAC needs at least one key data sub-payload")
    following = [PayloadType.KEY_DATA] * (len(items) - 1) + [PayloadType.LAST]
    return b"".join(bytes((after,)) + item.encode() for after, item in zip(following, items, strict=True))


_VALIDITY_READERS: Mapping[ValidityType, Callable[[Reader], Validity]] = MappingProxyType(
    {
        ValidityType.NONE: lambda _: None,
        ValidityType.SPI: Spi.decode,
        ValidityType.INTERVAL: KeyInterval.decode,
    }
)


def _validity_type(validity: Validity) -> ValidityType:
    match validity:
        case None:
            return ValidityType.NONE
        case Spi():
            return ValidityType.SPI
        case KeyInterval():
            return ValidityType.INTERVAL
