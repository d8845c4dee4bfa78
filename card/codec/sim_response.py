"""What a SIM answers to SELECT and STATUS (TS 51.011 clause 9.2.1), in the place of an FCP."""

from __future__ import annotations

from enum import IntEnum

from card.lean import lean_dataclass

_CLOCK_STOP_ALLOWED = 0x01
_LOW_VOLTAGES = 0x30  # 3 V and 1.8 V (TS 51.011 clause 9.2.1, file characteristics)
_CHV1_DISABLED = 0x80
_CHV_INITIALISED = 0x80
_FREE_MEMORY = 0x0000  # not told


class FileType(IntEnum):
    """Byte 7: what was selected."""

    MF = 0x01
    DF = 0x02
    EF = 0x04


class EfStructure(IntEnum):
    """Byte 14 of the answer for an EF."""

    TRANSPARENT = 0x00
    LINEAR_FIXED = 0x01
    CYCLIC = 0x03


class AccessLevel(IntEnum):
    """Access condition of an operation, four bits (TS 51.011 clause 9.3)."""

    ALWAYS = 0x0
    CHV1 = 0x1
    CHV2 = 0x2
    ADM = 0x4
    NEVER = 0xF


@lean_dataclass(frozen=True, slots=True)
class ChvStatus:
    """Tries left of a CHV and of its unblock code, None for a CHV that there is not."""

    tries: int | None
    unblock_tries: int = 0
    enabled: bool = True

    def encode(self) -> bytes:
        """Return the two status bytes."""
        if self.tries is None:
            return bytes(2)
        return bytes((_CHV_INITIALISED | self.tries & 0x0F, _CHV_INITIALISED | self.unblock_tries & 0x0F))


def encode_directory(fid: int, kind: FileType, directories: int, files: int, chv1: ChvStatus, chv2: ChvStatus) -> bytes:
    """Return the 22 bytes for the MF or a DF with so many directories and files right in it."""
    characteristics = _CLOCK_STOP_ALLOWED | _LOW_VOLTAGES | (0 if chv1.enabled else _CHV1_DISABLED)
    codes = 2 * sum(chv.tries is not None for chv in (chv1, chv2))
    tail = bytes((characteristics, min(directories, 255), min(files, 255), codes, 0))
    tail += chv1.encode() + chv2.encode()
    head = bytes(2) + _FREE_MEMORY.to_bytes(2, "big") + fid.to_bytes(2, "big") + bytes((kind,)) + bytes(5)
    return head + bytes((len(tail),)) + tail


@lean_dataclass(frozen=True, slots=True)
class FileAccess:
    """Who may do what with an EF."""

    read: AccessLevel
    update: AccessLevel
    increase: AccessLevel
    rehabilitate: AccessLevel
    invalidate: AccessLevel

    def encode(self) -> bytes:
        """Return the three bytes of access conditions."""
        return bytes(
            (self.read << 4 | self.update, self.increase << 4 | 0x0F, self.rehabilitate << 4 | self.invalidate)
        )


def encode_file(
    fid: int, structure: EfStructure, size: int, record_length: int, access: FileAccess, *, valid: bool
) -> bytes:
    """Return the 15 bytes for an EF of `size` bytes; `valid` is False when it is invalidated."""
    can_increase = structure is EfStructure.CYCLIC and access.increase is not AccessLevel.NEVER
    head = bytes(2) + size.to_bytes(2, "big") + fid.to_bytes(2, "big")
    head += bytes((FileType.EF, 0x40 if can_increase else 0x00)) + access.encode()
    return head + bytes((0x01 if valid else 0x00, 2, structure, record_length))
