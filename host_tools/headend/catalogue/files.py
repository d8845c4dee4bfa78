"""Reads a catalogue from TOML (docs/user/network.md) and says everything that is wrong with one, line by line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from card.disk.kinds import CATALOGUE
from card.disk.reading import read_text
from card.disk.toml import NotToml, parse_toml
from card.errors import UnusableFile
from host_tools.exchange.messages.provisioning import LARGEST_QUANTITY, Price
from host_tools.exchange.messages.tokens import PurseKind
from host_tools.headend.catalogue.items import (
    MOST_ITEMS,
    Catalogue,
    CatalogueError,
    CatalogueItem,
    ItemKind,
    Tariff,
    TokenGrant,
    Waiting,
)
from host_tools.headend.toml_table import Problems, TomlTable

_MOST_TARIFFS = 16
_MOST_SECONDS = 86_400
_MOST_DAYS = 3650
_MOST_SERVICES = 64
_URI = r"[!-;=?-~]{1,256}"
_URI_WORDS = "a URI of 1 to 256 characters without spaces"
_AMOUNT = r"[0-9]{1,12}(\.[0-9]{1,4})?"
_AMOUNT_WORDS = 'an amount such as "4.99", with at most four decimals'
_CURRENCY = r"[A-Z]{3}"
_DOMAIN = r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"
_DOMAIN_WORDS = "a domain of identities, such as mnc001.mcc001.3gppnetwork.org"
_OFFER = r"[a-z0-9][a-z0-9._-]{0,31}"
_PURSES = [purse.value for purse in PurseKind]


def load_catalogue(path: Path, offers: Mapping[str, Collection[str]], services: Collection[str]) -> Catalogue:
    """Read a catalogue file. Raises `CatalogueError`.

    `services` are those of the network, and `offers` its offers with the services of each.
    """
    try:
        return parse_catalogue(read_text(path, CATALOGUE), str(path), offers, services)
    except UnusableFile as error:
        raise CatalogueError(str(error)) from None


def parse_catalogue(
    text: str, name: str, offers: Mapping[str, Collection[str]], services: Collection[str]
) -> Catalogue:
    """Read the text of a catalogue that goes by `name`. Raises `CatalogueError`."""
    try:
        data = parse_toml(text)
    except NotToml as error:
        raise CatalogueError(f"{name}:{error.line}: {error.reason}") from None
    problems = Problems()
    reader = _Reader(offers, sorted(services))
    catalogue = reader.catalogue(TomlTable(data, "", problems))
    if problems or catalogue is None:
        raise CatalogueError(f"{name} is not a catalogue that can be used:\n{problems.text(name, text)}")
    return catalogue


class _Reader:
    """Reads one catalogue for a network with these offers and services."""

    def __init__(self, offers: Mapping[str, Collection[str]], services: list[str]) -> None:
        self._offers = offers
        self._services = services
        self._currency = "EUR"
        self._home = ""

    def catalogue(self, root: TomlTable) -> Catalogue | None:
        self._currency = root.text("currency", _CURRENCY, "three capital letters", "EUR")
        limit = root.text("limit", _AMOUNT, _AMOUNT_WORDS, "")
        self._home = root.text("home", _DOMAIN, _DOMAIN_WORDS, "")
        waiting = self._waiting(root.table("waiting"))
        tariffs = [self._tariff(table) for table in root.tables("tariff", _MOST_TARIFFS)]
        items: dict[str, CatalogueItem] = {}
        for table, item in self._items(root):
            if item.service_id in items:
                table.complain("id", f"another item comes to the serviceID {item.service_id} already")
            items[item.service_id] = item
        if not items and "item" not in root:
            root.complain("item", "a catalogue has one table [[item]] at least")
        root.finish()
        if not items or any(item.home_only and not self._home for item in items.values()):
            return None
        return Catalogue(items.values(), tariffs, waiting, Decimal(limit) if limit else None, self._home)

    def _waiting(self, table: TomlTable) -> Waiting:
        waiting = Waiting(table.whole("offset", 0, _MOST_SECONDS, 0), table.whole("random", 0, _MOST_SECONDS, 0))
        table.finish()
        return waiting

    def _tariff(self, table: TomlTable) -> Tariff:
        tariff = Tariff(
            purse=PurseKind(table.choice("purse", _PURSES)),
            service=table.choice("service", self._services),
            price=self._price(table),
        )
        table.finish()
        return tariff

    def _items(self, root: TomlTable) -> Iterator[tuple[TomlTable, CatalogueItem]]:
        for table in root.tables("item", MOST_ITEMS):
            kind = ItemKind(table.choice("kind", [kind.value for kind in ItemKind], ItemKind.SUBSCRIPTION.value))
            days = table.optional_whole("days", 1, _MOST_DAYS)
            seconds = table.optional_whole("seconds", 1, _MOST_DAYS * _MOST_SECONDS)
            offer = table.text("offer", _OFFER, "the name of an offer of the scenario", "")
            item = CatalogueItem(
                global_id=table.text("id", _URI, _URI_WORDS),
                data_id=table.text("data", _URI, _URI_WORDS, ""),
                kind=kind,
                price=self._price(table),
                title=table.text("title", r"[^\x00-\x1f]{1,64}", "a text of 1 to 64 characters", ""),
                services=self._services_of(table, offer),
                offer=offer,
                tokens=self._grant(table.table("tokens")) if "tokens" in table else None,
                period=_period(days, seconds),
                registration_required=table.flag("registration_required"),
                home_only=table.flag("home_only"),
            )
            self._check(table, item, days is not None and seconds is not None)
            table.finish()
            yield table, item

    def _services_of(self, table: TomlTable, offer: str) -> tuple[str, ...]:
        found = table.choices("services", self._services, _MOST_SERVICES)
        return tuple(dict.fromkeys((*found, *self._offers.get(offer, ()))))

    def _grant(self, table: TomlTable) -> TokenGrant:
        grant = TokenGrant(
            purse=PurseKind(table.choice("purse", _PURSES)),
            quantity=table.whole("quantity", 1, LARGEST_QUANTITY),
            service=table.choice("service", self._services),
        )
        table.finish()
        return grant

    def _price(self, table: TomlTable) -> Price:
        amount = table.text("price", _AMOUNT, _AMOUNT_WORDS, "0")
        return Price(Decimal(amount or "0"), table.text("currency", _CURRENCY, "three capital letters", self._currency))

    def _check(self, table: TomlTable, item: CatalogueItem, period_twice: bool) -> None:
        """Note what each field allows but all of them together do not."""
        if item.offer and item.offer not in self._offers:
            known = ", ".join(sorted(self._offers)) or "none"
            table.complain("offer", f"the scenario has no offer {item.offer}; it has {known}")
        if not item.services and item.tokens is None:
            table.complain("services", "an item brings services, an offer or tokens")
        if item.kind is ItemKind.TOKENS and item.tokens is None and not item.offer:
            table.complain("tokens", "an item of the kind tokens has a table tokens, or an offer")
        if item.kind is ItemKind.SUBSCRIPTION and item.period is None:
            table.complain("days", "a subscription lasts for so many days or seconds")
        if item.kind is not ItemKind.SUBSCRIPTION and item.period is not None:
            table.complain("days", "only a subscription has an end")
        if item.home_only and not self._home:
            table.complain("home_only", 'the catalogue does not say who is at home: home = "DOMAIN" is wanted')
        if period_twice:
            table.complain("seconds", "give either days or seconds")


def _period(days: int | None, seconds: int | None) -> timedelta | None:
    if days is None and seconds is None:
        return None
    return timedelta(days=days or 0, seconds=seconds or 0)
