"""What goes to a terminal when, and again when nothing comes back (TS 33.246 clause 6.4.3)."""

from __future__ import annotations

import pytest

from card.codec.mikey import Extension, MikeyMessage, Timestamp
from host_tools.headend.bsm.ltkm_sender import LtkmSender, Order
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError, VerificationError
from tests.oracle.mikey import Ltkm
from tests.unit.host_tools.headend.networks import IMPI, small_network

TOKENS = Extension.of_bcast(1, b"\x00")


class Desk:
    """A BSM, one subscriber, and a sender."""

    def __init__(self) -> None:
        network = small_network()
        self.bsm: Bsm = network.bsm
        self.b_tid = network.bsf.presume_answered(network.bsf.challenge(IMPI).rand).b_tid
        self.sender = LtkmSender(self.bsm)

    def order(self, *, credits: bool = False) -> None:
        extension = TOKENS if credits else None
        self.sender.add(Order(lambda: self.bsm.ltkm("one", self.b_tid, extension=extension), credits))

    def order_pull(self) -> None:
        self.sender.add(Order(lambda: self.bsm.pull("one", self.b_tid)))

    def answer(self, ltkm: bytes) -> bytes:
        """Return the verification message of a card, made by the oracle."""
        key = self.bsm.current_key("one")
        return Ltkm(
            psk=self.bsm.smk(self.b_tid).reveal(),
            csb_id=key.csb_id,
            rand=key.rand,
            timestamp=counter_of(ltkm),
            id_i=self.bsm.fqdn,
            id_r=self.b_tid.encode(),
            key_domain_id=key.key_domain_id,
            msk_id=key.msk_id,
            msk=b"",
            lower=b"",
            upper=b"",
        ).build_verification()


def counter_of(ltkm: bytes | None) -> int:
    assert ltkm is not None
    return MikeyMessage.decode(ltkm).one(Timestamp).value


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.norm("62")
def test_the_next_one_is_minted_when_the_one_before_is_answered(desk: Desk) -> None:
    desk.order()
    desk.order()
    first = desk.sender.next()
    assert first is not None
    assert desk.sender.next() is None
    desk.sender.answered(desk.answer(first))
    assert counter_of(desk.sender.next()) == 2
    assert desk.sender.next() is None


@pytest.mark.norm("62")
def test_a_plain_msk_message_goes_again_with_the_next_t(desk: Desk) -> None:
    desk.order()
    desk.order()
    assert counter_of(desk.sender.next()) == 1
    again = [desk.sender.again(), desk.sender.again()]
    assert [counter_of(ltkm) for ltkm in again] == [2, 3]
    assert again[1] is not None
    desk.sender.answered(desk.answer(again[1]))
    assert counter_of(desk.sender.next()) == 4


@pytest.mark.norm("62")
def test_an_ltkm_that_credits_goes_again_as_it_was_and_nothing_overtakes_it(desk: Desk) -> None:
    desk.order(credits=True)
    desk.order_pull()
    ltkm = desk.sender.next()
    assert ltkm is not None
    assert [desk.sender.again() for _ in range(3)] == [ltkm] * 3
    assert desk.sender.next() is None
    desk.sender.answered(desk.answer(ltkm))
    assert counter_of(desk.sender.next()) == 2


def test_a_pull_waits_for_no_answer(desk: Desk) -> None:
    desk.order_pull()
    desk.order()
    assert [counter_of(desk.sender.next()) for _ in range(2)] == [1, 2]


def test_giving_up_lets_the_next_one_go(desk: Desk) -> None:
    desk.order(credits=True)
    desk.order()
    desk.sender.next()
    desk.sender.give_up()
    assert desk.sender.again() is None
    assert counter_of(desk.sender.next()) == 2


def test_a_wrong_answer_changes_nothing(desk: Desk) -> None:
    with pytest.raises(VerificationError, match="no LTKM waits"):
        desk.sender.answered(b"")
    desk.order()
    ltkm = desk.sender.next()
    assert ltkm is not None
    right = desk.answer(ltkm)
    with pytest.raises(VerificationError, match="MAC"):
        desk.sender.answered(right[:-1] + bytes((right[-1] ^ 1,)))
    assert desk.sender.next() is None
    desk.sender.answered(right)


def test_what_waits_has_a_bound_and_nothing_is_dropped(desk: Desk) -> None:
    for _ in range(1024):
        desk.order(credits=True)
    with pytest.raises(HeadendError, match="1024 LTKMs wait"):
        desk.order()
    assert counter_of(desk.sender.next()) == 1
    desk.order()
