"""SRTP made elsewhere: other tags, other MKIs or none, and keys that are found by trial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.content.srtp.errors import ReplayedPacket, SrtpError, UnknownTrafficKey
from host_tools.content.srtp.format import SrtpFormat, SrtpSuite
from host_tools.content.srtp.receiver import SrtpReceiver, SrtpSender
from tests.unit.host_tools.content.srtp.test_srtp import key_and_name, rtp

BARE = SrtpFormat(mki_size=0)
FORMATS = [SrtpFormat(suite, mki_size) for suite in SrtpSuite for mki_size in (0, 2, 4, 6, 128)]
NAMELESS = [packet_format for packet_format in FORMATS if not packet_format.names_key]


class Sender:
    """A sender in some format, whose MKI is the number of the key."""

    def __init__(self, packet_format: SrtpFormat = BARE) -> None:
        self._sender = SrtpSender(packet_format)
        self._format = packet_format

    def send(self, index: int, number: int, ssrc: int = 77) -> bytes:
        name, key = key_and_name(number)
        mki = name if self._format.names_key else number.to_bytes(max(self._format.mki_size, 1), "big")
        return self._sender.protect(rtp(index, ssrc), mki[: self._format.mki_size], key)


def receiver(packet_format: SrtpFormat, *numbers: int) -> SrtpReceiver:
    made = SrtpReceiver(packet_format)
    for number in numbers:
        made.add_key(*key_and_name(number))
    return made


@pytest.mark.parametrize("packet_format", FORMATS)
def test_the_key_changes_in_the_middle_of_a_stream(packet_format: SrtpFormat) -> None:
    sender, hears = Sender(packet_format), receiver(packet_format, 1, 2)
    for index in range(20):
        protected = sender.send(index, 1 + index // 10)
        assert len(protected) == len(rtp(index)) + packet_format.mki_size + packet_format.suite.tag_size
        assert hears.unprotect(protected) == rtp(index)


@pytest.mark.parametrize("packet_format", NAMELESS)
def test_a_packet_that_no_key_fits(packet_format: SrtpFormat) -> None:
    with pytest.raises(UnknownTrafficKey):
        receiver(packet_format, 1, 2).unprotect(Sender(packet_format).send(1, 3))


@pytest.mark.parametrize("wraps", [1, 40])
def test_a_receiver_that_comes_late_finds_key_and_roll_over_counter(wraps: int) -> None:
    sender, hears = Sender(), receiver(BARE, 1, 2)
    for index in range(0, wraps * 65536, 30_000):
        sender.send(index, 1)
    for index in range(wraps * 65536, wraps * 65536 + 20):
        assert hears.unprotect(sender.send(index, 2)) == rtp(index)


def test_sources_of_several_keys_are_heard_at_once() -> None:
    senders, hears = {number: Sender() for number in range(1, 7)}, receiver(BARE, *range(1, 7))
    for index in range(5):
        for number, sender in senders.items():
            assert hears.unprotect(sender.send(index, number, ssrc=number)) == rtp(index, number)


def test_a_source_without_key_does_not_use_up_the_search_for_the_others() -> None:
    late, foreign, hears = Sender(), Sender(), receiver(BARE, 1)
    for index in range(0, 70_000, 30_000):
        late.send(index, 1)
    for index in range(200):
        with pytest.raises(UnknownTrafficKey):
            hears.unprotect(foreign.send(index, 9, ssrc=9))
    assert hears.unprotect(late.send(70_000, 1)) == rtp(70_000)


def test_a_new_key_is_searched_for_again() -> None:
    late, hears = Sender(), receiver(BARE, 1)
    for index in range(0, 70_000, 30_000):
        late.send(index, 2)
    packet = late.send(70_000, 2)
    with pytest.raises(UnknownTrafficKey):
        hears.unprotect(packet)
    hears.add_key(*key_and_name(2))
    assert hears.unprotect(packet) == rtp(70_000)


def test_a_repeated_packet_is_a_replay_not_an_unknown_key() -> None:
    packet, hears = Sender().send(1, 1), receiver(BARE, 1)
    hears.unprotect(packet)
    with pytest.raises(SrtpError, match="replay") as caught:
        hears.unprotect(packet)
    assert not isinstance(caught.value, UnknownTrafficKey)


def test_only_the_newest_keys_are_tried() -> None:
    packet = Sender().send(1, 1)
    assert receiver(BARE, *range(1, 33)).unprotect(packet) == rtp(1)
    with pytest.raises(UnknownTrafficKey):
        receiver(BARE, *range(1, 34)).unprotect(packet)


def test_an_mki_of_another_size_is_refused() -> None:
    with pytest.raises(SrtpError, match="0 bytes here, not 6"):
        SrtpSender(BARE).protect(rtp(1), *key_and_name(1))


@given(st.sampled_from(FORMATS), st.binary(max_size=200))
def test_any_bytes_are_refused(packet_format: SrtpFormat, data: bytes) -> None:
    with pytest.raises(SrtpError):
        receiver(packet_format, 1).unprotect(data)


def test_a_packet_that_waited_is_tried_with_older_keys_once_its_counter_is_found() -> None:
    late, hears, (name, _) = Sender(), receiver(BARE, 1), key_and_name(2)
    for index in range(0, 70_000, 30_000):
        late.send(index, 9)
    foreign = [late.send(70_000 + number, 9) for number in range(4)]
    first, second = late.send(70_004, 1), late.send(70_005, 1)
    for packet in (*foreign, first, second):  # four searches in vain are all that one source gets
        with pytest.raises(UnknownTrafficKey):
            hears.unprotect(packet)
    hears.add_key(*key_and_name(2))
    assert hears.unprotect(first, name) == rtp(70_004)
    assert hears.unprotect(second, name) == rtp(70_005)


def test_a_damaged_copy_is_no_replay() -> None:
    packet, hears = Sender().send(1, 1), receiver(BARE, 1)
    hears.unprotect(packet)
    with pytest.raises(ReplayedPacket):
        hears.unprotect(packet)
    with pytest.raises(SrtpError) as caught:
        hears.unprotect(packet[:-1] + bytes([packet[-1] ^ 1]))
    assert not isinstance(caught.value, ReplayedPacket)


STRANGE_WAYS = [
    [0, 1, 40_000, 40_001],  # further than half the range of the sequence number
    [60_000, 60_001, 100_000, 100_001, 100_002],
    [5, 70_000, 70_001, 200_000, 200_001],
]


@pytest.mark.parametrize("packet_format", FORMATS)
@pytest.mark.parametrize("way", STRANGE_WAYS)
def test_gaps_of_any_width(packet_format: SrtpFormat, way: list[int]) -> None:
    sender, hears = Sender(packet_format), receiver(packet_format, 1)
    wanted = set(way)
    for index in sorted({*range(0, way[-1], 30_000), *way}):
        packet = sender.send(index, 1)
        if index in wanted:
            assert hears.unprotect(packet) == rtp(index)


@pytest.mark.parametrize("packet_format", FORMATS)
@pytest.mark.parametrize(("before", "after"), [(60_000, 100), (100, 60_000), (70_000, 100), (70_000, 40_000)])
def test_a_source_that_starts_anew_under_the_next_key(packet_format: SrtpFormat, before: int, after: int) -> None:
    first, second, hears = Sender(packet_format), Sender(packet_format), receiver(packet_format, 1, 2)
    for index in range(0, before, 30_000):
        first.send(index, 1)
    for index in range(before, before + 5):
        assert hears.unprotect(first.send(index, 1)) == rtp(index)
    for index in range(after, after + 5):
        assert hears.unprotect(second.send(index, 2)) == rtp(index)


@pytest.mark.parametrize("packet_format", FORMATS)
@pytest.mark.parametrize(("before", "after"), [(60_000, 100), (70_000, 100)])
def test_what_was_used_under_the_same_key_is_a_repetition_wherever_the_numbers_jump(
    packet_format: SrtpFormat, before: int, after: int
) -> None:
    first, second, hears = Sender(packet_format), Sender(packet_format), receiver(packet_format, 1)
    for index in range(0, before, 30_000):
        first.send(index, 1)
    assert hears.unprotect(first.send(before, 1)) == rtp(before)
    for index in range(after, after + 5):
        with pytest.raises(ReplayedPacket):
            hears.unprotect(second.send(index, 1))
    assert hears.unprotect(first.send(before + 1, 1)) == rtp(before + 1)


def test_a_damaged_packet_does_not_spoil_the_search_for_what_follows() -> None:
    late, hears = Sender(), receiver(BARE, 1)
    for index in range(0, 70_000, 30_000):
        late.send(index, 1)
    damaged = late.send(70_000, 1)[:-1]
    with pytest.raises(UnknownTrafficKey):
        hears.unprotect(damaged)
    assert hears.unprotect(late.send(70_001, 1)) == rtp(70_001)


def test_more_sources_than_one_stream_has() -> None:
    senders, hears = {ssrc: Sender() for ssrc in range(70)}, receiver(BARE, 1)
    for index in range(3):
        for ssrc, sender in senders.items():
            packet = sender.send(index, 1, ssrc=ssrc)
            assert hears.unprotect(packet) == rtp(index, ssrc)
            with pytest.raises(ReplayedPacket):
                hears.unprotect(packet)
