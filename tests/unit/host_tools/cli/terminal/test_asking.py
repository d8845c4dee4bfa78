"""What a command of a terminal says of keys that came or did not, and of what is sold."""

from __future__ import annotations

import json

import pytest

from card.codec.mikey import MbmsKeyIds
from host_tools.cli.exits import CliError, ExitCode
from host_tools.cli.terminal.asking import require_keys
from host_tools.cli.terminal.offers import show_offers
from host_tools.cli.terminal.replies import show_reply
from host_tools.exchange.messages.pricing import PricedItem, PricingAnswer
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.registration import RegistrationAnswer, ServiceCode
from host_tools.sessions.online.asking import Offer, Reply
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict


def reply(status: int) -> Reply:
    return Reply("b-tid", RegistrationAnswer((ServiceCode("urn:x", status),)))


def test_granted_keys_that_do_not_come_are_an_error() -> None:
    with pytest.raises(CliError, match=r"no LTKM came within 0.2 s") as raised:
        require_keys(reply(200), 0.2)
    assert raised.value.exit_code == ExitCode.DIFFERENT


def test_nothing_is_awaited_where_nothing_was_granted() -> None:
    require_keys(reply(403), 0.2)


def test_each_ltkm_says_which_key_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    ids = MbmsKeyIds(bytes.fromhex("00f110"), bytes.fromhex("00010002"))
    taken = LtkmReceipt(LtkmVerdict.TAKEN, ids=ids)
    answered = Reply("b-tid", RegistrationAnswer((ServiceCode("urn:x", 200),)), (taken,))
    show_reply("Registration", answered, as_json=False)
    assert "LTKM 00f110/00010002" in capsys.readouterr().out
    show_reply("Registration", answered, as_json=True)
    assert json.loads(capsys.readouterr().out)["ltkms"][0]["key"] == "00f110/00010002"


def test_what_is_sold_has_the_shortest_name_that_buys_it_in_one_piece(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    alone, month, year = "urn:x-bcast-uicc:item:all-services", "urn:news,urn:month", "urn:news,urn:year"
    items = [one.split(",") for one in (f"{alone},urn:x-bcast-uicc:data:month", month, year)]
    title = "a title that the table has to break in order to hold it"
    priced = tuple(PricedItem(PurchaseItem(item, data), title=title) for item, data in items)
    offers = [Offer.of(one, None) for one in priced]
    show_offers(Reply("b-tid", PricingAnswer("1", priced)), offers, as_json=False)
    shown = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [cells[1].strip() for cells in shown if cells[1].strip()] == [alone, month, year]
    assert {len(cells) for cells in shown} == {7}  # five columns, none of them cut off
