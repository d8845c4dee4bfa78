"""Small helpers shared by the MIKEY payloads: numbers against an enumeration or a width, and the newer counter."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from typing import TypeVar

from card.errors import DecodeError, EncodeError

_E = TypeVar("_E", bound=IntEnum)
_RANGE = 1 << 32
_UNDEFINED = 1 << 31  # at this distance RFC 1982 clause 3.2 calls neither the newer: no message passes for new


def known(numbers: type[_E], value: int, what: str) -> _E:
    """Return the member of `numbers` with this value. Raises `DecodeError` naming `what` if none has."""
    member = _members(numbers).get(value)
    if not isinstance(member, numbers):
        raise DecodeError(f"{what} {value} is not supported")
    return member


@cache
def _members(numbers: type[IntEnum]) -> Mapping[int, IntEnum]:
    """Return the members by value; a look-up here costs a third of calling the enumeration."""
    return {member.value: member for member in numbers}


def unsigned(value: int, size: int, what: str) -> bytes:
    """Write `value` in `size` big-endian bytes. Raises `EncodeError` when it does not fit."""
    if not 0 <= value < 1 << 8 * size:
        raise EncodeError(f"{what} does not fit {size} bytes")
    return value.to_bytes(size, "big")


def prefixed(value: bytes, length_size: int, what: str) -> bytes:
    """Write `value` behind its length of `length_size` bytes. Raises `EncodeError` when it is too long."""
    return unsigned(len(value), length_size, f"length of {what}") + value


def is_newer(new: int, old: int) -> bool:
    """Tell whether counter `new` comes after `old`, both 0 to 2^32 - 1. An equal one does not.

    T of MBMS may wrap around (TS 33.246 clause 6.4.3, RFC 1982).
    """
    return 0 < (new - old) % _RANGE < _UNDEFINED
