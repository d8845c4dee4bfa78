"""RTP packets: bytes to fields and back, whatever the bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.content.errors import RtpError
from host_tools.content.rtp import HeaderExtension, RtpPacket, looks_like_rtp

SIMPLE = RtpPacket(payload_type=0, sequence=0x1234, timestamp=0x01020304, ssrc=0xA0B0C0D0, payload=b"abc")

words = st.integers(0, 2**32 - 1)
extensions = st.builds(HeaderExtension, st.integers(0, 2**16 - 1), st.binary(max_size=8).map(lambda data: data * 4))
packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 2**16 - 1),
    timestamp=words,
    ssrc=words,
    payload=st.binary(max_size=64),
    marker=st.booleans(),
    csrcs=st.lists(words, max_size=15).map(tuple),
    extension=st.none() | extensions,
)


def test_layout_is_that_of_rfc_3550() -> None:
    assert SIMPLE.encode().hex() == "8000123401020304a0b0c0d0616263"
    assert replace(SIMPLE, marker=True, payload_type=33).encode()[:2].hex() == "80a1"


def test_padding_is_removed() -> None:
    padded = bytearray(SIMPLE.encode() + b"\0\0\3")
    padded[0] |= 0x20
    assert RtpPacket.decode(bytes(padded)) == SIMPLE


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "80",
        "8000123401020304a0b0c0",  # one byte short
        "4000123401020304a0b0c0d0",  # version 1
        "8f00123401020304a0b0c0d0",  # 15 CSRCs promised
        "9000123401020304a0b0c0d0bede0002",  # extension promised
        "a000123401020304a0b0c0d0",  # padding, but nothing to hold its length
        "a000123401020304a0b0c0d000",  # padding of no byte
        "a000123401020304a0b0c0d0010204",  # padding longer than the payload
    ],
)
def test_what_is_no_rtp_is_refused(raw: str) -> None:
    with pytest.raises(RtpError, match="not an RTP packet"):
        RtpPacket.decode(bytes.fromhex(raw))


def test_padding_may_fill_the_packet() -> None:
    assert RtpPacket.decode(bytes.fromhex("a000123401020304a0b0c0d0010203")).payload == b""


@pytest.mark.parametrize(
    "packet",
    [
        replace(SIMPLE, payload_type=128),
        replace(SIMPLE, sequence=1 << 16),
        replace(SIMPLE, timestamp=-1),
        replace(SIMPLE, csrcs=(0,) * 16),
        replace(SIMPLE, extension=HeaderExtension(0, b"abc")),
    ],
)
def test_values_that_do_not_fit_are_refused(packet: RtpPacket) -> None:
    with pytest.raises(RtpError):
        packet.encode()


@given(packets)
def test_round_trip(packet: RtpPacket) -> None:
    assert RtpPacket.decode(packet.encode()) == packet
    assert looks_like_rtp(packet.encode())


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        packet = RtpPacket.decode(data)
    except RtpError:
        return
    assert RtpPacket.decode(packet.encode()) == packet
