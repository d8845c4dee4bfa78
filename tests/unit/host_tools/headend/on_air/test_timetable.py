"""The timetable: once as the schedule of the scenario, then on and on; from any moment on; MTK IDs that begin again."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, takewhile

from host_tools.headend.bsda.slots import MediaSlot, StkmSlot
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.schedule import slots
from host_tools.headend.scenario.timetable import Timetable

DEMO = shipped_scenario("demo")


def until(timetable: Timetable, end: int, begin: int | None = None) -> list[StkmSlot | MediaSlot]:
    return list(takewhile(lambda slot: slot.at < end, timetable.slots(begin)))


def test_once_it_is_the_schedule() -> None:
    assert list(Timetable(DEMO).slots()) == list(slots(DEMO))


def test_the_first_round_is_the_schedule() -> None:
    for scenario in (DEMO, shipped_scenario("pay_per_time")):
        looped = until(Timetable(scenario, loop=True), scenario.duration - scenario.stkm.lead)
        once = [slot for slot in slots(scenario) if slot.at < scenario.duration - scenario.stkm.lead]
        assert looped == once


def test_rounds_go_on_and_begin_with_a_new_sek() -> None:
    found = until(Timetable(DEMO, loop=True), 3 * DEMO.duration)
    media = [slot for slot in found if isinstance(slot, MediaSlot) and slot.service.id == "tone-a"]
    assert [slot.number for slot in media] == list(range(3 * DEMO.duration // 20))
    numbers = [int.from_bytes(slot.key.msk_id[2:], "big") for slot in media]
    assert sorted(set(numbers)) == [1, 2, 3, 4, 5, 6]
    assert numbers == sorted(numbers)
    assert [slot.mtk_id for slot in media[::200]] == list(range(1, 19))
    assert all(slot.key.is_good_for(slot.mtk_id) for slot in found)


def test_t_of_oma_bcast_never_goes_back() -> None:
    scenario = shipped_scenario("pay_per_time")
    stkms = [
        slot for slot in until(Timetable(scenario, loop=True), 3 * scenario.duration) if isinstance(slot, StkmSlot)
    ]
    counters = [slot.counter for slot in stkms]
    assert counters == sorted(counters)
    assert set(range(1, counters[-1])) <= set(counters)


def test_it_can_be_entered_anywhere() -> None:
    for loop, end in ((False, DEMO.duration), (True, 3 * DEMO.duration)):
        timetable = Timetable(DEMO, loop)
        whole = until(timetable, end)
        for begin in (0, 1, 3799, 3800, 4001, DEMO.duration - 1):
            entered = until(timetable, end, begin)
            assert entered == [slot for slot in whole if slot.at >= begin]


def small(periods: int) -> Scenario:
    return replace(DEMO, duration=periods * DEMO.stkm.crypto_period, events=())


def test_mtk_ids_begin_again_under_a_new_sek() -> None:
    scenario = small(30_000)
    timetable, length = Timetable(scenario, loop=True), scenario.duration
    (last,) = islice(timetable.slots(2 * length - 20), 1)
    assert isinstance(last, MediaSlot)
    first = next(slot for slot in timetable.slots(2 * length) if isinstance(slot, MediaSlot))
    assert (last.mtk_id, first.mtk_id) == (60_000, 1)
    assert (last.key.msk_id[2:], first.key.msk_id[2:]) == (b"\0\2", b"\0\3")
    assert timetable.mtk_id(2 * length) == 1
    assert (first.key.first_mtk_id, first.key.last_mtk_id) == (1, 30_000)


def test_seks_of_now_and_of_the_next_round() -> None:
    timetable = Timetable(DEMO, loop=True)
    numbers = [int.from_bytes(term.msk_id[2:], "big") for term in timetable.terms("tone-a", DEMO.duration)]
    assert numbers == [3, 4, 5, 6]
    assert [int.from_bytes(term.msk_id[2:], "big") for term in Timetable(DEMO).terms("tone-a", 0)] == [1, 2]


def test_stkms_of_a_round_are_within_its_timestamps() -> None:
    scenario = shipped_scenario("pay_per_view")
    timetable, period = Timetable(scenario, loop=True), scenario.stkm.crypto_period
    stkms = [slot for slot in until(timetable, 4 * scenario.duration) if isinstance(slot, StkmSlot)]
    for number in range(3):
        found = [slot.counter for slot in stkms if (slot.mtk_id - 1) // scenario.periods == number]
        assert timetable.timestamps("cinema", 0, scenario.duration, number) == (found[0], found[-1])
        films = [slot.counter for slot in stkms if slot.mtk_id in (number * 6 + 3, number * 6 + 4)]
        assert timetable.timestamps("cinema", 2 * period, 4 * period, number) == (films[0], films[-1])
        assert timetable.timestamps("cinema", 4000, 8000, number) == (films[0], films[-1])
        first, last = timetable.timestamps("cinema", 5000, 5000, number)
        assert last < first
    once = Timetable(scenario)
    assert once.timestamps("cinema", 4000, 8000, 0) == timetable.timestamps("cinema", 4000, 8000, 0)


def test_a_sek_tells_its_round() -> None:
    timetable = Timetable(DEMO, loop=True)
    for number in (0, 1, 5, 24_000, 30_000):  # Key Numbers begin again after some 24,575 rounds of two
        at = number * DEMO.duration
        for term in timetable.planned_terms("tone-a", number):
            assert timetable.round_of("tone-a", term.msk_id, at) == number
        for term in timetable.planned_terms("tone-a", number + 1):
            assert timetable.round_of("tone-a", term.msk_id, at) == number + 1
    assert timetable.round_at(3 * DEMO.duration - 1) == 2
    assert timetable.round_of("tone-a", bytes.fromhex("0001c000"), 0) is None  # a SEK out of turn is of none
    assert timetable.round_of("tone-a", bytes.fromhex("00010000"), 0) is None
    assert timetable.round_of("tone-a", bytes.fromhex("00010009"), 0) is None  # of a round that is not near
    once = Timetable(DEMO)
    assert [once.round_of("tone-a", bytes((0, 1, 0, key)), 10**9) for key in (1, 2, 3)] == [0, 0, None]
