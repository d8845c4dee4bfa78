"""Packets of a source add up: received once, or lost; whatever order, copies, wraps and new starts there are."""

from __future__ import annotations

import random

import pytest

from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.sessions.reception import Reception

HERE, THERE = Endpoint("127.0.0.1", 9), Endpoint("127.0.0.2", 5004)


def packet(number: int, ssrc: int = 7, place: Endpoint = THERE) -> Datagram:
    head = b"\x80\x00" + (number % 65536).to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big")
    return Datagram(0.0, HERE, place, head + b"x")


def heard(*numbers: int) -> Reception:
    made = Reception()
    for number in numbers:
        made.take(packet(number))
    return made


@pytest.mark.parametrize("first", [0, 65_000, 65_535])
def test_losses_copies_and_late_packets_add_up_over_wraps(first: int) -> None:
    rng = random.Random(first)
    sent = list(range(first, first + 200_000))
    came = [number for number in sent if rng.random() > 0.02 or number in (sent[0], sent[-1])]
    for at in range(1, len(came) - 40, 97):
        came[at], came[at + 30] = came[at + 30], came[at]
    copies = came[:1] + [number for number in came for _ in range(1 + (rng.random() < 0.01))]
    (source,) = heard(*copies).sources
    assert (source.first, source.expected) == (first % 65536, len(sent))
    assert source.lost == len(sent) - len(came)


def test_a_long_gap_is_lost_and_a_jump_is_a_new_start() -> None:
    assert heard(0, 10_001).lost == 10_000
    (source,) = heard(0, 1, 30_000, 30_001).sources
    assert (source.expected, source.lost) == (4, 0)
    (back,) = heard(40_000, 40_001, 5, 6).sources
    assert (back.expected, back.lost) == (4, 0)


def test_what_is_sent_while_nobody_listens_is_not_lost() -> None:
    made = heard(1, 2)
    made.pause()
    made.take(packet(500))
    (source,) = made.sources
    assert (source.expected, source.lost) == (3, 0)
    assert source.as_dict() == {"place": str(THERE), "ssrc": 7, "first": 1, "expected": 3, "lost": 0}


def test_sources_are_bounded() -> None:
    made = Reception()
    for ssrc in range(100):
        made.take(packet(1, ssrc))
        made.take(packet(3, ssrc))
    assert (len(made.sources), made.lost) == (64, 64)
