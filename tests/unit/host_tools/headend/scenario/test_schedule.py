"""When things happen: periods, repeats, roll-overs, deliveries."""

from __future__ import annotations

from itertools import pairwise

import pytest

from host_tools.headend.bsda.slots import MediaSlot, StkmSlot
from host_tools.headend.scenario.schedule import deliveries, slots, stkm_slots
from host_tools.headend.scenario.seeded_keys import service_keys, traffic_key
from host_tools.headend.service_keys import key_domain_id
from tests.unit.host_tools.headend.networks import small_scenario

SCENARIO = small_scenario()
ALL = list(slots(SCENARIO))
STKMS = [slot for slot in ALL if isinstance(slot, StkmSlot)]
MEDIA = [slot for slot in ALL if isinstance(slot, MediaSlot)]


def test_slots_come_in_order_of_time() -> None:
    assert all(before.at <= after.at for before, after in pairwise(ALL))


def test_at_the_same_moment_stkms_come_first_and_services_in_their_order() -> None:
    services = [service.id for service in SCENARIO.services]

    def place(slot: StkmSlot | MediaSlot) -> tuple[int, bool, int]:
        return slot.at, isinstance(slot, MediaSlot), services.index(slot.service.id)

    assert sorted(ALL, key=place) == ALL
    assert [slot for slot in STKMS if slot.service.id == "one"] == list(stkm_slots(SCENARIO, "one"))


@pytest.mark.norm("61")
@pytest.mark.parametrize("service", ["one", "two"])
def test_stkms_of_plain_mbms_are_sent_again_as_they_were(service: str) -> None:
    """TS 33.246 clause 6.4.3: T counts new messages, and from 1 again under another MSK."""
    mine = [slot for slot in STKMS if slot.service.id == service]
    for mtk_id in range(1, SCENARIO.periods + 1):
        of_period = [slot for slot in mine if slot.mtk_id == mtk_id]
        assert {slot.counter for slot in of_period} == {mtk_id - of_period[0].key.first_mtk_id + 1}
        assert [slot.copy for slot in of_period] == list(range(len(of_period)))
    assert [slot.at for slot in mine[::2][:4]] == [-100, 100, 300, 400]
    assert all(after.mtk_id - before.mtk_id in (0, 1) for before, after in pairwise(mine))


def test_stkms_of_oma_bcast_have_a_new_t_each_time_over_all_keys() -> None:
    """T is the time scale of policies there, so it neither stands still nor begins anew."""
    scenario = small_scenario(**{'id = "one"': 'id = "one"\nbcast = { protection_after_reception = 3 }'})
    mine = list(stkm_slots(scenario, "one"))
    assert [slot.copy for slot in mine] == [0, 1] * (len(mine) // 2)
    firsts = mine[::2]
    assert [slot.counter for slot in firsts] == list(range(1, len(firsts) + 1))
    assert [slot.counter for slot in mine[1::2]] == [slot.counter for slot in firsts]
    assert {slot.key.msk_id.hex() for slot in mine} == {"00010001", "00010002"}


@pytest.mark.norm("59")
def test_the_first_mtk_id_is_above_the_lower_limit() -> None:
    """TS 33.246 clause 6.5.4: SEQl < MTK ID."""
    for key in service_keys(SCENARIO):
        used = {slot.mtk_id for slot in STKMS if slot.key == key.term}
        assert (key.validity.lower, key.validity.upper) == (min(used) - 1, max(used))


@pytest.mark.parametrize("size", [16, 24, 32])
def test_keys_of_three_sizes(size: int) -> None:
    """TS 33.246 clause 4.2."""
    scenario = small_scenario(**{'id = "one"': f'id = "one"\nsek_size = {size}'})
    assert [len(key.key) for key in service_keys(scenario)] == [size, size, 16]


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
        first = next(slot.at for slot in STKMS if slot.key == item.key.term)
        assert item.at <= first


@pytest.mark.parametrize(("plmn", "coded"), [("001-01", "00f110"), ("262-02", "62f220"), ("310-410", "130014")])
def test_key_domains_are_coded_like_a_plmn(plmn: str, coded: str) -> None:
    assert key_domain_id(plmn).hex() == coded
