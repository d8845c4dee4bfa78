"""Which STKMs of a recording go to the card before which media."""

from __future__ import annotations

import math

import pytest

from host_tools.content.captures.pcap import Datagram, Endpoint
from host_tools.content.containers.stkm_track import NamedTrack, TimedTrack, TrackStkm
from host_tools.content.srtp.format import HEADEND_FORMAT

HERE, THERE = Endpoint("10.0.0.1", 4000), Endpoint("239.1.1.1", 2269)
NEWS, MUSIC = b"news.", b"music"


def at(time: float, payload: bytes = b"") -> Datagram:
    return Datagram(time, HERE, THERE, payload)


def names(found: list[Datagram]) -> list[str]:
    return [datagram.payload.decode() for datagram in found]


STKMS = (
    TrackStkm(NEWS, at(1, b"news 1")),
    TrackStkm(MUSIC, at(2, b"music 1")),
    TrackStkm(NEWS, at(3, b"news 2")),
    TrackStkm(NEWS, at(5, b"news 3")),
)


def test_from_the_beginning_each_comes_at_its_time() -> None:
    track = TimedTrack(reversed(STKMS), -math.inf)
    assert names(track.needed(at(0))) == []
    assert names(track.needed(at(3))) == ["news 1", "music 1", "news 2"]
    assert names(track.needed(at(4))) == []
    assert names(track.needed(at(9))) == ["news 3"]


@pytest.mark.parametrize(
    ("since", "first"), [(4.0, ["music 1", "news 2"]), (3.0, ["news 1", "music 1", "news 2"]), (1.5, ["news 1"])]
)
def test_a_later_piece_begins_with_the_newest_of_each_service(since: float, first: list[str]) -> None:
    assert names(TimedTrack(STKMS, since).needed(at(max(since, 1.5)))) == first


def test_media_that_name_a_tek_get_its_stkm_once() -> None:
    media = at(7, bytes(12) + b"name 2" + bytes(10))
    track = NamedTrack({b"name 1": STKMS[0], b"name 2": STKMS[2]}, HEADEND_FORMAT)
    assert names(track.needed(media)) == ["news 2"]
    assert names(track.needed(media)) == []
    assert names(track.needed(at(8, b"short"))) == []
