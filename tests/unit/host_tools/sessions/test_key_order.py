"""Which LTKMs may come before their turn: none that pushes out a key which the stream has not left."""

from __future__ import annotations

from host_tools.exchange.messages.msk import MskName
from host_tools.sessions.key_order import KeyOrder

DOMAIN = bytes.fromhex("00f110")


def key(number: int, group: int = 1) -> MskName:
    return MskName(DOMAIN, group.to_bytes(2, "big") + number.to_bytes(2, "big"))


def test_an_ltkm_waits_while_the_key_that_it_pushes_out_is_in_use() -> None:
    order = KeyOrder()
    order.took([key(1), key(2)])
    order.heard(key(1))
    assert not order.may_come_early(key(3))
    order.heard(key(2))
    assert order.may_come_early(key(3))


def test_what_the_card_held_before_is_not_known_so_everything_waits() -> None:
    order = KeyOrder()
    assert not order.may_come_early(key(1))
    order.took([key(1)])
    order.heard(key(1))
    assert not order.may_come_early(key(2))


def test_a_missing_key_and_one_that_comes_again_are_taken_at_once() -> None:
    order = KeyOrder()
    order.took([key(1), key(2)])
    order.missing = key(7)
    assert order.may_come_early(key(7))
    assert order.may_come_early(key(2))
    order.took([key(7)])  # so that keys 2 and 7 are there
    order.heard(key(2))
    assert not order.may_come_early(key(8))


def test_groups_do_not_hold_each_other_up_and_their_number_is_bounded() -> None:
    order = KeyOrder()
    order.took([key(1), key(2)])
    order.heard(key(2))
    assert not order.may_come_early(key(3, group=2))
    order.took(key(1, group=number) for number in range(2, 200))
    assert not order.may_come_early(key(3))  # forgotten, so it waits
