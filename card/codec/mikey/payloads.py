"""The MIKEY payloads a Smartcard Profile message is made of (RFC 3830 clause 6, RFC 4563 clause 4).

Each payload reads and writes its body, that is everything behind the next-payload byte; the message writes
the chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import ClassVar, Self

from card.codec.mikey.fields import known, prefixed, unsigned
from card.codec.mikey.numbers import (
    EncryptionAlgorithm,
    ExtensionType,
    MacAlgorithm,
    PayloadType,
    TimestampType,
)
from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

_NO_MAC_YET = bytes(MacAlgorithm.HMAC_SHA1_160.size)
_TIMESTAMP_SIZE = MappingProxyType({TimestampType.NTP_UTC: 8, TimestampType.NTP: 8, TimestampType.COUNTER: 4})


@lean_dataclass(frozen=True, slots=True)
class Timestamp:
    """T: an NTP time (64 bits) or, in MBMS and BCAST, a counter (32 bits) (RFC 3830 clause 6.6)."""

    payload_type: ClassVar[PayloadType] = PayloadType.T

    value: int
    type: TimestampType = TimestampType.COUNTER

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read type and value."""
        kind = known(TimestampType, reader.u8("timestamp type"), "timestamp type")
        return cls(reader.uint(_TIMESTAMP_SIZE[kind], "timestamp"), kind)

    def encode(self) -> bytes:
        """Return type and value."""
        return bytes((self.type,)) + self.encode_value()

    def encode_value(self) -> bytes:
        """Return the value as it travels: 4 bytes for a counter, else 8. Raises `EncodeError`."""
        return unsigned(self.value, _TIMESTAMP_SIZE[self.type], "timestamp")

    def require_counter(self) -> None:
        """Raise `DecodeError` unless this is a 32-bit COUNTER, the only kind MBMS uses."""
        if self.type is not TimestampType.COUNTER:
            raise DecodeError("MIKEY T payload: a COUNTER is wanted")


@lean_dataclass(frozen=True, slots=True)
class Rand:
    """RAND: the random value of the key derivation, 0 to 255 bytes (RFC 3830 clause 6.11)."""

    payload_type: ClassVar[PayloadType] = PayloadType.RAND

    value: bytes

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read length and value."""
        return cls(reader.lv("RAND"))

    def encode(self) -> bytes:
        """Return length and value."""
        return prefixed(self.value, 1, "RAND")


@lean_dataclass(frozen=True, slots=True)
class Identity:
    """ID: who sends or receives, opaque bytes (RFC 3830 clause 6.7). IDi comes first, then IDr.

    The type is carried as it came, 0 to 255: a receiver of MBMS messages ignores it (TS 33.246 clause 6.4.5.1).
    """

    payload_type: ClassVar[PayloadType] = PayloadType.ID

    type: int
    value: bytes

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read type, length and value."""
        return cls(reader.u8("ID type"), reader.take(reader.u16("length of ID"), "ID"))

    def encode(self) -> bytes:
        """Return type, length and value."""
        return unsigned(self.type, 1, "ID type") + prefixed(self.value, 2, "ID")


@lean_dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """SP: one security policy; its parameters stay raw (RFC 3830 clause 6.10)."""

    payload_type: ClassVar[PayloadType] = PayloadType.SP

    policy: int
    protocol: int
    parameters: bytes

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read policy number, protocol number, length and parameters."""
        policy, protocol = reader.u8("policy number"), reader.u8("protocol")
        size = reader.u16("length of policy parameters")
        return cls(policy, protocol, reader.take(size, "policy parameters"))

    def encode(self) -> bytes:
        """Return policy number, protocol number, length and parameters."""
        numbers = unsigned(self.policy, 1, "policy number") + unsigned(self.protocol, 1, "protocol")
        return numbers + prefixed(self.parameters, 2, "policy parameters")


@lean_dataclass(frozen=True, slots=True)
class Extension:
    """EXT: a general extension, its data raw; any type from 0 to 255 is carried (RFC 3830 clause 6.15)."""

    payload_type: ClassVar[PayloadType] = PayloadType.EXT

    type: int
    data: bytes

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read type, length and data."""
        kind = reader.u8("extension type")
        return cls(kind, reader.take(reader.u16("length of extension"), "extension"))

    @classmethod
    def of_bcast(cls, subtype: int, data: bytes) -> Self:
        """Return the OMA BCAST extension (type 5): one subtype byte, then `data` (RFC 5410)."""
        return cls(ExtensionType.OMA_BCAST, unsigned(subtype, 1, "OMA BCAST subtype") + data)

    def encode(self) -> bytes:
        """Return type, length and data."""
        return unsigned(self.type, 1, "extension type") + prefixed(self.data, 2, "extension")


