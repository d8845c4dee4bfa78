"""Events become calls, and nothing the card does leaves vpcd without its answer."""

from __future__ import annotations

import pytest

from tests.unit.vpicc_bridge.fakes import DiaryCard, Notebook
from vpicc_bridge.adapter import EMPTY_ATR, CardAdapter
from vpicc_bridge.notices import CardFault
from vpicc_bridge.protocol import ApduReceived, Control

SELECT = ApduReceived(bytes.fromhex("00a40000"))


def test_controls_become_calls() -> None:
    card = DiaryCard()
    adapter = CardAdapter(card, Notebook())
    answers = [adapter.handle(event) for event in (Control.POWER_ON, Control.RESET, SELECT, Control.POWER_OFF)]
    assert card.diary == ["on", "reset", "00a40000", "off"]
    assert answers == [None, None, bytes.fromhex("00a400009000"), None]


def test_the_atr_request_changes_nothing() -> None:
    card = DiaryCard()
    adapter = CardAdapter(card, Notebook())
    assert adapter.handle(Control.ATR_REQUEST) == b"\x3b\x01\x77"
    assert card.diary == []


@pytest.mark.parametrize("event", [SELECT, Control.RESET])
def test_a_card_without_power_gets_it_first(event: ApduReceived | Control) -> None:
    card = DiaryCard()
    CardAdapter(card, Notebook()).handle(event)
    assert card.diary[0] == "on"


def test_an_exception_is_answered_and_its_text_withheld() -> None:
    card, notebook = DiaryCard(ValueError("K = 00112233")), Notebook()
    adapter = CardAdapter(card, notebook)
    assert adapter.handle(SELECT) == b"\x6f\x00"
    assert adapter.handle(Control.ATR_REQUEST) == EMPTY_ATR
    for control in (Control.POWER_ON, Control.RESET, Control.POWER_OFF):
        assert adapter.handle(control) is None
    faults = ["power_on", "transmit", "atr", "power_on", "reset", "power_off"]
    assert notebook.notices == [CardFault(call, "ValueError") for call in faults]
    assert "00112233" not in "".join(map(str, notebook.notices))


@pytest.mark.parametrize("response", [b"", b"\x90", bytes(65_536)])
def test_a_response_that_cannot_be_sent_becomes_6f00(response: bytes) -> None:
    class BadCard(DiaryCard):
        def transmit(self, apdu: bytes, /) -> bytes:
            return response

    assert CardAdapter(BadCard(), Notebook()).handle(SELECT) == b"\x6f\x00"


@pytest.mark.parametrize("atr", [b"", b"\x3b"])
def test_an_atr_that_cannot_be_sent_becomes_the_shortest_one(atr: bytes) -> None:
    class BadCard(DiaryCard):
        @property
        def atr(self) -> bytes:
            return atr

    assert CardAdapter(BadCard(), Notebook()).handle(Control.ATR_REQUEST) == EMPTY_ATR
