"""File control parameters, the answer to SELECT and STATUS (TS 102 221 clause 11.1.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from card.codec.reader import Reader
from card.codec.tlv import decode_tlvs, encode_length, encode_tlv, iter_tlvs
from card.errors import DecodeError
from card.lean import lean_dataclass

_DATA_CODING = 0x21  # second byte of the file descriptor, fixed by TS 102 221


class DescriptorByte(IntEnum):
    """File descriptor byte: what kind of file this is (TS 102 221 table 11.5)."""

    TRANSPARENT = 0x41
    LINEAR_FIXED = 0x42
    CYCLIC = 0x46
    BER_TLV = 0x79
    DIRECTORY = 0x78


class Tag(IntEnum):
    """Tags inside the FCP template."""

    TEMPLATE = 0x62
    FILE_SIZE = 0x80
    TOTAL_SIZE = 0x81
    DESCRIPTOR = 0x82
    FILE_ID = 0x83
    DF_NAME = 0x84
    SFI = 0x88
    LIFE_CYCLE = 0x8A
    SECURITY_REFERENCED = 0x8B
    SECURITY_EXPANDED = 0xAB
    PROPRIETARY = 0xA5
    PIN_STATUS = 0xC6


@lean_dataclass(frozen=True, slots=True)
class PinStatus:
    """One entry of the PIN status template: key reference, whether it is enabled, and for the universal PIN its use."""

    reference: int
    enabled: bool
    usage: int | None = None


@lean_dataclass(frozen=True, slots=True)
class Fcp:
    """Decoded file control parameters. Sizes in bytes; `arr` is (FID of EF_ARR, record number).

    `environments` are pairs of security environment (SEID) and record, which then stand in the place of the one record.
    `rule` is an access rule in expanded form, which then stands in the place of the reference.
    """

    descriptor: int
    file_id: int
    life_cycle: int = 0x05
    record_length: int = 0
    record_count: int = 0
    df_name: bytes = b""
    proprietary: bytes = b""
    arr: tuple[int, int] | None = None
    rule: bytes = b""
    file_size: int | None = None
    total_size: int | None = None
    sfi: int | None = None
    pins: Sequence[PinStatus] = ()
    environments: tuple[tuple[int, int], ...] = ()

    @property
    def is_directory(self) -> bool:
        """True for the MF, a DF or an ADF."""
        return self.descriptor & 0x3F == 0x38  # bit 7 only tells whether the file is shareable

    def encode(self) -> bytes:
        """Return the FCP template, objects in the order of TS 102 221 table 11.3 (DF) and 11.4 (EF)."""
        parts = [self._encode_descriptor(), encode_tlv(Tag.FILE_ID, self.file_id.to_bytes(2, "big"))]
        if self.df_name:
            parts.append(encode_tlv(Tag.DF_NAME, self.df_name))
        if self.proprietary:
            parts.append(encode_tlv(Tag.PROPRIETARY, self.proprietary))
        parts.append(encode_tlv(Tag.LIFE_CYCLE, bytes((self.life_cycle,))))
        if self.rule:
            parts.append(encode_tlv(Tag.SECURITY_EXPANDED, self.rule))
        elif self.arr is not None:
            parts.append(encode_tlv(Tag.SECURITY_REFERENCED, self._encode_reference(*self.arr)))
        parts.extend(self._encode_sizes())
        body = b"".join(parts)
        return bytes((Tag.TEMPLATE,)) + encode_length(len(body)) + body

    def _encode_reference(self, fid: int, record: int) -> bytes:
        """Return FID and record, or FID and a record for each environment (TS 102 221 clause 9.2.7)."""
        pairs = b"".join(bytes(pair) for pair in self.environments)
        return fid.to_bytes(2, "big") + (pairs or bytes((record,)))

    def _encode_descriptor(self) -> bytes:
        value = bytes((self.descriptor, _DATA_CODING))
        if self.descriptor in (DescriptorByte.LINEAR_FIXED, DescriptorByte.CYCLIC):
            value += self.record_length.to_bytes(2, "big") + bytes((self.record_count,))
        return encode_tlv(Tag.DESCRIPTOR, value)

    def _encode_sizes(self) -> list[bytes]:
        if self.is_directory:
            return [encode_tlv(Tag.PIN_STATUS, encode_pin_status(self.pins))]
        parts = [encode_tlv(Tag.FILE_SIZE, _size(self.file_size or 0))]
        if self.total_size is not None:
            parts.append(encode_tlv(Tag.TOTAL_SIZE, _size(self.total_size)))
        # An empty SFI object says "no SFI"; leaving it out would mean "the low five bits of the file identifier".
        parts.append(encode_tlv(Tag.SFI, b"" if self.sfi is None else bytes((self.sfi << 3,))))
        if self.pins:
            parts.append(encode_tlv(Tag.PIN_STATUS, encode_pin_status(self.pins)))
        return parts

    @classmethod
    def decode(cls, raw: bytes) -> Fcp:
        """Read an FCP template. Raises `DecodeError` when a mandatory object is missing or malformed."""
        outer = decode_tlvs(raw)
        if set(outer) != {Tag.TEMPLATE}:
            raise DecodeError("FCP: tag 62 expected")
        objects = decode_tlvs(outer[Tag.TEMPLATE])
        if Tag.DESCRIPTOR not in objects:
            raise DecodeError("FCP: file descriptor missing")
        descriptor = Reader(objects[Tag.DESCRIPTOR])
        kind = descriptor.u8("file descriptor")
        descriptor.u8("data coding byte")
        has_records = descriptor.remaining == 3
        security = objects.get(Tag.SECURITY_REFERENCED, b"")
        return cls(
            descriptor=kind,
            file_id=int.from_bytes(objects.get(Tag.FILE_ID, b""), "big"),
            life_cycle=int.from_bytes(objects.get(Tag.LIFE_CYCLE, b"\x05"), "big"),
            record_length=descriptor.u16() if has_records else 0,
            record_count=descriptor.u8() if has_records else 0,
            df_name=objects.get(Tag.DF_NAME, b""),
            proprietary=objects.get(Tag.PROPRIETARY, b""),
            arr=_decode_reference(security),
            environments=_decode_environments(security),
            rule=objects.get(Tag.SECURITY_EXPANDED, b""),
            file_size=_optional_int(objects.get(Tag.FILE_SIZE)),
            total_size=_optional_int(objects.get(Tag.TOTAL_SIZE)),
            sfi=_decode_sfi(objects.get(Tag.SFI)),
            pins=decode_pin_status(objects.get(Tag.PIN_STATUS, b"")),
        )


def _decode_reference(security: bytes) -> tuple[int, int] | None:
    """Return FID of EF_ARR and record; of a record for each environment that of the highest SEID, the normal one."""
    if len(security) == 3:
        return int.from_bytes(security[:2], "big"), security[2]
    environments = _decode_environments(security)
    return (int.from_bytes(security[:2], "big"), max(environments)[1]) if environments else None


def _decode_environments(security: bytes) -> tuple[tuple[int, int], ...]:
    pairs = security[2:]
    return () if len(pairs) % 2 else tuple(zip(pairs[::2], pairs[1::2], strict=True))


def _size(value: int) -> bytes:
    return value.to_bytes(2 if value < 0x10000 else 3, "big")


def _optional_int(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, "big")


def _decode_sfi(value: bytes | None) -> int | None:
    return value[0] >> 3 if value else None


def encode_pin_status(pins: Sequence[PinStatus]) -> bytes:
    """Return the PIN status template's value: PS_DO (one bit per PIN, most significant first), then the references."""
    bits = sum(0x80 >> index % 8 << 8 * (index // 8) for index, pin in enumerate(pins) if pin.enabled)
    flags = bits.to_bytes(max(1, (len(pins) + 7) // 8), "little")
    parts = [encode_tlv(0x90, flags)]
    for pin in pins:
        if pin.usage is not None:
            parts.append(encode_tlv(0x95, bytes((pin.usage,))))
        parts.append(encode_tlv(0x83, bytes((pin.reference,))))
    return b"".join(parts)


def decode_pin_status(value: bytes) -> tuple[PinStatus, ...]:
    """Return the PINs of a PIN status template's value."""
    flags, usage, pins = b"", None, list[PinStatus]()
    for item in iter_tlvs(value):
        if item.tag == 0x90:
            flags = item.value
        elif item.tag == 0x95 and item.value:
            usage = item.value[0]
        elif item.tag == 0x83 and item.value:
            index = len(pins)
            enabled = index // 8 < len(flags) and bool(flags[index // 8] & 0x80 >> index % 8)
            pins.append(PinStatus(item.value[0], enabled, usage))
            usage = None
    return tuple(pins)
