"""Policies, purses, play-backs, recordings and parental control of a card of an older version go on unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.opened import VERSIONS, opened, version_name
from tests.golden.past import GRANTED, PARENTAL_PIN, RECORDED_CONTENT, RECORDING_TERMINAL, key_id, session
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1
from tests.support.bcast import KEY_DOMAIN, SEK, BcastCard, objects, tek
from tests.support.mbms import EF_MSK
from tests.support.testcard import pin_bytes

pytestmark = pytest.mark.norm("74")

LTKMS = 15
"""The number of LTKMs that the card with the policies took."""
USER, LIVE, PLAYBACK, KEPT = "user", "live", "playback", "kept"


@pytest.fixture(params=VERSIONS, ids=version_name)
def it(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BcastCard]:
    with opened("bcast", request.param, tmp_path) as saved:
        yield BcastCard(saved.card.ready(), session(1), P1)


@pytest.fixture(params=VERSIONS, ids=version_name)
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BcastCard]:
    with opened("recorded", request.param, tmp_path) as saved:
        yield BcastCard(saved.card.ready(), session(1), P1)


def watch(it: BcastCard, group: int, number: int, ts: int, rating: tuple[int, int] | None = None) -> bytes | str:
    """Send an STKM; return the TEK, else the status byte, else the status word."""
    message = it.stkm(StkmData(key_id(group, number), SEK, ts, ts, rating=rating))
    sw, found = it.generate(message.build())
    return found.get(0x86) or found.get(0x80) or sw


def purse(it: BcastCard, group: int) -> dict[str, int]:
    return it.purses()[KEY_DOMAIN, group.to_bytes(2, "big")]


def counters(it: BcastCard, group: int, name: str) -> list[int]:
    """Return the counters of this name in the policies of a group, in order of the keys."""
    return [int.from_bytes(found[name], "big") for found in it.policies(key_id(group, 0)[:2]) if name in found]


# --- credit


def test_purses_and_counters_are_what_they_were(it: BcastCard) -> None:
    assert it.purses() == {
        (KEY_DOMAIN, bytes((0, group))): {USER: 19, LIVE: 0, PLAYBACK: 0, KEPT: 0} | held
        for group, held in {1: {LIVE: 16}, 2: {}, 3: {PLAYBACK: 7}, 4: {KEPT: 7}, 5: {}}.items()
    }
    assert counters(it, 2, "teks") == [6]
    assert counters(it, 3, "play-backs") == [2]
    assert counters(it, 3, "teks") == [3]


def test_pay_per_time_goes_on(it: BcastCard) -> None:
    assert watch(it, 1, 1, 2) == "9865", "it was heard, and there is no policy for play-back"
    assert watch(it, 1, 1, 3) == tek(3)
    assert purse(it, 1)[LIVE] == 14
    assert watch(it, 2, 1, 4) == tek(4)
    assert counters(it, 2, "teks") == [5]
    assert watch(it, 2, 2, 2) == tek(2)
    assert purse(it, 2)[USER] == 18


def test_the_tek_that_came_last_is_free_once_more(it: BcastCard) -> None:
    again = it.stkm(StkmData(key_id(1, 1), SEK, 2, 9)).build()
    assert it.generate(again)[1][0x86] == tek(2)
    assert purse(it, 1)[LIVE] == 16


def test_a_view_that_was_paid_stays_paid(it: BcastCard) -> None:
    assert watch(it, 1, 2, 2) == tek(2)
    assert purse(it, 1)[USER] == 19


def test_a_playback_goes_on_and_a_new_one_is_counted(it: BcastCard) -> None:
    assert [watch(it, 3, 1, 11), watch(it, 3, 1, 12)] == [tek(11), tek(12)]
    assert counters(it, 3, "play-backs") == [2]
    assert watch(it, 3, 1, 5) == tek(5)
    assert counters(it, 3, "play-backs") == [1]


def test_a_playback_paid_from_the_user_purse_goes_on(it: BcastCard) -> None:
    assert watch(it, 3, 2, 21) == tek(21)
    assert purse(it, 3)[USER] == 19
    assert watch(it, 3, 2, 1) == tek(1)
    assert purse(it, 3)[USER] == 14


def test_records_of_one_key_pay_in_their_order(it: BcastCard) -> None:
    assert [watch(it, 3, 3, ts) for ts in range(31, 42)] == [tek(ts) for ts in range(31, 42)]
    assert (counters(it, 3, "teks"), purse(it, 3)[PLAYBACK], purse(it, 3)[USER]) == ([0], 0, 18)


def test_kept_credit_comes_back(it: BcastCard) -> None:
    m = LtkmData(key_id(4, 2), SEK, 0, 99, LTKMS + 1, "live_teks", counter=1, keep=True)
    assert it.update(it.ltkm(m).build())[1][0x80] == b"\0"
    assert (counters(it, 4, "teks"), purse(it, 4)[KEPT]) == ([8], 0)


def test_a_key_kept_for_play_back_only(it: BcastCard) -> None:
    """Two newer ones pushed it out of EF_MSK."""
    shown = b"".join(it.card.record(EF_MSK, number) for number in range(1, 9))
    assert [key_id(5, number)[1] + key_id(5, number)[2] in shown for number in (1, 2, 3)] == [False, True, True]
    assert watch(it, 5, 1, 30) == tek(30)
    assert watch(it, 5, 1, 10) == b"\x06", "before the validity of its play-back"


# --- LTKMs


def ltkm(it: BcastCard, ts: int) -> tuple[str, bytes | None]:
    """Send an LTKM that fills the user purse; return status word and status byte."""
    m = LtkmData(key_id(2, 2), SEK, 0, 99, ts, "live_ppt_user", cost=1, tokens=5, add=True)
    sw, found = it.update(it.ltkm(m).build())
    return sw, found.get(0x80)


def test_an_ltkm_of_before_fills_no_purse(it: BcastCard) -> None:
    before = it.card.persistent()
    assert ltkm(it, LTKMS) == ("9865", None)
    assert it.card.persistent() == before


def test_the_next_ltkm_is_taken(it: BcastCard) -> None:
    assert ltkm(it, LTKMS + 1) == ("9000", b"\0")
    assert purse(it, 1)[USER] == 24


# --- recordings and parental control


def test_recordings_are_listed(recorded: BcastCard) -> None:
    sw, value = recorded.operation("recordings")
    assert sw == "9000"
    ((_, description),) = objects(value)
    found = list(objects(description))
    assert (P1.audit["terminal"], RECORDING_TERMINAL) in found
    assert (P1.audit["content"], RECORDED_CONTENT) in found


def test_a_policy_that_a_recording_needs_cannot_be_deleted(recorded: BcastCard) -> None:
    fields = recorded.key_fields(key_id(1, 1)[:2])
    assert recorded.deletion("delete policies", **fields) == ("9000", {0x80: b"\x0c"})
    recorded.deletion("delete recording", terminal=RECORDING_TERMINAL, content=RECORDED_CONTENT)
    assert recorded.deletion("delete policies", **fields) == ("9000", {0x80: b"\0"})


def test_a_recording_plays(recorded: BcastCard) -> None:
    assert watch(recorded, 1, 1, 20) == tek(20)
    assert counters(recorded, 1, "play-backs") == [1]


def test_the_level_granted_and_the_pin(recorded: BcastCard) -> None:
    kind, granted = GRANTED
    assert watch(recorded, 1, 1, 40, (kind, granted)) == tek(40)
    assert watch(recorded, 1, 1, 41, (kind, granted + 1)) == b"\x07"
    assert recorded.card.send(f"002000{P1.pin:02X}").sw == "63C2", "one try was lost"
    assert recorded.card.send(f"002000{P1.pin:02X}08", pin_bytes(PARENTAL_PIN)).sw == "9000"
    assert watch(recorded, 1, 1, 41, (kind, granted + 1)) == tek(41)
