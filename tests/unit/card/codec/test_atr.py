"""The composed answers to reset, read by the rules of ISO 7816-3."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest

from card.codec.atr import compose_atr


def protocols_and_historical(atr: bytes) -> tuple[list[int], bytes]:
    """Walk the interface bytes; return the protocols of the TD bytes and the historical bytes."""
    protocols, position, following = [], 2, atr[1] >> 4
    while following:
        position += bin(following & 0x7).count("1")
        if not following & 0x8:
            break
        protocols.append(atr[position] & 0x0F)
        following = atr[position] >> 4
        position += 1
    size = atr[1] & 0x0F
    assert len(atr) == position + size + 1, "something but TCK follows the historical bytes"
    return protocols, atr[position : position + size]


@pytest.mark.parametrize(("t1", "protocols"), [(False, [0, 15]), (True, [1, 1, 15])])
def test_structure(t1: bool, protocols: list[int]) -> None:
    atr = compose_atr(t1=t1)
    assert atr[0] == 0x3B
    assert len(atr) <= 33
    assert protocols_and_historical(atr)[0] == protocols


@pytest.mark.parametrize("t1", [False, True])
def test_check_byte(t1: bool) -> None:
    assert reduce(xor, compose_atr(t1=t1)[1:]) == 0


@pytest.mark.parametrize("t1", [False, True])
def test_historical_bytes(t1: bool) -> None:
    historical = protocols_and_historical(compose_atr(t1=t1))[1]
    assert historical[0] == 0x80
    objects, position = {}, 1
    while position < len(historical):
        tag, size = historical[position] >> 4, historical[position] & 0x0F
        objects[tag] = historical[position + 1 : position + 1 + size]
        position += 1 + size
    assert position == len(historical)
    assert len(objects[7]) == 3
    assert bool(objects[7][2] & 0x40) is t1, "extended length fields are announced with T=1 only"
