"""What a catalogue takes and finds, and what it says is wrong with a file."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from host_tools.exchange.messages.provisioning import Price, PurchaseItem
from host_tools.exchange.messages.tokens import PurseKind
from host_tools.headend.catalogue.files import load_catalogue, parse_catalogue
from host_tools.headend.catalogue.items import Catalogue, CatalogueError, CatalogueItem, ItemKind, TokenGrant, money
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.wares import default_catalogue, offers_of
from tests.unit.host_tools.headend.networks import small_scenario

FREE = Price(Decimal(0), "EUR")
GOOD = """
currency = "CHF"
limit = "100"
waiting = { offset = 5, random = 10 }

[[tariff]]
purse = "user"
service = "one"
price = "0.10"

[[item]]
id = "urn:example:item1"
data = "urn:example:data1"
title = "Service one, a month"
kind = "subscription"
days = 30
price = "4.99"
services = ["one", "two"]
registration_required = true

[[item]]
id = "urn:example:tokens"
kind = "tokens"
price = "2"
currency = "EUR"
tokens = { purse = "live", quantity = 20, service = "one" }

[[item]]
id = "urn:example:film"
kind = "once"
price = "1.50"
offer = "film"
"""


def read(text: str) -> Catalogue:
    return parse_catalogue(text, "c.toml", {"film": ("two",)}, ["one", "two"])


def item(global_id: str, data_id: str) -> CatalogueItem:
    return CatalogueItem(global_id, data_id, ItemKind.ONCE, FREE, services=("one",))


def test_a_file_is_read() -> None:
    found = read(GOOD)
    month, tokens, film = found.items
    assert month.period == timedelta(days=30)
    assert (month.price, month.services, month.registration_required) == (
        Price(Decimal("4.99"), "CHF"),
        ("one", "two"),
        True,
    )
    assert (tokens.tokens, tokens.price.currency) == (TokenGrant(PurseKind.LIVE, 20, "one"), "EUR")
    assert film.services == ("two",)
    assert (found.limit, found.waiting.offset, found.waiting.random) == (Decimal(100), 5, 10)
    tariff = found.tariff(PurseKind.USER)
    assert tariff is not None
    assert tariff.cost(7).amount == Decimal("0.70")
    assert found.tariff(PurseKind.PLAYBACK) is None


def test_who_is_at_home_is_told_by_the_domain() -> None:
    found = read(
        GOOD.replace('limit = "100"', 'home = "mnc001.org"').replace(
            'offer = "film"', 'offer = "film"\nhome_only = true'
        )
    )
    assert [one.home_only for one in found.items] == [False, False, True]
    identities = (
        "1@ims.mnc001.org",
        "1@mnc001.org",
        "1@othermnc001.org",
        "mnc001.org@elsewhere",
        "1@mnc001.org.elsewhere",
    )
    assert [found.is_home(one) for one in identities] == [True, True, False, False, False]


def test_an_item_is_looked_up_and_never_split() -> None:
    """`ab` with `c` is sold and `a` with `bc` is not, though both come to the serviceID `abc`."""
    found = Catalogue([item("ab", "c")])
    assert found.find("abc") is found.items[0]
    assert found.find_reference(PurchaseItem("ab", "c")) is found.items[0]
    assert found.find_reference(PurchaseItem("a", "bc")) is None
    with pytest.raises(CatalogueError, match="two items come to the serviceID abc"):
        Catalogue([item("ab", "c"), item("a", "bc")])


def test_an_item_without_purchase_data_must_be_the_only_one() -> None:
    found = Catalogue([item("a", "1"), item("a", "2"), item("b", "1"), item("c", ""), item("c", "1")])
    assert found.find_reference(PurchaseItem("a")) is None
    assert found.find_reference(PurchaseItem("b")) is found.items[2]
    assert found.find_reference(PurchaseItem("c")) is found.items[3]
    assert found.services()["a1"] == ("one",)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('price = "4.99"', 'price = "4,99"', "c.toml:17: item.price: '4,99' is not allowed; an amount such as"),
        ('price = "4.99"', "price = 4.99", "item.price: 4.99 is not allowed"),
        ("days = 30", "days = 0", "item.days: 0 is not allowed"),
        ("days = 30", "", "item.days: a subscription lasts for so many days"),
        ("days = 30", "days = 30\nseconds = 5", "item.seconds: give either days or seconds"),
        ('kind = "once"', 'kind = "once"\ndays = 2', "item.days: only a subscription has an end"),
        ('offer = "film"', 'offer = "flim"', "item.offer: the scenario has no offer flim; it has film"),
        ('["one", "two"]', '["one", "three"]', "item.services: a list of at most 64 of one, two is wanted"),
        ('["one", "two"]', '"one"', "item.services: a list"),
        ('["one", "two"]', "[]", "item.services: an item brings services, an offer or tokens"),
        ('id = "urn:example:film"', 'id = "urn:example:item1urn:example:data1"', "another item comes to the serviceID"),
        ("quantity = 20", "quantity = 0", "item.tokens.quantity: 0 is not allowed"),
        ("quantity = 20", "quantity = 20, amount = 1", "item.tokens.amount: is not a field"),
        ('purse = "user"', 'purse = "own"', "c.toml:7: tariff.purse: 'own' is not allowed"),
        ("random = 10", "random = 86401", "waiting.random: 86401 is not allowed"),
        ('tokens = { purse = "live", quantity = 20, service = "one" }', 'services = ["one"]', "item.tokens: an item"),
        ('limit = "100"', "limit = 100", "limit: 100 is not allowed"),
        ("[[item]]", "[[itme]]", "itme: is not a field of this table; did you mean item?"),
        ("[[tariff]]", "[tariff]", "tariff: an array of at most 16 tables"),
        ('id = "urn:example:film"', 'id = "urn:a b"', "item.id: 'urn:a b' is not allowed; a URI"),
        (
            'offer = "film"',
            'offer = "film"\nhome_only = true',
            "item.home_only: the catalogue does not say who is at home",
        ),
        ('limit = "100"', 'home = "@here"', "home: '@here' is not allowed; a domain of identities"),
        ('currency = "CHF"', "currency =", "c.toml:2: "),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    with pytest.raises(CatalogueError) as refused:
        read(GOOD.replace(old, new))
    assert complaint in re.sub(r"\[\d\]", "", str(refused.value))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"no\.toml"):
        load_catalogue(tmp_path / "no.toml", {}, ())


def test_amounts_that_no_message_carries() -> None:
    assert money("1.5", "EUR").amount == Decimal("1.5")
    for text in ("1.00001", "-1", "1000000000000"):
        with pytest.raises(CatalogueError, match="at most four decimals"):
            money(text, "EUR")


def test_a_scenario_without_a_catalogue_has_one() -> None:
    small = default_catalogue(small_scenario())
    assert [one.title for one in small.items] == ["one", "two", "one, a month", "two, a month", "all services, a month"]
    assert [one.included for one in small.items] == [True, True, False, False, False]
    subscribe = shipped_scenario("subscribe")
    assert offers_of(subscribe) == {"sport-month": ("sport",)}
    titles = [one.title for one in default_catalogue(subscribe).items]
    assert titles == ["news", "news, a month", "sport-month"]  # sport is for sale by its offer only
    tokens = default_catalogue(shipped_scenario("pay_per_time")).items[-1]
    assert (tokens.kind, tokens.offer) == (ItemKind.TOKENS, "ten-tokens")
