"""The profile's switch for terminals that look for the PIN status template in the FCP of an EF."""

from __future__ import annotations

from card.codec.fcp import Fcp
from tests.support.platform_cards import platform_card
from tests.support.testcard import SELECT_USIM


def test_off_as_the_standard_has_it() -> None:
    card = platform_card()
    card.ok(SELECT_USIM)
    assert Fcp.decode(card.ok("00A40004026F07")).pins == ()


def test_on() -> None:
    card = platform_card(pins_in_every_fcp=True)
    adf = Fcp.decode(card.ok(SELECT_USIM.replace("040C", "0404")))
    imsi = Fcp.decode(card.ok("00A40004026F07"))
    assert [pin.reference for pin in imsi.pins] == [pin.reference for pin in adf.pins]
    assert {0x01, 0x81} <= {pin.reference for pin in imsi.pins}
    assert (imsi.file_size, imsi.sfi) == (9, 7)


def test_it_follows_the_pins() -> None:
    card = platform_card(pins_in_every_fcp=True).ready()
    card.ok("0026000108", b"1234".ljust(8, b"\xff"))
    pins = {pin.reference: pin.enabled for pin in Fcp.decode(card.ok("00A40004026F07")).pins}
    assert pins[0x01] is False


def test_an_old_card_keeps_its_answers() -> None:
    card = platform_card(pins_in_every_fcp=True)
    assert Fcp.decode(card.reopened().ok("00A40004022FE2")).pins, "the switch is part of the card"
