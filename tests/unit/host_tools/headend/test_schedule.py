"""When things happen: periods, repeats, roll-overs, deliveries."""

from __future__ import annotations

from itertools import pairwise

import pytest

from host_tools.headend.schedule import MediaSlot, StkmSlot, deliveries, slots
from host_tools.headend.service_keys import key_domain_id, service_keys, traffic_key
from tests.unit.host_tools.headend.networks import small_scenario

SCENARIO = small_scenario()
ALL = list(slots(SCENARIO))
STKMS = [slot for slot in ALL if isinstance(slot, StkmSlot)]
MEDIA = [slot for slot in ALL if isinstance(slot, MediaSlot)]


def test_slots_come_in_order_of_time() -> None:
    assert all(before.at <= after.at for before, after in pairwise(ALL))


@pytest.mark.parametrize("service", ["one", "two"])
def test_every_stkm_has_a_higher_counter_and_no_lower_mtk_id(service: str) -> None:
    mine = [slot for slot in STKMS if slot.service.id == service]
    assert [slot.copy for slot in mine] == [0, 1] * (len(mine) // 2)
    firsts = mine[::2]
    assert [slot.counter for slot in firsts] == list(range(1, len(firsts) + 1))
    assert [slot.counter for slot in mine[1::2]] == [slot.counter for slot in firsts]
    assert all(after.mtk_id - before.mtk_id in (0, 1) for before, after in pairwise(firsts))
    assert [slot.at for slot in firsts[:4]] == [-100, 100, 300, 400]


@pytest.mark.parametrize("service", ["one", "two"])
def test_the_stkm_of_a_period_comes_before_its_media(service: str) -> None:
    announced: set[tuple[bytes, int]] = set()
    for slot in (slot for slot in ALL if slot.service.id == service):
        if isinstance(slot, StkmSlot):
            announced.add((slot.key.msk_id, slot.mtk_id))
        assert (slot.key.msk_id, slot.mtk_id) in announced
        assert slot.key.first_mtk_id <= slot.mtk_id <= slot.key.last_mtk_id


def test_media_comes_every_twenty_milliseconds() -> None:
    mine = [slot for slot in MEDIA if slot.service.id == "one"]
    assert [(slot.number, slot.at) for slot in mine] == [(number, 20 * number) for number in range(100)]
    assert [slot.mtk_id for slot in mine] == [1] * 25 + [2] * 25 + [3] * 25 + [4] * 25


def test_a_roll_over_gives_a_second_key_of_the_same_group() -> None:
    first, second, other = service_keys(SCENARIO)
    assert (first.first_mtk_id, first.last_mtk_id) == (1, 2)
    assert (second.first_mtk_id, second.last_mtk_id) == (3, 4)
    assert (other.service, other.first_mtk_id, other.last_mtk_id) == ("two", 1, 4)
    assert first.msk_id.hex() == "00010001"
    assert second.msk_id.hex() == "00010002"
    assert len({first.key.reveal(), second.key.reveal(), other.key.reveal()}) == 3
    assert len({first.rand, second.rand, other.rand}) == 3


def test_traffic_keys_differ_and_repeat() -> None:
    keys = service_keys(SCENARIO)
    drawn = {traffic_key(SCENARIO, key, mtk_id).tek.reveal() for key in keys for mtk_id in (1, 2)}
    assert len(drawn) == 6
    assert traffic_key(SCENARIO, keys[0], 1) == traffic_key(small_scenario(), keys[0], 1)


def test_keys_are_due_before_their_first_stkm() -> None:
    due = deliveries(SCENARIO)
    assert [(item.at, item.key.service) for item in due] == [(-100, "one"), (-100, "two"), (700, "one")]
    for item in due:
        first = next(slot.at for slot in STKMS if slot.key == item.key)
        assert item.at <= first


@pytest.mark.parametrize(("plmn", "coded"), [("001-01", "00f110"), ("262-02", "62f220"), ("310-410", "130014")])
def test_key_domains_are_coded_like_a_plmn(plmn: str, coded: str) -> None:
    assert key_domain_id(plmn).hex() == coded
