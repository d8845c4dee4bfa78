"""Purchase items and tariffs, and the catalogue that finds them.

A purchase item is named by two identifiers, that of the PurchaseItem fragment and that of the PurchaseData fragment.
In a registration the two stand as one serviceID with nothing between them (OMA BCAST, change request on SPCP, clause
6.8.1). Such a text cannot be split: it is looked up, and a catalogue in which two items come to the same one is not
taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from host_tools.exchange.messages.provisioning import LARGEST_QUANTITY, Price, PurchaseItem
from host_tools.exchange.messages.tokens import PurseKind
from host_tools.headend.errors import HeadendError

MOST_ITEMS = 4096
LARGEST_AMOUNT = Decimal(10) ** 12 - 1
"""Of a price that a message can carry."""


class CatalogueError(HeadendError):
    """A catalogue that cannot be used; the text says why, a line for each mistake."""


class ItemKind(Enum):
    """How an item is sold; the value is the word for it in a catalogue."""

    SUBSCRIPTION = "subscription"
    ONCE = "once"
    TOKENS = "tokens"


KIND_WORDS: Mapping[ItemKind, str] = MappingProxyType(
    {ItemKind.SUBSCRIPTION: "period", ItemKind.ONCE: "once", ItemKind.TOKENS: "token"}
)
"""What the price of each kind is for, as Pricing Information says it; ours."""


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """So many tokens for a purse, of the key domain or key group that `service` belongs to."""

    purse: PurseKind
    quantity: int
    service: str


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """One purchase item.

    It gives the right to `services`. Their current keys follow as plain LTKMs, unless the item stands for an `offer` of
    a scenario: then what that offer plans is sent. `tokens` go to a purse of the card besides. A subscription lasts for
    `period`; without one there is no end. With `registration_required` the terminal is told to register by itself.
    What is `included` comes to some subscribers without being asked for, and is neither sold nor ended. What is
    `home_only` is not sold to subscribers of other networks, who roam (ours).
    """

    global_id: str
    data_id: str
    kind: ItemKind
    price: Price
    title: str = ""
    services: tuple[str, ...] = ()
    offer: str = ""
    tokens: TokenGrant | None = None
    period: timedelta | None = None
    registration_required: bool = False
    included: bool = False
    home_only: bool = False

    @property
    def service_id(self) -> str:
        """Its name in a registration: both identifiers, nothing between them."""
        return self.global_id + self.data_id

    @property
    def reference(self) -> PurchaseItem:
        """Its name in the messages of service provisioning."""
        return PurchaseItem(self.global_id, self.data_id or None)

    @property
    def priced(self) -> Price:
        """Its price, with what it is for."""
        return Price(self.price.amount, self.price.currency, KIND_WORDS[self.kind])


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one token of a purse costs where tokens are bought by number; `service` says of which domain or group."""

    purse: PurseKind
    service: str
    price: Price

    def cost(self, quantity: int) -> Price:
        """Return the price of so many tokens."""
        return Price(self.price.amount * quantity, self.price.currency, KIND_WORDS[ItemKind.TOKENS])


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long a terminal waits before it asks for a key, in seconds: `offset`, and a draw from 0 to `random` more.

    TS 26.346 clause 11.3 (offsetTime, randomTimePeriod).
    """

    offset: int = 0
    random: int = 0


class Catalogue:
    """All that is sold. `limit` is how much one subscriber may spend in all, None for no limit."""

    def __init__(
        self,
        items: Iterable[CatalogueItem],
        tariffs: Iterable[Tariff] = (),
        waiting: Waiting | None = None,
        limit: Decimal | None = None,
        home: str = "",
    ) -> None:
        """Take items and tariffs; `home` is the domain of the own subscribers' identities, those of others roam.

        Raises `CatalogueError` where two items come to the same serviceID, and for one that is `home_only` without it.
        """
        self.items = tuple(items)
        self.tariffs = tuple(tariffs)
        self.waiting = waiting or Waiting()
        self.limit = limit
        self._home = home
        for item in self.items:
            if item.home_only and not home:
                raise CatalogueError(f"{item.service_id} is for subscribers of the own network, and `home` names none")
        if len(self.items) > MOST_ITEMS:
            raise CatalogueError(f"a catalogue has at most {MOST_ITEMS} items, not {len(self.items)}")
        self._by_service_id: dict[str, CatalogueItem] = {}
        self._by_pair: dict[tuple[str, str], CatalogueItem] = {}
        for item in self.items:
            other = self._by_service_id.setdefault(item.service_id, item)
            if other is not item:
                raise CatalogueError(
                    f"two items come to the serviceID {item.service_id}: {other.global_id} with {other.data_id or '-'},"
                    f" and {item.global_id} with {item.data_id or '-'}"
                )
            self._by_pair[item.global_id, item.data_id] = item

    @property
    def included(self) -> tuple[str, ...]:
        """The serviceIDs of items that subscribers get without a purchase."""
        return tuple(item.service_id for item in self.items if item.included)

    def is_home(self, identity: str) -> bool:
        """Tell whether an identity (IMPI or NAI) is one of the own network."""
        domain = identity.rpartition("@")[2]
        return domain == self._home or domain.endswith(f".{self._home}")

    def find(self, service_id: str) -> CatalogueItem | None:
        """Return the item of a serviceID, None for one that is not sold."""
        return self._by_service_id.get(service_id)

    def find_reference(self, wanted: PurchaseItem) -> CatalogueItem | None:
        """Return the item that a message names.

        Without purchase data it must be the only one with this PurchaseItem, or have none itself.
        """
        if wanted.data_id is not None:
            return self._by_pair.get((wanted.global_id, wanted.data_id))
        if (wanted.global_id, "") in self._by_pair:
            return self._by_pair[wanted.global_id, ""]
        found = [item for item in self.items if item.global_id == wanted.global_id]
        return found[0] if len(found) == 1 else None

    def tariff(self, purse: PurseKind) -> Tariff | None:
        """Return what tokens of a purse cost by number; None where they are not sold so. The first tariff counts."""
        return next((one for one in self.tariffs if one.purse is purse), None)

    def services(self) -> Mapping[str, tuple[str, ...]]:
        """Return the services of the BSM behind each serviceID."""
        return {item.service_id: item.services for item in self.items}


def money(text: str, currency: str) -> Price:
    """Return a price. Raises `CatalogueError` for an amount that no message can carry."""
    amount = Decimal(text)
    if not 0 <= amount <= LARGEST_AMOUNT or amount != amount.quantize(Decimal("0.0001")):
        raise CatalogueError(f"a price is from 0 to {LARGEST_AMOUNT} with at most four decimals")
    return Price(amount, currency)


def most_tokens(already: int, more: int) -> int:
    """Return a balance after a grant; no purse holds more than 32 bits."""
    return min(already + more, LARGEST_QUANTITY)
