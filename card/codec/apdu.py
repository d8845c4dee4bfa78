"""Command and response APDUs, cases 1 to 4, short and extended (ISO 7816-4 clause 5.2, TS 102 221 clause 10.1)."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass
from card.spec.cla import SIM_CLASS

MAX_SHORT_LC = 255
MAX_SHORT_LE = 256
MAX_EXTENDED_LC = 65535
MAX_EXTENDED_LE = 65536


class ClassFamily(Enum):
    """Which coding of the class byte a command uses (TS 102 221 clause 10.1.1)."""

    INTERINDUSTRY = "0X, 4X, 6X"
    ETSI = "8X, CX, EX"
    GSM = "A0"
    RFU = "reserved"


@lean_dataclass(frozen=True, slots=True)
class CommandApdu:
    """A decoded command. `le` is the number of bytes wanted (1 to 65,536) or None when the field is absent.

    The data may be a PIN, so they stay out of the repr.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    le: int | None = None
    extended: bool = False

    def encode(self) -> bytes:
        """Return the shortest APDU that carries this command. Raises `EncodeError` when data or Le are too long."""
        header = bytes((self.cla, self.ins, self.p1, self.p2))
        if len(self.data) > MAX_EXTENDED_LC or not (self.le is None or 0 < self.le <= MAX_EXTENDED_LE):
            raise EncodeError("APDU: data up to 65,535 bytes and Le from 1 to 65,536 can be written")
        if self.extended or len(self.data) > MAX_SHORT_LC or (self.le or 0) > MAX_SHORT_LE:
            return header + _encode_extended(self.data, self.le)
        lc = bytes((len(self.data),)) if self.data else b""
        le = b"" if self.le is None else bytes((self.le & 0xFF,))
        return header + lc + self.data + le

    @classmethod
    def decode(cls, raw: bytes) -> CommandApdu:
        """Split an APDU of 4 to 65,544 bytes. Raises `DecodeError` when the length fields do not add up."""
        size = len(raw)
        if size < 4:
            raise DecodeError(f"APDU of {size} bytes, at least 4 are needed")
        cla, ins, p1, p2 = raw[:4]
        if size == 4:
            return cls(cla, ins, p1, p2)
        if size == 5:
            return cls(cla, ins, p1, p2, b"", raw[4] or MAX_SHORT_LE)
        lc = raw[4]
        if lc:
            if size == 5 + lc:
                return cls(cla, ins, p1, p2, raw[5:])
            if size == 6 + lc:
                return cls(cla, ins, p1, p2, raw[5:-1], raw[-1] or MAX_SHORT_LE)
            raise DecodeError(f"APDU of {size} bytes with Lc {lc}")
        data, le = _decode_extended(raw)
        return cls(cla, ins, p1, p2, data, le, extended=True)


def _encode_extended(data: bytes, le: int | None) -> bytes:
    tail = b"" if le is None else (le & 0xFFFF).to_bytes(2, "big")
    if data:
        return b"\x00" + len(data).to_bytes(2, "big") + data + tail
    return b"\x00" + tail if tail else b""


def _decode_extended(raw: bytes) -> tuple[bytes, int | None]:
    """Read the fields after a zero fifth byte: a two-byte Le alone, or Lc, data and an optional Le."""
    size = len(raw)
    if size < 7:
        raise DecodeError(f"extended APDU of {size} bytes")
    first = int.from_bytes(raw[5:7], "big")
    if size == 7:
        return b"", first or MAX_EXTENDED_LE
    if first and size == 7 + first:
        return raw[7:], None
    if first and size == 9 + first:
        return raw[7:-2], int.from_bytes(raw[-2:], "big") or MAX_EXTENDED_LE
    raise DecodeError(f"extended APDU of {size} bytes with Lc {first}")


def class_family(cla: int) -> ClassFamily:
    """Return the coding of a class byte."""
    high = cla >> 4
    if high in (0x0, 0x4, 0x6):
        return ClassFamily.INTERINDUSTRY
    if high in (0x8, 0xC, 0xE):
        return ClassFamily.ETSI
    return ClassFamily.GSM if cla == SIM_CLASS else ClassFamily.RFU


def channel_of(cla: int) -> int:
    """Return the logical channel: 0 to 3 in the basic coding, 4 to 19 in the extended one."""
    return 4 + (cla & 0x0F) if cla & 0x40 else cla & 0x03


def wants_secure_messaging(cla: int) -> bool:
    """True when the class byte asks for secure messaging, which a UICC of this kind does not offer."""
    return bool(cla & 0x20) if cla & 0x40 else bool(cla & 0x0C)
