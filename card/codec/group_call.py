"""Voice group and broadcast calls: Vservice_Id of AUTHENTICATE, and what the files EF_VGCS and EF_VBS list.

Vservice_Id is octets 2 to 5 of the descriptive group or broadcast call reference of TS 24.008; TS 31.102 annex K has
examples. From its top: group number (27 bits), service flag (1 for a group call), then acknowledgement and priority.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Self

from card.codec.bcd import decode_digits, encode_digits
from card.errors import EncodeError
from card.lean import lean_dataclass

SERVICE_ID_SIZE = 4
ENTRY_SIZE = 4
HIGHEST_GROUP = 99_999_999

_GROUP_SHIFT = 5
_GROUP_CALL_FLAG = 0x10


class VoiceCall(Enum):
    """The two kinds of call."""

    VGCS = "vgcs"
    VBS = "vbs"


@lean_dataclass(frozen=True, slots=True)
class VoiceService:
    """What the card takes from a Vservice_Id: kind of call and group number (TS 31.102 clause 7.1.1.3)."""

    call: VoiceCall
    group: int

    @classmethod
    def decode(cls, service_id: bytes) -> Self:
        """Read a Vservice_Id (4 bytes); acknowledgement and priority are passed over."""
        number = int.from_bytes(service_id, "big")
        return cls(VoiceCall.VGCS if number & _GROUP_CALL_FLAG else VoiceCall.VBS, number >> _GROUP_SHIFT)

    def encode(self) -> bytes:
        """Return the Vservice_Id (4 bytes) without acknowledgement and with priority 0."""
        flag = _GROUP_CALL_FLAG if self.call is VoiceCall.VGCS else 0
        return (self.group << _GROUP_SHIFT | flag).to_bytes(SERVICE_ID_SIZE, "big")


def encode_groups(groups: Iterable[str]) -> bytes:
    """Return the entries of EF_VGCS or EF_VBS for groups of 1 to 8 digits each (TS 31.102 clause 4.2.73).

    Leading zeros are no part of a group's number (annex K). Raises `EncodeError`.
    """
    return b"".join(_encode_group(group) for group in groups)


def _encode_group(group: str) -> bytes:
    if not (group.isascii() and group.isdigit()) or int(group) > HIGHEST_GROUP:
        raise EncodeError("a group has 1 to 8 digits")
    return encode_digits(str(int(group)), ENTRY_SIZE)


def decode_groups(data: bytes) -> list[str]:
    """Return the groups that EF_VGCS or EF_VBS lists. Raises `DecodeError` for a half byte that is no digit."""
    entries = (data[start : start + ENTRY_SIZE] for start in range(0, len(data) - ENTRY_SIZE + 1, ENTRY_SIZE))
    return [group for group in map(decode_digits, entries) if group]
