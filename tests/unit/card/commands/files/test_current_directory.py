"""Keys are used in the ADF of their application or below it only (TS 31.102 clause 7.1.1, TS 31.122 clause 7.3.1)."""

from __future__ import annotations

import pytest

from tests.support.csim import SELECT_CSIM, csim_card
from tests.support.network import rand, vector
from tests.support.platform_cards import platform_card
from tests.support.profiles import NESTED_DF, PIN1
from tests.support.testcard import TestCard, lv, tlv

ISIM = "A0000000871004"
GOOD = lv(bytes.fromhex("23553cbe9637a89d218ae64dae47bf35"), bytes(16))
COMMANDS = {
    "GSM": "0088008011" + GOOD[:17].hex(),
    "3G": "0088008122" + GOOD.hex(),
    "VGCS/VBS": "0088008209" + lv(bytes(4), b"\x01", b"\x01").hex(),
    "GBA bootstrapping": "0088008423DD" + GOOD.hex(),
    "NAF derivation": "008800840BDE" + lv(b"naf.", b"impi").hex(),
    "MBMS": "008980850853060300F1100001",
    "local key": "00898086" + "04" + tlv(0x73, b"\x80\x00").hex(),
    "first block": "00898085025310",
    "OMA BCAST": "001B8002027300",
    "next block": "00890085027300",
}


@pytest.fixture
def card() -> TestCard:
    return platform_card()


@pytest.mark.norm("7")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_outside_the_adf(card: TestCard, command: str) -> None:
    """At the MF and in DF_TELECOM, with the PIN verified and the application current: refused, and nothing is spent."""
    card.ready()
    for directory in ("3F00", "7F10"):
        card.ok("00A4000C02" + directory)
        card.refused("6985", command)


@pytest.mark.norm("7")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_before_the_pin_and_the_services(command: str) -> None:
    """Where nothing was selected at all there is no application whose PIN or services could be asked for."""
    platform_card().refused("6985", command)


@pytest.mark.norm("7")
def test_below_the_adf(card: TestCard) -> None:
    card.ready()
    card.ok(f"00A4000C02{NESTED_DF:04X}")
    assert card.exchange(COMMANDS["GSM"]).sw == "9000"
    card.refused("9862", COMMANDS["3G"])


@pytest.mark.norm("7")
def test_the_adf_of_another_application_is_not_it(card: TestCard) -> None:
    card.ready()
    card.ok("00A4040C07" + ISIM)
    card.ok("00A4000C023F00")
    card.refused("6985", COMMANDS["GBA bootstrapping"])


@pytest.mark.norm("7")
def test_no_sqn_is_spent(card: TestCard) -> None:
    good = "0088008122" + lv(rand(1), vector(1, rand(1))["autn"]).hex()
    card.ready()
    card.ok("00A4000C023F00")
    card.refused("6985", good)
    card.ok("00A4000C027FFF")
    assert card.exchange(good).data.startswith("DB")
    assert card.exchange(good).data.startswith("DC"), "the number is spent now"


@pytest.mark.norm("7")
def test_bcmcs() -> None:
    card = csim_card()
    card.ok(SELECT_CSIM)
    assert card.verify(0x01, PIN1).sw == "9000"
    card.ok("00A4000C023F00")
    card.refused("6985", "0058000003800101")
