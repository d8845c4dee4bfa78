"""What is sold in the tests of flows."""

from __future__ import annotations

from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.headend.catalogue.files import parse_catalogue
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.reading import parse_scenario
from host_tools.headend.scenario.wares import offers_of
from tests.unit.host_tools.headend.networks import SMALL

_MORE = """
[[service]]
id = "pay"
key_group = 3
address = "239.1.1.3"

[service.bcast]
protection_after_reception = 3

[[delivery]]
service = "pay"
offer = "film"
spe = 0x4

[[delivery]]
kind = "tokens"
service = "pay"
offer = "ten-tokens"
spe = 0x2
tokens = 10
add = true
"""
_ITEMS = """
waiting = { offset = 1, random = 2 }

[[tariff]]
purse = "user"
service = "pay"
price = "0.10"

[[item]]
id = "urn:example:item1"
data = "urn:example:data1"
days = 30
price = "4.99"
services = ["one"]

[[item]]
id = "urn:example:both"
data = "urn:example:data2"
days = 30
price = "7.99"
services = ["one", "two"]

[[item]]
id = "urn:example:asked"
data = "urn:example:data3"
days = 30
price = "5"
services = ["one"]
registration_required = true

[[item]]
id = "urn:example:film"
data = "urn:example:once"
kind = "once"
price = "1.50"
offer = "film"

[[item]]
id = "urn:example:film-asked"
data = "urn:example:once"
kind = "once"
price = "1.50"
offer = "film"
registration_required = true

[[item]]
id = "urn:example:tokens"
data = "urn:example:ten"
kind = "tokens"
price = "2"
offer = "ten-tokens"
"""
SCENARIO, CATALOGUE = SMALL + _MORE, _ITEMS
"""Both as they stand in files."""
ITEM1 = PurchaseItem("urn:example:item1", "urn:example:data1")
BOTH = PurchaseItem("urn:example:both", "urn:example:data2")
ASKED = PurchaseItem("urn:example:asked", "urn:example:data3")
FILM = PurchaseItem("urn:example:film", "urn:example:once")
FILM_ASKED = PurchaseItem("urn:example:film-asked", "urn:example:once")
TOKENS = PurchaseItem("urn:example:tokens", "urn:example:ten")
UNKNOWN = PurchaseItem("urn:example:nothing", "urn:example:data1")


def scenario() -> Scenario:
    """Two plain services, and one with policies and tokens."""
    return parse_scenario(SCENARIO, "flows.toml")


def catalogue(*, more: str = "") -> Catalogue:
    """Return the catalogue; `more` is put in front of it."""
    plan = scenario()
    return parse_catalogue(more + CATALOGUE, "catalogue.toml", offers_of(plan), [one.id for one in plan.services])
