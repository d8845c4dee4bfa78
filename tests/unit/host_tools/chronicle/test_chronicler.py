"""The chronicler: what becomes of its notes, and that they are bounded."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from host_tools.chronicle import chronicler
from host_tools.chronicle.chronicler import Chronicler
from host_tools.chronicle.model import MediaFate, ServiceStory, Stkm, StkmFate
from host_tools.chronicle.page.timeline import timeline
from host_tools.chronicle.slices import MOST, Gaps, Slices
from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.rtp import RtpPacket
from host_tools.drawing.axis import TimeAxis
from host_tools.sessions.reception import Reception

START = 1_000_000.0
HOST = "239.1.1.1"


def stkm(number: int, fate: StkmFate = StkmFate.NEW) -> Stkm:
    return Stkm(0.0, f"key {number}", number, fate, "no credit" if fate is StkmFate.REFUSED else "")


def noted(notes: Chronicler, second: float, number: int, fate: StkmFate = StkmFate.NEW) -> None:
    notes.stkm(START + second, HOST, "news", stkm(number, fate), "sek 1", bytes((number,)))


def opened(notes: Chronicler, second: float, number: int, sequence: int) -> None:
    notes.media(START + second, HOST, bytes((number,)), MediaFate.OPENED, (7, sequence))


def story(notes: Chronicler) -> ServiceStory:
    (only,) = notes.finish("x").services
    return only


def test_keys_have_the_time_of_their_use() -> None:
    notes = Chronicler()
    notes.ltkm("sek 1", "LTKM: taken", taken=True, allows="live, cost 5")
    noted(notes, 0, 1)
    for number in range(3):
        opened(notes, 1 + number, 1, number)
    noted(notes, 4, 2, StkmFate.REFUSED)
    told = story(notes)
    (key,) = told.traffic_keys
    assert (key.given, key.used, key.packets) == (0.0, (1.0, 3.0), 3)
    (above,) = told.long_term_keys
    assert (above.came, above.first, above.last, above.allows) == (0.0, 0.0, 4.0, ("live, cost 5",))
    assert told.stkm_counts == {StkmFate.NEW: 1, StkmFate.REFUSED: 1}


def test_packets_that_never_came_are_missed_and_late_ones_are_not() -> None:
    notes = Chronicler()
    noted(notes, 0, 1)
    for number in (65_534, 65_535, 3, 1, 4):
        opened(notes, 1, 1, number)
    assert story(notes).packets == Counter({MediaFate.OPENED: 5, MediaFate.LOST: 2})


def test_what_was_sent_while_something_else_was_listened_to_is_not_missed() -> None:
    notes = Chronicler()
    noted(notes, 0, 1)
    opened(notes, 1, 1, 10)
    notes.listens_anew()
    opened(notes, 9, 1, 400)
    opened(notes, 9, 1, 402)
    assert story(notes).packets == Counter({MediaFate.OPENED: 3, MediaFate.LOST: 1})


def test_a_source_that_starts_anew_has_lost_nothing() -> None:
    gaps = Gaps()
    taken = [gaps.take(number, 0.0) for number in (5, 6, 40_000, 40_001)]
    assert [(len(missed), since) for missed, since in taken] == [(0, None)] * 4


def test_what_is_missing_stands_where_it_should_have_come_and_as_much_as_is_counted_elsewhere() -> None:
    """A sender that fell silent for six seconds: no heap of lost packets at the end of it, and no new start either."""
    notes, reception = Chronicler(), Reception()
    noted(notes, 0, 1)
    for number in (0, 6_001, 6_002):
        opened(notes, number / 1_000, 1, number)
        packet = RtpPacket(0, number, 0, 7, b"x").encode()
        reception.take(Datagram(0.0, Endpoint("127.0.0.1", 9), Endpoint(HOST, 5004), packet))
    told = story(notes)
    assert told.packets[MediaFate.LOST] == reception.lost == 6_000
    assert max(one.packets[MediaFate.LOST] for one in told.media) <= 126
    assert len(told.media) == 49


def test_a_key_comes_when_its_ltkm_does_though_stkms_waited_for_it() -> None:
    notes = Chronicler()
    noted(notes, 0, 1, StkmFate.REFUSED)
    notes.stkm(START + 1, HOST, "news", stkm(2), "there before", b"b")
    notes.stkm(START + 2, HOST, "news", stkm(3, StkmFate.REFUSED), "never there", b"c")
    notes.reached(START + 3)
    notes.ltkm("sek 1", "LTKM: taken", taken=True)
    notes.ltkm("there before", "LTKM: taken", taken=True)
    noted(notes, 4, 1)
    notes.ltkm("sek 1", "LTKM: taken", taken=True)
    keys = {key.key: key.arrival for key in story(notes).long_term_keys}
    assert keys == {"sek 1": 3.0, "there before": "before", "never there": "no LTKM seen"}


def test_a_traffic_key_is_given_when_its_stkm_is_given_again_and_its_bar_covers_what_waited() -> None:
    notes = Chronicler()
    noted(notes, 0, 1, StkmFate.REFUSED)
    notes.reached(START + 5)
    noted(notes, 0, 1)
    for number in range(3):
        opened(notes, 1 + number, 1, number)
    (key,) = story(notes).traffic_keys
    assert (key.given, key.used) == (5.0, (1.0, 3.0))
    drawn = "".join(timeline(notes.finish("x")))
    (box,) = re.findall(r'<rect class="tek[^"]*" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', drawn)
    axis = TimeAxis(5.0, 1_060, 20)
    assert float(box[0]) == axis.at(1.0)
    assert float(box[1]) == pytest.approx(axis.at(3.0) - axis.at(1.0), abs=0.1)


def test_what_waited_for_its_key_stands_where_it_came() -> None:
    notes = Chronicler()
    notes.reached(START)
    noted(notes, 2, 1)
    for number in range(100):
        opened(notes, number / 50, 1, number)
    assert {one.start for one in story(notes).media} == {number / 8 for number in range(16)}


def test_purses_fall_and_are_filled_again() -> None:
    notes = Chronicler()
    noted(notes, 0, 1)
    notes.balance("purse", 20, 15)
    noted(notes, 2, 2)
    notes.balance("purse", 40, 35)
    (purse,) = notes.finish("x").balances
    assert purse.points == ((0.0, 20), (0.0, 15), (2.0, 40), (2.0, 35))


def test_slices_grow_with_the_programme() -> None:
    slices = Slices()
    for second in range(3_600):
        slices.add(float(second), MediaFate.OPENED, 50)
    told = slices.slices()
    assert MOST / 2 < len(told) <= MOST
    assert sum(one.packets[MediaFate.OPENED] for one in told) == 180_000
    assert {round(one.end - one.start, 6) for one in told} == {8.0}


def test_a_long_programme_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST_STKMS", "MOST_KEYS", "MOST_NOTES", "MOST_POINTS"):
        monkeypatch.setattr(chronicler, name, 10)
    notes = Chronicler()
    for number in range(200):
        noted(notes, number, number % 200)
        opened(notes, number + 0.5, number % 200, number)
        notes.balance("purse", 200 - number, 199 - number)
        notes.note("something")
    told = notes.finish("x")
    (service,) = told.services
    assert (len(service.stkms), len(service.traffic_keys), len(told.notes)) == (10, 10, 10)
    assert len(told.balances[0].points) <= 11
    assert service.stkm_counts[StkmFate.NEW] == 200
    assert service.packets[MediaFate.OPENED] == 200
