"""Credit: nothing that was paid is paid again, nothing that was not spent is lost, and no purse stands in the way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import GROUP, KEY_DOMAIN, OTHER_SEK, SEK, BcastCard, tek
from tests.support.profiles import ADM1
from tests.support.testcard import TestCard, pin_bytes, tlv

DONE, NO_CREDIT, USED_UP = b"\x00", b"\x02", b"\x03"


def key(number: int, group: bytes = GROUP) -> tuple[bytes, bytes, bytes]:
    return KEY_DOMAIN, group, bytes((0, number))


class Subscriber(BcastCard):
    """A card to which LTKMs come with rising counters."""

    ltkms = 0

    def buy(self, key_id: tuple[bytes, bytes, bytes], policy: str, sek: bytes = SEK, bounds: tuple[int, int] = (0, 99),
            cost: int = 0, tokens: int | None = None, counter: int | None = None, *, add: bool = False,
            keep: bool = False) -> tuple[str, bytes | None]:  # fmt: skip
        """Deliver an LTKM; return status word and status byte."""
        self.ltkms += 1
        m = LtkmData(key_id, sek, *bounds, self.ltkms, policy, cost, tokens, counter, add, keep)
        sw, found = self.update(self.ltkm(m).build())
        return sw, found.get(self.wire.tags["status"])

    def must(self, *args: object, **kwargs: object) -> None:
        """As `buy`; the card must accept."""
        assert self.buy(*args, **kwargs) == ("9000", bytes((self.wire.status["done"],)))  # type: ignore[arg-type]

    def watch(self, key_id: tuple[bytes, bytes, bytes], ts: int, mtk: int | None = None) -> bytes | str:
        """Send an STKM; return the TEK, else the status byte, else the status word."""
        sw, found = self.generate(self.stkm(StkmData(key_id, SEK, mtk or ts, ts)).build())
        return found.get(self.wire.tags["tek"]) or found.get(self.wire.tags["status"]) or sw

    def power_cycle(self) -> None:
        """Switch the card off and on."""
        self.card = TestCard(self.card.store).ready()

    def credit(self) -> tuple[dict[str, int], list[tuple[int, int]]]:
        """Return all that is left: the purses of the key group, play-back and TEK counter of every record."""
        counters = [
            (int.from_bytes(record.get("play-backs", b"")), int.from_bytes(record.get("teks", b"")))
            for record in self.policies((KEY_DOMAIN, GROUP))
        ]
        return self.purses().get((KEY_DOMAIN, GROUP), {}), counters

    def user_purse(self) -> int:
        """Return the user purse of the key domain, 0 when the card tells of none."""
        return self.purses().get((KEY_DOMAIN, GROUP), {"user": 0})["user"]


@pytest.fixture
def it() -> Subscriber:
    return Subscriber.new(P1)


# --- play-back that was paid and not received


@pytest.mark.parametrize(
    ("policy", "terms"),
    [
        ("playback_counted", {"counter": 1}),
        ("playback_teks", {"counter": 1}),
        ("playback_ppv_user", {"cost": 5, "tokens": 5}),
        ("playback_ppt_user", {"cost": 5, "tokens": 5}),
        ("playback_ppt_key", {"cost": 5, "tokens": 5}),
    ],
)
def test_an_answer_that_was_never_fetched_can_be_asked_for_again(
    it: Subscriber, policy: str, terms: dict[str, int]
) -> None:
    it.must(key(1), policy, **terms)
    it.fetching = False
    message = it.stkm(StkmData(key(1), SEK, 7, 20)).build()
    assert it.generate(message)[0] == "62F3"
    it.power_cycle()
    it.fetching = True
    assert it.generate(message)[1][0x86] == tek(7)
    assert it.watch(key(1), 3) in (USED_UP, NO_CREDIT, b"\x04"), "one play-back was paid, and no other"


def test_the_same_stkm_twice_is_one_playback(it: Subscriber) -> None:
    it.must(key(1), "playback_counted", counter=2)
    assert [it.watch(key(1), 20) for _ in range(3)] == [tek(20)] * 3
    assert it.policies((KEY_DOMAIN, GROUP))[0]["play-backs"] == bytes((0, 0, 0, 1))
    assert it.watch(key(1), 20, mtk=21) == tek(21), "another TEK of that time starts the second"
    assert it.watch(key(1), 19) == USED_UP


# --- what is paid stays when newer keys come


def push_out(it: Subscriber) -> None:
    """Two newer keys of the group take the places in EF_MSK."""
    it.must(key(8), "live_free")
    it.must(key(9), "live_free")


def test_a_view_is_paid_once_though_the_key_was_pushed_out(it: Subscriber) -> None:
    it.must(key(1), "live_ppv_user", cost=5, tokens=10)
    assert it.watch(key(1), 1) == tek(1)
    push_out(it)
    it.must(key(1), "live_ppv_user", cost=5)
    assert it.watch(key(1), 2) == tek(2)
    assert it.user_purse() == 5


def test_a_view_that_is_over_need_not_be_kept(it: Subscriber) -> None:
    it.must(key(1), "live_ppv_user", cost=5, tokens=10)
    assert it.watch(key(1), 99) == tek(99)
    push_out(it)
    assert it.watch(key(1), 98) == "6A88"


def test_unspent_teks_stay_when_newer_keys_come(it: Subscriber) -> None:
    it.must(key(1), "live_teks", counter=100)
    push_out(it)
    assert it.watch(key(1), 1) == tek(1)


def test_a_kept_counter_goes_to_the_group_instead(it: Subscriber) -> None:
    it.must(key(1), "live_teks", counter=100, keep=True)
    push_out(it)
    assert it.watch(key(1), 1) == "6A88"
    assert it.purses()[KEY_DOMAIN, GROUP]["kept"] == 100


def test_a_full_history_refuses_rather_than_lose_playbacks(it: Subscriber) -> None:
    """Room for three keys beside EF_MSK."""
    for number in (1, 2, 3):
        it.must(key(number), "playback_counted", counter=7)
    before = it.card.persistent()
    assert it.buy(key(4), "playback_free") == ("9866", None)
    assert it.card.persistent() == before
    it.ltkms += 10
    it.must(key(2), "playback_counted", counter=0)
    it.must(key(4), "playback_free")
    assert [it.watch(key(n), 5) for n in (1, 2, 3, 4)] == [tek(5), "6A88", tek(5), tek(5)]


# --- what is over: room for three keys beside EF_MSK and two in it


def programme(it: Subscriber, number: int, **terms: int) -> None:
    """Buy the n-th programme and watch its beginning: T is 100 n to 100 n + 99."""
    policy = "live_teks" if "counter" in terms else "live_ppv_user"
    it.must(key(number), policy, bounds=(100 * number, 100 * number + 99), **terms)
    assert it.watch(key(number), 100 * number + 1) == tek(100 * number + 1)


@pytest.mark.parametrize("terms", [{"cost": 5, "tokens": 5}, {"counter": 4}])
def test_programmes_left_early_do_not_fill_the_card(it: Subscriber, terms: dict[str, int]) -> None:
    for number in range(1, 13):
        programme(it, number, **terms)
    for number, held in ((7, "6A88"), (8, tek(899)), (12, tek(1299))):
        assert it.watch(key(number), 100 * number + 99) == held


def test_while_there_is_room_credit_that_is_over_stays(it: Subscriber) -> None:
    """The server may still prolong its key."""
    for number in range(1, 6):
        programme(it, number, counter=4)
    it.must(key(1), "live_teks", bounds=(100, 9999))
    assert it.watch(key(1), 600) == tek(600)


def test_a_free_playback_gives_way_before_credit_that_is_over(it: Subscriber) -> None:
    for number in range(1, 5):
        programme(it, number, counter=4)
    it.must(key(5), "playback_free")
    it.must(key(6), "playback_free")
    assert [it.watch(key(5), 5), it.watch(key(6), 5)] == ["6A88", tek(5)]
    assert it.watch(key(1), 199) == tek(199)


def test_what_is_not_over_stays(it: Subscriber) -> None:
    """The clock of another group, an old key of this one, and a key for play-back only say nothing of its end."""
    for number in range(1, 6):
        it.must(key(number), "live_teks", bounds=(100, 199), counter=4)
        assert it.watch(key(number), 150 + number) == tek(150 + number)
    before = it.card.persistent()
    assert it.buy(key(6), "live_free") == ("9866", None)
    assert it.card.persistent() == before
    it.must(key(1, b"\0\2"), "live_free", bounds=(0, 999))
    assert it.watch(key(1, b"\0\2"), 900) == tek(900)
    assert it.buy(key(6), "live_free") == ("9866", None)
    assert it.buy(key(7), "playback_free", bounds=(0, 999)) == ("9866", None)


def test_playbacks_are_never_over(it: Subscriber) -> None:
    for number in (1, 2, 3):
        it.must(key(number), "playback_counted", bounds=(0, 50), counter=1)
    it.must(key(4), "live_free", bounds=(0, 999))
    assert it.watch(key(4), 900) == tek(900)
    assert it.buy(key(5), "playback_free") == ("9866", None)


def test_beside_a_full_history_live_keys_come_and_go(it: Subscriber) -> None:
    """A key that may go is dropped itself where no other gives way: paid and over, or for free play-back."""
    for number in (1, 2, 3):
        it.must(key(number, b"\0\2"), "playback_counted", counter=1)
    for number in range(4, 8):
        programme(it, number, cost=5, tokens=5)
        it.must(key(number), "playback_free")
    assert it.watch(key(4), 450) == "6A88"
    assert [it.watch(key(number, b"\0\2"), 5) for number in (1, 2, 3)] == [tek(5)] * 3


@pytest.mark.parametrize("sek", [SEK, OTHER_SEK])
def test_a_longer_life_leaves_the_counter_alone(it: Subscriber, sek: bytes) -> None:
    it.must(key(1), "live_teks", counter=3)
    it.must(key(1), "live_teks", sek, (0, 500))
    (record,) = it.policies((KEY_DOMAIN, GROUP))
    assert (record["teks"], record["validity"][4:]) == (bytes((0, 0, 0, 3)), (500).to_bytes(4, "big"))
    it.must(key(1), "live_teks", sek, (0, 500), counter=0)
    assert it.policies((KEY_DOMAIN, GROUP))[0]["teks"] == bytes(4), "a counter that is said counts"


# --- the table of purses: three in this card


def fill_purses(it: Subscriber, groups: Sequence[int]) -> None:
    for group in groups:
        it.must(key(0, bytes((0, group))), "live_ppt_key", tokens=5)


@pytest.fixture(params=[P1, X2], ids=["P1", "X2"])
def full(request: pytest.FixtureRequest) -> Subscriber:
    """A card with a counter that is to be kept, and purses for as many other groups as it takes."""
    wire: Wire = request.param
    it = Subscriber.new(wire)
    it.must(key(1), "live_teks", counter=7, keep=True)
    fill_purses(it, (5, 6))
    it.buy(key(0, b"\0\7"), "live_ppt_key", tokens=5)
    return it


def test_room_for_what_is_kept_is_reserved(full: Subscriber) -> None:
    assert full.buy(key(0, b"\0\7"), "live_ppt_key", tokens=5) == ("9866", None)
    assert full.buy(key(1, b"\0\7"), "live_teks", counter=1, keep=True) == ("9866", None)
    full.must(key(1, b"\0\7"), "live_free")


def test_the_server_can_always_take_its_key_back(full: Subscriber) -> None:
    full.must(key(1), "live_teks", bounds=(9, 1))
    assert full.watch(key(1), 1) == "6A88"
    assert full.purses()[KEY_DOMAIN, GROUP]["kept"] == 7


def test_msk_deletion_and_newer_keys_pass_a_full_table(full: Subscriber) -> None:
    full.must(key(8), "live_free")
    full.must(key(9), "live_free")
    assert full.purses()[KEY_DOMAIN, GROUP]["kept"] == 7
    assert full.run(tlv(0x53, b"\x03" + KEY_DOMAIN + GROUP))[0] == "9000"


def test_empty_purses_take_no_room(it: Subscriber) -> None:
    fill_purses(it, (5, 6, 7))
    before = it.card.persistent()
    it.must(key(0, b"\0\x08"), "live_ppt_key", tokens=0)
    assert [name for name in it.card.persistent() if name not in before and "purse" in name] == []
    assert it.buy(key(0, b"\0\x08"), "live_ppt_key", tokens=1) == ("9866", None)
    it.ltkms += 1
    it.must(key(0, b"\0\5"), "live_ppt_key", tokens=0)
    it.must(key(0, b"\0\x08"), "live_ppt_key", tokens=1)


def test_a_purse_spent_to_the_last_token_is_free_again(it: Subscriber) -> None:
    it.must(key(1), "live_ppt_key", cost=5, tokens=5)
    fill_purses(it, (5, 6))
    assert it.buy(key(0, b"\0\7"), "live_ppt_key", tokens=1) == ("9866", None)
    assert it.watch(key(1), 1) == tek(1)
    it.ltkms += 1
    it.must(key(0, b"\0\7"), "live_ppt_key", tokens=1)


# --- the service switched off, and the same MTK ID


def test_without_the_service_a_paid_key_gives_nothing(it: Subscriber) -> None:
    it.must(key(1), "live_ppt_user", cost=5)
    assert it.watch(key(1), 1) == NO_CREDIT
    switch_off_service_75(it)
    message = it.stkm(StkmData(key(1), SEK, 1, 1)).build()
    before = it.card.persistent()
    assert it.generate(message) == ("9864", {})
    assert it.card.persistent() == before


def switch_off_service_75(it: Subscriber) -> None:
    """Clear the bit in EF_UST, as an operator may."""
    assert it.card.send("0020000A08", pin_bytes(ADM1)).sw == "9000"
    table = bytearray(it.card.read(0x6F38))
    table[74 // 8] &= ~(1 << 74 % 8)
    it.card.ok("00D60000", bytes((len(table),)), bytes(table))


def test_the_mtk_id_says_which_tek_it_is(it: Subscriber) -> None:
    """The definition of the resending check: a head-end that gives another TEK the same MTK ID gives it away."""
    it.must(key(1), "live_ppt_user", cost=5, tokens=5)
    assert [it.watch(key(1), ts, mtk=1) for ts in (1, 2)] == [tek(1)] * 2
    assert it.watch(key(1), 3, mtk=2) == NO_CREDIT


# --- who pays: what is free now goes first


def credit_for(policy: str) -> dict[str, int]:
    """Return what an LTKM of this policy brings to pay from; the user purse has something already."""
    if policy.endswith("teks"):
        return {"counter": 9}
    return {"cost": 2, "tokens": 9} if policy.endswith("key") else {"cost": 2}


@pytest.mark.parametrize("wire", [P1, X2], ids=["P1", "X2"])
@pytest.mark.parametrize("other", ["live_ppt_key", "live_teks", "live_ppt_user"])
def test_a_view_paid_whole_is_not_charged_again_when_other_credit_comes(wire: Wire, other: str) -> None:
    it = Subscriber.new(wire)
    it.must(key(1), "live_ppv_user", cost=5, tokens=15)
    assert it.watch(key(1), 1) == tek(1)
    it.must(key(1), other, **credit_for(other))
    before = it.credit()
    assert [it.watch(key(1), ts) for ts in range(2, 6)] == [tek(ts) for ts in range(2, 6)]
    assert it.credit() == before


@pytest.mark.parametrize("wire", [P1, X2], ids=["P1", "X2"])
@pytest.mark.parametrize("begun", ["playback_ppv_user", "playback_counted"])
@pytest.mark.parametrize("other", ["playback_teks", "playback_ppt_key", "playback_ppt_user"])
def test_a_playback_that_goes_on_is_not_charged_again_when_other_credit_comes(
    wire: Wire, begun: str, other: str
) -> None:
    it = Subscriber.new(wire)
    terms = {"counter": 2} if begun == "playback_counted" else {"cost": 5, "tokens": 15}
    it.must(key(1), begun, **terms)
    assert it.watch(key(1), 1) == tek(1)
    it.must(key(1), other, **credit_for(other))
    before = it.credit()
    assert [it.watch(key(1), ts) for ts in range(2, 6)] == [tek(ts) for ts in range(2, 6)]
    assert it.credit() == before
    assert it.watch(key(1), 2, mtk=9) == tek(9)
    assert it.credit() != before, "another play-back is due, from whichever record the tables put first"


def test_what_is_due_is_paid_in_the_order_of_the_tables(it: Subscriber) -> None:
    """A view that is not paid yet is no reason to pay it: P1 puts the purse of the key group before it."""
    it.must(key(1), "live_ppv_user", cost=5, tokens=5)
    it.must(key(1), "live_ppt_key", cost=1, tokens=2)
    assert [it.watch(key(1), ts) for ts in (1, 2, 3, 4)] == [tek(ts) for ts in (1, 2, 3, 4)]
    assert it.credit() == ({"user": 0, "live": 0, "playback": 0, "kept": 0}, [(0, 0), (0, 0)])


def test_a_record_without_a_price_goes_before_one_with_a_price(it: Subscriber) -> None:
    it.must(key(1), "live_ppt_key", cost=1, tokens=1)
    it.must(key(1), "live_ppt_user", cost=0)
    assert [it.watch(key(1), ts) for ts in (1, 2, 3)] == [tek(ts) for ts in (1, 2, 3)]
    assert it.purses()[KEY_DOMAIN, GROUP]["live"] == 1


def test_where_nothing_can_be_paid_the_first_record_of_the_tables_names_the_reason(it: Subscriber) -> None:
    it.must(key(1), "playback_ppv_user", cost=5, tokens=5)
    assert it.watch(key(1), 5) == tek(5)
    it.must(key(1), "playback_counted", counter=0)
    assert it.watch(key(1), 4) == USED_UP
