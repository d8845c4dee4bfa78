"""SRTP with changing keys: round trips, the MKI, the roll-over counter, and packets that are not what they say."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given
from hypothesis import strategies as st

from card.crypto.secret import Secret
from host_tools.content.rtp import RtpPacket
from host_tools.content.srtp.errors import SrtpError, UnknownTrafficKey
from host_tools.content.srtp.format import HEADEND_FORMAT, MKI_SIZE
from host_tools.content.srtp.receiver import TAG_SIZE, SrtpReceiver, SrtpSender
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey

MSK_ID = bytes.fromhex("00010001")


def key_and_name(number: int) -> tuple[bytes, TrafficKey]:
    seed = number.to_bytes(2, "big")
    return tek_name(MSK_ID, seed), TrafficKey(Secret(seed * 8), Secret(seed * 7))


def rtp(index: int, ssrc: int = 77, payload: bytes = b"sound") -> bytes:
    return RtpPacket(0, index % 65536, index * 160 % 2**32, ssrc, payload).encode()


def receiver(*numbers: int) -> SrtpReceiver:
    made = SrtpReceiver(HEADEND_FORMAT)
    for number in numbers:
        made.add_key(*key_and_name(number))
    return made


def test_a_packet_grows_by_mki_and_tag_and_comes_back() -> None:
    plain = rtp(5)
    protected = SrtpSender(HEADEND_FORMAT).protect(plain, *key_and_name(1))
    assert len(protected) == len(plain) + MKI_SIZE + TAG_SIZE
    assert b"sound" not in protected
    assert HEADEND_FORMAT.split(protected)[0] == bytes.fromhex("000100010001")
    assert receiver(1).unprotect(protected) == plain


def test_known_answer_of_rfc_3711() -> None:
    """RFC 3711 appendix B.3 gives the session key and salt that this master key leads to."""
    master = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
    salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    cipher_key = bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
    cipher_salt = bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1")
    plain = rtp(3)
    made = TrafficKey(Secret(master), Secret(salt))
    protected = SrtpSender(HEADEND_FORMAT).protect(plain, tek_name(MSK_ID, b"\0\1"), made)
    offset = (77 << 64 | 3 << 16).to_bytes(16, "big")
    iv = bytes(a ^ b for a, b in zip(cipher_salt + b"\0\0", offset, strict=True))
    assert protected[12 : len(plain)] == Cipher(AES(cipher_key), CTR(iv)).encryptor().update(plain[12:])


def test_the_key_changes_in_the_middle_of_a_stream() -> None:
    sender, hears = SrtpSender(HEADEND_FORMAT), receiver(1, 2)
    for index in range(20):
        plain = rtp(index)
        assert hears.unprotect(sender.protect(plain, *key_and_name(1 + index // 10))) == plain


@pytest.mark.parametrize("first", [65_530, 65_535, 0xFFF0])
def test_the_roll_over_counter_survives_a_key_change(first: int) -> None:
    """The sequence number wraps under the first key; the second key begins with ROC 1."""
    sender, hears = SrtpSender(HEADEND_FORMAT), receiver(1, 2)
    for index in range(first, first + 60):
        number = 1 if index < first + 30 else 2
        plain = rtp(index)
        assert hears.unprotect(sender.protect(plain, *key_and_name(number))) == plain


@pytest.mark.parametrize("wraps", [1, 2, 40])
def test_a_receiver_that_comes_late_finds_the_roll_over_counter(wraps: int) -> None:
    sender, hears = SrtpSender(HEADEND_FORMAT), receiver(1, 2)
    for index in range(0, wraps * 65536, 30_000):
        sender.protect(rtp(index), *key_and_name(1))
    for index in range(wraps * 65536, wraps * 65536 + 20):
        plain = rtp(index)
        assert hears.unprotect(sender.protect(plain, *key_and_name(2))) == plain


def test_a_receiver_that_comes_back_after_a_long_time_finds_it_again() -> None:
    sender, hears = SrtpSender(HEADEND_FORMAT), receiver(1)
    hears.unprotect(sender.protect(rtp(100), *key_and_name(1)))
    for index in range(30_000, 210_000, 30_000):
        sender.protect(rtp(index), *key_and_name(1))
    assert hears.unprotect(sender.protect(rtp(210_000), *key_and_name(1))) == rtp(210_000)


def test_a_flood_of_forged_packets_does_not_stop_the_good_ones() -> None:
    sender, hears = SrtpSender(HEADEND_FORMAT), receiver(1)
    good = [sender.protect(rtp(index), *key_and_name(1)) for index in range(2)]
    assert hears.unprotect(good[0]) == rtp(0)
    for index in range(100):
        with pytest.raises(SrtpError, match="authentication"):
            hears.unprotect(rtp(index, ssrc=index) + bytes(20) + key_and_name(1)[0] + bytes(TAG_SIZE))
    assert hears.unprotect(good[1]) == rtp(1)


def test_reordered_packets_pass_and_repeated_ones_do_not() -> None:
    sender = SrtpSender(HEADEND_FORMAT)
    protected = [sender.protect(rtp(index), *key_and_name(1)) for index in range(65_500, 65_580)]
    hears = receiver(1)
    for at in (1, 0, 79, 78, 40):
        hears.unprotect(protected[at])
    with pytest.raises(SrtpError, match="replay"):
        hears.unprotect(protected[40])


def test_packets_from_before_a_key_change_pass_after_it() -> None:
    sender = SrtpSender(HEADEND_FORMAT)
    old = [sender.protect(rtp(index), *key_and_name(1)) for index in range(65_530, 65_540)]
    new = [sender.protect(rtp(index), *key_and_name(2)) for index in range(65_540, 65_550)]
    hears = receiver(1, 2)
    for packet in (old[0], new[3], old[1], old[9], new[0], new[9]):
        hears.unprotect(packet)


def test_sources_are_kept_apart() -> None:
    senders = {ssrc: SrtpSender(HEADEND_FORMAT) for ssrc in (1, 2)}
    hears = receiver(1)
    for index in range(5):
        for ssrc, sender in senders.items():
            plain = rtp(index + 1000 * ssrc, ssrc)
            assert hears.unprotect(sender.protect(plain, *key_and_name(1))) == plain


def test_a_packet_whose_key_is_not_here_names_it() -> None:
    protected = SrtpSender(HEADEND_FORMAT).protect(rtp(1), *key_and_name(9))
    with pytest.raises(UnknownTrafficKey) as caught:
        receiver(1).unprotect(protected)
    assert caught.value.mki == key_and_name(9)[0]


def test_a_forged_packet_leaves_no_trace() -> None:
    sender, hears = SrtpSender(HEADEND_FORMAT), receiver(1)
    good = [sender.protect(rtp(index), *key_and_name(1)) for index in range(3)]
    forged = good[1][:2] + b"\x70\x00" + good[1][4:]
    with pytest.raises(SrtpError):
        hears.unprotect(forged)
    assert [hears.unprotect(packet) for packet in good] == [rtp(0), rtp(1), rtp(2)]


def test_a_key_that_was_replaced_under_the_same_name_counts() -> None:
    name, key = key_and_name(1)
    hears = receiver(1)
    hears.add_key(name, key_and_name(2)[1])
    protected = SrtpSender(HEADEND_FORMAT).protect(rtp(1), name, key)
    with pytest.raises(SrtpError, match="authentication"):
        hears.unprotect(protected)


def test_only_so_many_keys_are_kept() -> None:
    hears = receiver(*range(1, 200))
    assert not hears.has_key(key_and_name(1)[0])
    assert hears.has_key(key_and_name(199)[0])


@pytest.mark.parametrize("key", [TrafficKey(Secret(bytes(15))), TrafficKey(Secret(bytes(16)), Secret(bytes(13)))])
def test_keys_of_a_wrong_size_are_refused(key: TrafficKey) -> None:
    with pytest.raises(SrtpError, match="16 and a salt of 14"):
        SrtpReceiver(HEADEND_FORMAT).add_key(tek_name(MSK_ID, b"\0\1"), key)


def test_a_name_of_a_wrong_size_is_refused() -> None:
    with pytest.raises(SrtpError, match="6 bytes"):
        SrtpReceiver(HEADEND_FORMAT).add_key(b"\1", key_and_name(1)[1])


HEADER_SIZE, NAME_SIZE = 12, 6
LARGEST = 65_507


@pytest.mark.parametrize("size", [1356, 1500, 4000, LARGEST])
def test_a_packet_as_large_as_a_datagram(size: int) -> None:
    plain = rtp(1, payload=bytes(size - HEADER_SIZE - NAME_SIZE - TAG_SIZE))
    protected = SrtpSender(HEADEND_FORMAT).protect(plain, *key_and_name(1))
    assert len(protected) == size
    assert receiver(1).unprotect(protected) == plain


def test_a_packet_larger_than_a_datagram_is_refused() -> None:
    plain = rtp(1, payload=bytes(LARGEST - HEADER_SIZE - NAME_SIZE - TAG_SIZE + 1))
    with pytest.raises(SrtpError, match="too long"):
        SrtpSender(HEADEND_FORMAT).protect(plain, *key_and_name(1))
    with pytest.raises(SrtpError, match="too long"):
        receiver(1).unprotect(plain + bytes(NAME_SIZE + TAG_SIZE))


def test_a_bad_packet_does_not_say_it_is_not_authentic_when_libsrtp_says_something_else() -> None:
    name, _ = key_and_name(1)
    many_sources = b"\x8f" + rtp(1)[1:12] + bytes(8)  # fifteen CSRCs, of which two are there
    with pytest.raises(SrtpError, match="unsupported parameter"):
        receiver(1).unprotect(many_sources + name + bytes(TAG_SIZE))


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(data: bytes) -> None:
    hears = receiver(1)
    with pytest.raises(SrtpError):
        hears.unprotect(data)
    name, _ = key_and_name(1)
    with pytest.raises(SrtpError):
        hears.unprotect(data[:40] + name + bytes(TAG_SIZE))
    with pytest.raises(SrtpError):
        SrtpSender(HEADEND_FORMAT).protect(b"\x00" + data[:8], *key_and_name(1))
