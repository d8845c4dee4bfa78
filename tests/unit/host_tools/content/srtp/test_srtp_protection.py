"""SRTP behind the port of packet protections: each answer, and keys that it cannot use."""

from __future__ import annotations

import pytest

from card.crypto.secret import Secret
from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.errors import UnusableKeyError
from host_tools.content.known import KNOWN
from host_tools.content.protection import REPEATED, Failed, NeedsKey, Opened
from host_tools.content.rtp import RtpPacket
from host_tools.content.srtp.errors import NOT_AUTHENTIC
from host_tools.content.srtp.format import HEADEND_FORMAT, SrtpFormat
from host_tools.content.srtp.receiver import SrtpSender
from host_tools.content.traffic_key import TrafficKey

NAME = b"named."
KEY = TrafficKey(Secret(bytes(range(16))), Secret(bytes(14)))
PACKET = RtpPacket(0, 7, 1120, 1, bytes(160))
HERE = Endpoint("10.0.0.1", 4000)


def unit(payload: bytes) -> Datagram:
    return Datagram(0.0, HERE, HERE, payload)


def protected(plain: bytes = PACKET.encode()) -> bytes:
    return SrtpSender(HEADEND_FORMAT).protect(plain, NAME, KEY)


def test_a_unit_opens_once_and_with_its_key_only() -> None:
    opener, packet = HEADEND_FORMAT.opener(), unit(protected())
    assert opener.open(packet) == NeedsKey(NAME)
    opener.add_key(NAME, KEY)
    assert opener.open(packet) == Opened((PACKET,))
    assert opener.open(packet) == REPEATED
    opener.forget_key(NAME)
    assert opener.open(packet) == NeedsKey(NAME)


def test_a_unit_that_is_damaged_or_holds_no_rtp_fails() -> None:
    opener = HEADEND_FORMAT.opener()
    opener.add_key(NAME, KEY)
    raw = protected()
    assert opener.open(unit(raw[:20] + bytes((raw[20] ^ 1,)) + raw[21:])) == Failed(NOT_AUTHENTIC)
    padded = bytes((PACKET.encode()[0] | 0x20,)) + PACKET.encode()[1:]  # padding of no byte
    assert opener.open(unit(protected(padded))) == Failed("authentic, but no RTP inside")


@pytest.mark.parametrize(
    ("name", "tek", "salt", "said"),
    [(NAME, 24, 14, "16 bytes only"), (NAME, 16, 3, "salt of 14"), (b"short", 16, 14, "an MKI has 6 bytes, not 5")],
)
def test_a_key_that_does_not_fit_is_refused(name: bytes, tek: int, salt: int, said: str) -> None:
    with pytest.raises(UnusableKeyError, match=said):
        HEADEND_FORMAT.opener().add_key(name, TrafficKey(Secret(bytes(tek)), Secret(bytes(salt))))


def test_a_key_without_salt_has_one_of_zeros() -> None:
    opener = HEADEND_FORMAT.opener()
    opener.add_key(NAME, TrafficKey(KEY.tek))
    assert opener.open(unit(protected())) == Opened((PACKET,))


def test_the_format_says_what_may_be_a_unit() -> None:
    rtcp = b"\x80\xc8" + bytes(30)
    raw = protected()
    assert [HEADEND_FORMAT.why_not(unit(data)) for data in (raw, rtcp, b"stkm")] == [None, "RTCP", "no RTP"]
    assert [HEADEND_FORMAT.belongs(unit(data)) for data in (raw, rtcp, b"stkm")] == [True, True, False]
    assert (HEADEND_FORMAT.key_name(unit(raw)), HEADEND_FORMAT.key_name(unit(raw[:12]))) == (NAME, None)


def test_an_index_gives_the_format_back() -> None:
    other = SrtpFormat(mki_size=4)
    assert KNOWN.of_index({"kind": other.kind, **other.as_dict()}) == other
