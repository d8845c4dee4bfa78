"""GBA_U and MBMS on a plain USIM in lock step with a model of the texts (tests/oracle/mbms_model.py).

After each step the status word, the answer and every record of EF_GBABP, EF_GBANL, EF_MUK and EF_MSK are compared. The
card has fewer records than there are servers and key groups, so that all of them run short.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.support.mbms_walk import FIRST_T, LIMITS, SERVERS, STEPS_OF_T, UA_OTHER, MbmsWalk, Traffic, Update

SERVER = st.integers(0, len(SERVERS) - 1)
GROUP = st.integers(1, 4)
MOSTLY = st.sampled_from([True, True, True, False])
SELDOM = MOSTLY.map(lambda value: not value)
# The first choice of each is the one that leads on; it is drawn more often than the others.
STEP = st.just(1) | st.sampled_from(STEPS_OF_T)
UPDATES = st.builds(
    Update,
    server=SERVER,
    age=st.sampled_from([0, 0, 0, 1, 1, 2]),
    group=GROUP,
    number=st.sampled_from([1, 1, 2, 3, 0]),
    key=st.sampled_from([0, 0, 1, None]),
    size=st.sampled_from([16, 16, 24, 32, 8]),
    limits=st.just(LIMITS[0]) | st.sampled_from(LIMITS),
    first=st.sampled_from(FIRST_T),
    step=STEP,
    verify=st.booleans(),
    forged=SELDOM,
)
TRAFFIC = st.builds(
    Traffic,
    which=st.sampled_from([0, 0, 1, 2, 5]),
    mtk=st.sampled_from([1, 1, 2, 0, -1]),
    at_upper=SELDOM,
    first=st.sampled_from(FIRST_T),
    step=STEP,
    size=st.sampled_from([16, 24, 32]),
    salted=st.booleans(),
    own_csb=st.booleans(),
    forged=SELDOM,
)


class MbmsMachine(RuleBasedStateMachine):
    @initialize()
    def new_card(self) -> None:
        self.walk = MbmsWalk()
        self.walk.bootstrap()

    @rule(writes=MOSTLY, forged=SELDOM)
    def bootstrap(self, writes: bool, forged: bool) -> None:
        self.walk.bootstrap(writes=writes, forged=forged)

    @rule(b_tid=st.sampled_from([None, None, b"other@bsf.example", b"x"]))
    def write_the_b_tid(self, b_tid: bytes | None) -> None:
        self.walk.write_b_tid(b_tid)

    @rule(server=SERVER)
    def derive(self, server: int) -> None:
        self.walk.derive(server)

    @rule(server=SERVER)
    def derive_for_another_protocol(self, server: int) -> None:
        self.walk.derive(server, UA_OTHER)

    @rule(choice=UPDATES)
    def update(self, choice: Update) -> None:
        self.walk.update(choice)

    @rule(server=SERVER, choice=UPDATES)
    def derive_and_update(self, server: int, choice: Update) -> None:
        self.walk.derive(choice.server)
        self.walk.update(choice)

    @rule(choice=TRAFFIC)
    def traffic(self, choice: Traffic) -> None:
        self.walk.traffic(choice)

    @rule(age=st.integers(0, 6))
    def repeat(self, age: int) -> None:
        self.walk.repeat(age)

    @rule(group=GROUP)
    def delete_msks(self, group: int) -> None:
        self.walk.delete_msks(group)

    @rule(server=SERVER, age=st.sampled_from([0, 0, 1]))
    def delete_muk(self, server: int, age: int) -> None:
        self.walk.delete_muk(server, age)

    @rule()
    def lose_power(self) -> None:
        self.walk.lose_power()


MbmsMachine.TestCase.settings = settings(settings(), stateful_step_count=40)
TestMbmsMachine = pytest.mark.norm(
    "4", "5", "8", "11", "12", "13", "14", "15", "16", "17", "20", "21", "22", "23", "24", "25", "27", "31", "32", "33",
    "34", "35"
)(MbmsMachine.TestCase)  # fmt: skip


# --- what chance may miss

WANTED = {
    ("bootstrap", "9000"), ("bootstrap", "9862"), ("derive", "9000"), ("derive", "6985"),
    ("update", "9000"), ("update", "9862"), ("update", "9865"), ("update", "9866"), ("update", "9867"),
    ("update", "6985"), ("update", "6A88"),
    ("traffic", "9000"), ("traffic", "9862"), ("traffic", "9865"), ("traffic", "6985"), ("traffic", "6A88"),
    ("delete msks", "9000"), ("delete msks", "6A88"), ("delete muk", "9000"), ("delete muk", "6A88"),
}  # fmt: skip


def stroll(walk: MbmsWalk, dice: random.Random, steps: int) -> None:
    """Walk at random, with the dice loaded towards what the card accepts."""
    for _ in range(steps):
        server, one_in_six = dice.randrange(len(SERVERS)), dice.randrange(6) == 0
        step = dice.choice(STEPS_OF_T) if one_in_six else 1
        first = dice.choice(FIRST_T)
        match dice.randrange(16):
            case 0:
                walk.bootstrap(writes=not one_in_six, forged=dice.randrange(6) == 0)
            case 1 | 2:
                walk.derive(server, UA_OTHER if one_in_six else b"\1\0\0\0\1")
            case 3 if dice.randrange(3) == 0:
                walk.delete_msks(dice.randint(1, 4))
            case 4 if dice.randrange(3) == 0:
                walk.delete_muk(server, dice.choice([0, 0, 1]))
            case 5:
                walk.repeat(dice.randrange(5))
            case 6:
                walk.lose_power() if one_in_six else walk.write_b_tid(dice.choice([None, b"x"]))
            case 7 | 8 | 9 | 10:
                if dice.randrange(2):
                    walk.derive(server)
                walk.update(
                    Update(
                        server,
                        dice.choice([0, 0, 0, 0, 1, 2]),
                        dice.randint(1, 4),
                        dice.choice([1, 2, 3, 0]),
                        dice.choice([0, 1, None]),
                        dice.choice([16, 24, 32, 8]),
                        dice.choice(LIMITS),
                        first,
                        step,
                        one_in_six,
                        dice.randrange(8) == 0,
                    )
                )
            case _:
                walk.traffic(
                    Traffic(
                        dice.randrange(4),
                        dice.choice([1, 1, 1, 2, 0, -1]),
                        dice.randrange(8) == 0,
                        first,
                        step,
                        dice.choice([16, 24, 32]),
                        not one_in_six,
                        one_in_six,
                        dice.randrange(8) == 0,
                    )
                )


@pytest.mark.norm("12", "14", "15", "22", "32")
@pytest.mark.parametrize("bcast", [False, True])
def test_every_status_word_of_every_step_is_met(bcast: bool) -> None:
    """With OMA BCAST on the card, messages without its extension are MBMS messages all the same."""
    walk = MbmsWalk(bcast=bcast)
    walk.bootstrap()
    stroll(walk, random.Random(246), 1200)
    assert set(walk.met) >= WANTED, sorted(WANTED - set(walk.met))


@pytest.fixture
def walk() -> MbmsWalk:
    """A card that holds the MUK of one server, T 5, and an MSK."""
    walk = MbmsWalk()
    walk.bootstrap()
    walk.derive(0)
    walk.update(Update(first=5))
    assert walk.met["update", "9000"] == 1
    return walk


@pytest.mark.norm("19")
def test_the_same_muk_derived_again_goes_on_with_its_counter(walk: MbmsWalk) -> None:
    walk.derive(0)
    walk.repeat(0)
    assert walk.met["update", "9862"] == 1
    walk.update(Update(step=1))
    assert walk.met["update", "9000"] == 2


@pytest.mark.norm("13", "19")
def test_a_muk_that_was_deleted_goes_on_with_its_counter(walk: MbmsWalk) -> None:
    walk.write_b_tid(b"x")  # so that Ks is not taken for the one of the MUK, and stays
    walk.delete_muk(0, 0)
    walk.write_b_tid()
    walk.derive(0)
    walk.repeat(0)
    assert walk.met["update", "9862"] == 1
    walk.update(Update(step=1))
    assert walk.met["update", "9000"] == 2


@pytest.mark.norm("26")
def test_an_msk_that_was_deleted_goes_on_with_its_counter(walk: MbmsWalk) -> None:
    walk.traffic(Traffic(first=7))
    walk.delete_msks(1)
    walk.update(Update(step=1))
    walk.repeat(1)  # the same MTK message: SEQl is back where it was, T is not
    assert (walk.met["traffic", "9000"], walk.met["traffic", "9865"]) == (1, 1)
    walk.traffic(Traffic(step=1))
    assert walk.met["traffic", "9000"] == 2


@pytest.mark.norm("25", "31")
def test_another_key_under_the_same_msk_id_goes_on_with_its_counter(walk: MbmsWalk) -> None:
    walk.traffic(Traffic(first=7))
    walk.update(Update(key=1))
    walk.traffic(Traffic(step=0))
    assert walk.met["traffic", "9865"] == 1
    walk.traffic(Traffic(step=1))
    assert walk.met["traffic", "9000"] == 2


@pytest.mark.norm("14")
def test_an_overwritten_naf_key_is_derived_again(walk: MbmsWalk) -> None:
    """Generated but not taken up: overwritten before the message that would have used it."""
    walk.bootstrap()
    walk.derive(0)
    walk.derive(1)
    walk.derive(2)
    walk.update(Update())
    assert walk.met["update", "6985"] == 1
    walk.derive(0)
    walk.repeat(0)
    assert (walk.met["update", "9000"], walk.met["update", "6985"]) == (2, 1)


@pytest.mark.norm("11")
def test_a_muk_in_use_outlives_its_naf_key(walk: MbmsWalk) -> None:
    walk.derive(1)
    walk.derive(2)
    walk.update(Update(step=1))
    assert walk.met["update", "9000"] == 2


@pytest.mark.norm("14")
def test_the_muk_in_use_derived_once_more_makes_good_what_was_overwritten(walk: MbmsWalk) -> None:
    walk.write_b_tid(b"x")
    walk.derive(0)
    walk.derive(1)
    walk.derive(2)
    walk.write_b_tid()
    walk.derive(0)
    walk.derive(1)
    walk.derive(2)
    walk.update(Update())
    assert (walk.met["update", "9000"], walk.met["update", "6985"]) == (2, 0)


@pytest.mark.norm("15")
def test_no_free_muk_record_is_told_before_the_mac(walk: MbmsWalk) -> None:
    for server in (1, 2):
        walk.derive(server)
        walk.update(Update(server, forged=True))
    assert (walk.met["update", "9862"], walk.met["update", "9867"]) == (1, 1)
    walk.delete_muk(1, 0)
    walk.bootstrap()
    walk.derive(2)
    walk.update(Update(2))
    assert walk.met["update", "9000"] == 2
