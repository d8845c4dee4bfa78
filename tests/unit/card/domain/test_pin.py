"""The rules of PINs: tries, blocking, unblocking, and when a try is paid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from card.crypto.secret import Secret
from card.domain.pin import (
    PinBlocked,
    PinDisabled,
    PinNotFound,
    PinTable,
    PinWrong,
    StoredPin,
    is_administrative,
    pin_name,
)
from card.errors import CardError
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore
from tests.support.faulty_store import FaultyStore, PowerCut

RIGHT, WRONG, NEW, PUK = b"1234\xff\xff\xff\xff", b"9999\xff\xff\xff\xff", b"4321\xff\xff\xff\xff", b"12345678"
RECORD = StoredPin(0x01, Secret(RIGHT), 3, 3, True, Secret(PUK), 10, 10)
NAME = "01"


def table_of(record: StoredPin = RECORD) -> tuple[PinTable, NonVolatile]:
    nv = NonVolatile(MemoryStore())
    table = PinTable(nv)
    table.add("USIM", record)
    nv.commit()
    return table, nv


def fail(action: Callable[[], None], nv: NonVolatile) -> CardError:
    """Run an action that must fail, then roll back as the card does; return the error."""
    with pytest.raises(CardError) as caught:
        action()
    nv.rollback()
    return caught.value


def test_names() -> None:
    assert pin_name(0x01, "USIM") == pin_name(0x01, "ISIM") == "01"
    assert pin_name(0x81, "USIM") == "USIM:81"


@pytest.mark.parametrize("reference", range(256))
def test_administrative_references(reference: int) -> None:
    expected = 0x0A <= reference <= 0x0E or 0x8A <= reference <= 0x8E
    assert is_administrative(reference) is expected


def test_right_value_gives_all_tries_back() -> None:
    table, nv = table_of(replace(RECORD, tries_left=1))
    table.verify(NAME, RIGHT)
    nv.commit()
    assert table.find(NAME).tries_left == 3


def test_wrong_values_count_down_to_blocked() -> None:
    table, nv = table_of()
    for left in (2, 1, 0):
        error = fail(lambda: table.verify(NAME, WRONG), nv)
        assert isinstance(error, PinWrong)
        assert error.tries_left == left
    assert isinstance(fail(lambda: table.verify(NAME, RIGHT), nv), PinBlocked)
    assert table.find(NAME).tries_left == 0


@pytest.mark.parametrize("value", [RIGHT, WRONG])
def test_the_try_is_paid_before_the_comparison(value: bytes) -> None:
    """With the power cut right after the try was taken, the right and the wrong value leave the same card behind."""
    inner = MemoryStore()
    PinTable(nv := NonVolatile(inner)).add("USIM", RECORD)
    nv.commit()
    table = PinTable(NonVolatile(FaultyStore(inner, 1, before=False)))
    with pytest.raises(PowerCut):
        table.verify(NAME, value)
    assert PinTable(NonVolatile(inner)).find(NAME) == replace(RECORD, tries_left=2)


def test_change() -> None:
    table, nv = table_of(replace(RECORD, tries_left=2))
    table.change(NAME, RIGHT, NEW)
    assert table.find(NAME) == replace(RECORD, value=Secret(NEW))
    assert isinstance(fail(lambda: table.change(NAME, WRONG, NEW), nv), PinWrong)


def test_disable_and_enable() -> None:
    table, nv = table_of()
    table.set_enabled(NAME, RIGHT, enabled=False)
    nv.commit()
    assert isinstance(fail(lambda: table.verify(NAME, RIGHT), nv), PinDisabled)
    assert isinstance(fail(lambda: table.change(NAME, RIGHT, NEW), nv), PinDisabled)
    assert isinstance(fail(lambda: table.set_enabled(NAME, RIGHT, enabled=False), nv), PinDisabled)
    assert isinstance(fail(lambda: table.set_enabled(NAME, WRONG, enabled=True), nv), PinWrong)
    table.set_enabled(NAME, RIGHT, enabled=True)
    assert table.find(NAME) == RECORD


def test_unblock_resets_everything() -> None:
    table, _ = table_of(replace(RECORD, tries_left=0, puk_tries_left=4, enabled=False))
    table.unblock(NAME, PUK, NEW)
    assert table.find(NAME) == replace(RECORD, value=Secret(NEW))


def test_wrong_puks_count_down_to_blocked_for_good() -> None:
    table, nv = table_of(replace(RECORD, tries_left=0, puk_tries_left=2))
    for left in (1, 0):
        error = fail(lambda: table.unblock(NAME, WRONG, NEW), nv)
        assert isinstance(error, PinWrong)
        assert error.tries_left == left
    assert isinstance(fail(lambda: table.unblock(NAME, PUK, NEW), nv), PinBlocked)
    assert table.find(NAME).value == Secret(RIGHT)


def test_a_pin_without_puk_cannot_be_unblocked() -> None:
    table, nv = table_of(replace(RECORD, puk=None))
    assert isinstance(fail(lambda: table.unblock(NAME, PUK, NEW), nv), PinNotFound)


def test_unknown_pin() -> None:
    table, nv = table_of()
    assert isinstance(fail(lambda: table.verify("02", RIGHT), nv), PinNotFound)


def test_which_pins_matter_in_an_application() -> None:
    table, _ = table_of()
    table.add("USIM", replace(RECORD, reference=0x81))
    table.add("ISIM", replace(RECORD, reference=0x82))
    table.add("USIM", replace(RECORD, reference=0x0A))
    assert [pin.reference for pin in table.of_application("USIM")] == [0x01, 0x81]
    assert [pin.reference for pin in table.of_application("ISIM")] == [0x01, 0x82]
    assert [pin.reference for pin in table.of_application("")] == [0x01]


def test_an_error_shows_no_value() -> None:
    table, nv = table_of()
    assert "1234" not in f"{fail(lambda: table.verify(NAME, WRONG), nv)!r} {table.find(NAME)!r}"