@lean_dataclass(frozen=True, slots=True)
class Kemac:
    """KEMAC: encrypted key data and the code over the whole message (RFC 3830 clause 6.2).

    `mac` has the size of its algorithm: 20 bytes or none. A builder leaves it at its zeros and calls
    `MikeyMessage.with_mac`. The encrypted bytes stay out of the repr: under the NULL cipher they are the key.
    """

    payload_type: ClassVar[PayloadType] = PayloadType.KEMAC

    encryption: EncryptionAlgorithm
    encrypted: bytes = field(repr=False)
    mac_algorithm: MacAlgorithm = MacAlgorithm.HMAC_SHA1_160
    mac: bytes = _NO_MAC_YET

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read cipher, length, encrypted data, MAC algorithm and MAC."""
        cipher = known(EncryptionAlgorithm, reader.u8("encryption algorithm"), "encryption algorithm")
        encrypted = reader.take(reader.u16("length of encrypted data"), "encrypted data")
        return cls(cipher, encrypted, *_decode_mac(reader))

    def encode(self) -> bytes:
        """Return cipher, length, encrypted data, MAC algorithm and MAC."""
        encrypted = prefixed(self.encrypted, 2, "encrypted data")
        return bytes((self.encryption,)) + encrypted + _encode_mac(self.mac_algorithm, self.mac)

    def require_protection(self) -> None:
        """Raise `DecodeError` unless it is encrypted and authenticated: NULL algorithms would let anyone pay."""
        algorithms = self.encryption, self.mac_algorithm
        if algorithms != (EncryptionAlgorithm.AES_CM_128, MacAlgorithm.HMAC_SHA1_160):
            raise DecodeError("MIKEY KEMAC: AES-CM-128 and HMAC-SHA-1-160 are wanted")


@lean_dataclass(frozen=True, slots=True)
class Verification:
    """V: the code that answers a message whose V bit was set (RFC 3830 clause 6.9). See `Kemac` for `mac`."""

    payload_type: ClassVar[PayloadType] = PayloadType.V

    mac_algorithm: MacAlgorithm = MacAlgorithm.HMAC_SHA1_160
    mac: bytes = _NO_MAC_YET

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read MAC algorithm and MAC."""
        return cls(*_decode_mac(reader))

    def encode(self) -> bytes:
        """Return MAC algorithm and MAC."""
        return _encode_mac(self.mac_algorithm, self.mac)


@lean_dataclass(frozen=True, slots=True)
class ErrorNumber:
    """ERR: why a message was refused, one byte and two reserved zeros (RFC 3830 clause 6.12)."""

    payload_type: ClassVar[PayloadType] = PayloadType.ERR

    number: int

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read number and reserved bytes."""
        number = reader.u8("error number")
        if reader.u16("reserved bytes"):
            raise DecodeError("reserved bytes are not zero")
        return cls(number)

    def encode(self) -> bytes:
        """Return number and reserved bytes."""
        return unsigned(self.number, 1, "error number") + bytes(2)


Payload = Timestamp | Rand | Identity | SecurityPolicy | Extension | Kemac | Verification | ErrorNumber

PAYLOADS: Mapping[int, type[Payload]] = MappingProxyType(
    {
        kind.payload_type: kind
        for kind in (Timestamp, Rand, Identity, SecurityPolicy, Extension, Kemac, Verification, ErrorNumber)
    }
)
"""Payload number to the class that reads it."""


def _decode_mac(reader: Reader) -> tuple[MacAlgorithm, bytes]:
    algorithm = known(MacAlgorithm, reader.u8("MAC algorithm"), "MAC algorithm")
    return algorithm, reader.take(algorithm.size, "MAC")


def _encode_mac(algorithm: MacAlgorithm, mac: bytes) -> bytes:
    if len(mac) != algorithm.size:
        raise EncodeError(f"a MAC of {algorithm.name} has {algorithm.size} bytes, not {len(mac)}")
    return bytes((algorithm,)) + mac
