"""G.711 tables against values of the recommendation, and codes that survive a round trip."""

from __future__ import annotations

import struct

import pytest

from host_tools.content.sinks.g711 import decode_alaw, decode_mulaw, encode_mulaw


def sample(data: bytes) -> int:
    (value,) = struct.unpack("<h", data)
    return int(value)


@pytest.mark.parametrize(
    ("code", "value"),
    [(0xFF, 0), (0x7F, 0), (0x80, 32124), (0x00, -32124), (0xFE, 8), (0x7E, -8), (0xEF, 132), (0xF0, 120)],
)
def test_mulaw_values(code: int, value: int) -> None:
    assert sample(decode_mulaw(bytes((code,)))) == value


@pytest.mark.parametrize(
    ("code", "value"), [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256), (0xD4, 24), (0xC5, 264)]
)
def test_alaw_values(code: int, value: int) -> None:
    assert sample(decode_alaw(bytes((code,)))) == value


def test_every_mulaw_code_survives_except_negative_zero() -> None:
    for code in set(range(256)) - {0x7F}:
        assert encode_mulaw([sample(decode_mulaw(bytes((code,))))]) == bytes((code,))


def test_loud_samples_are_clipped() -> None:
    assert encode_mulaw([40_000, -40_000]) == b"\x80\x00"
