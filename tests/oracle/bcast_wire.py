"""The bytes of OMA BCAST messages, laid out by hand for both sets of tables: no code of `card`, no layout tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.oracle.bcast_model import P1_RULES, POLICIES, X2_RULES, LtkmData, Rules, StkmData

_PAID_FROM_PURSE = ("live", "playback", "user", "service")


class Wire(NamedTuple):
    """How one set of tables writes things: rules, extension bytes, status of each outcome, tags."""

    name: str
    rules: Rules
    status: Mapping[str, int]  # outcome to status byte or status word
    tags: Mapping[str, int]
    audit: Mapping[str, int]
    modes: Mapping[str, int]
    pin: int
    recorded_bit: int


_P1_STATUS = {
    "done": 0x00, "unsupported": 0x01, "no credit": 0x02, "no play-backs": 0x03, "no teks": 0x04,
    "outside validity": 0x05, "no play-back right": 0x06, "pin needed": 0x07, "pin blocked": 0x08,
    "rating fixed": 0x09, "capped": 0x0A, "recorded": 0x0C, "no live right": 0x6985, "replayed": 0x9865,
    "replayed ltkm": 0x9865, "full": 0x9866, "no purse": 0x9862,
}  # fmt: skip
_AUDIT = {
    "key domain": 0x81, "key group": 0x82, "key number": 0x83, "validity": 0x84, "properties": 0x85, "spe": 0x86,
    "cost": 0x87, "user": 0x88, "live": 0x89, "playback": 0x8A, "play-backs": 0x8B, "teks": 0x8C, "kept": 0x8D,
    "terminal": 0x8E, "content": 0x8F, "mode": 0x90, "interval": 0x91, "available": 0x92, "service": 0x93,
    "status": 0x80,
}  # fmt: skip
P1 = Wire(
    "P1",
    P1_RULES,
    _P1_STATUS,
    {"status": 0x80, "tek": 0x86, "salt": 0x87, "held": 0x88, "protection": 0x89, "rating": 0x8A, "spe": 0x8B,
     "mikey": 0x8C},
    {**_AUDIT, "group description": 0xA1, "policy description": 0xA2, "content description": 0xA3},
    {"audit": 1, "record": 2, "recordings": 3, "event": 4, "delete policies": 1, "delete recording": 2},
    0x82,
    0x01,
)  # fmt: skip
X2 = Wire(
    "X2",
    X2_RULES,
    {
        **{name: value + 0x40 for name, value in _P1_STATUS.items() if value < 0x100},
        "no live right": 0x60, "replayed": 0x61, "replayed ltkm": 0x9862, "full": 0x6A84, "no purse": 0x62,
        "recorded": 0x6985,
    },
    {name: tag + 0x10 for name, tag in P1.tags.items()},
    {
        **{name: tag + 0x40 for name, tag in _AUDIT.items()},
        "group description": 0xA5, "policy description": 0xA6, "content description": 0xA7,
    },
    {"audit": 0x11, "record": 0x12, "recordings": 0x13, "event": 0x14, "delete policies": 0x21,
     "delete recording": 0x22},
    0x83,
    0x80,
)  # fmt: skip


def _four(value: int | None) -> bytes:
    return b"" if value is None else value.to_bytes(4, "big")


def ltkm_extension(
    m: LtkmData, wire: Wire, *, reporting: bool = False, rating: tuple[int, int] | None = None
) -> bytes | None:
    """Return subtype and management data of an LTKM, or None without the extension."""
    if m.policy is None:
        return None
    has_policy = bool(m.policy)
    number = wire.rules.numbers.get(m.policy, 0xB) if has_policy else 0
    paid = has_policy and m.policy in POLICIES and POLICIES[m.policy][2] in _PAID_FROM_PURSE
    cost = m.cost.to_bytes(4, "big") if paid else b""
    if wire.name == "P1":
        head = has_policy << 3 | reporting << 2 | (rating is not None) << 1
        flags = number << 4 | (m.tokens is not None) << 3 | m.add << 2 | m.keep << 1 | (m.counter is not None)
        policy = bytes((flags,)) + cost + _four(m.tokens) + _four(m.counter) if has_policy else b""
        criteria = b"" if rating is None else bytes((0, 1, 1, 2, *rating))
        return b"\x01" + bytes((head,)) + policy + criteria
    head = has_policy << 7 | (rating is not None) << 5 | reporting << 4
    flags = (m.counter is not None) << 7 | (m.tokens is not None) << 6 | m.keep << 5 | m.add << 4
    policy = bytes((flags, number)) + _four(m.counter) + _four(m.tokens) + cost if has_policy else b""
    criteria = b"" if rating is None else bytes((0, 1, 0x21, 2, *rating))
    return b"\x01" + bytes((head,)) + policy + criteria


def stkm_extension(m: StkmData, wire: Wire, *, protection: int = 3, binding: int | None = None) -> bytes | None:
    """Return subtype and management data of an STKM, or None without the extension."""
    if not m.extended and m.rating is None and binding is None:
        return None
    rated, bound = m.rating is not None, binding is not None
    if wire.name == "P1":
        fixed = bytes((protection << 2 | bound << 1 | rated, 1 << 5 | 1 << 4 | 3))
        criteria = bytes((0, 1, 1, 2, *(m.rating or ()))) if rated else b""
        return b"\x02" + fixed + criteria + (_four(binding) + b"\x03uri" if bound else b"")
    fixed = bytes((3 << 4 | 1 << 3 | 1, rated << 7 | bound << 6 | protection << 4))
    criteria = bytes((1, 0x21, 2, *(m.rating or ()))) if rated else b""
    return b"\x02" + fixed + (b"\x00\x03uri" + (binding or 0).to_bytes(2, "big") if bound else b"") + criteria


def parental_extension(pin: bool, level: tuple[int, int] | None, unblock: bool, wire: Wire) -> bytes:
    """Return subtype and data of a parental control message."""
    if wire.name == "P1":
        return bytes((4, pin << 7 | (level is not None) << 6 | unblock << 5, *(level or ())))
    return bytes((4, pin | (level is not None) << 1 | unblock << 2, *reversed(level or ())))
