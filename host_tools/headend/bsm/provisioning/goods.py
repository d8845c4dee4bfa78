"""What things that are sold come to as LTKMs: the port between selling and whoever makes policies and tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from host_tools.exchange.messages.tokens import KeyWish, PurseKind
from host_tools.headend.bsm.orders import Order
from host_tools.headend.catalogue.items import CatalogueItem


@dataclass(frozen=True, slots=True)
class Credit:
    """Tokens for a purse of a key domain (3 bytes)."""

    purse: PurseKind
    key_domain_id: bytes
    quantity: int


@dataclass(frozen=True, slots=True)
class Brought:
    """The LTKMs of something, in the order in which they are to be sent, and the tokens in them."""

    orders: tuple[Order, ...] = ()
    credits: tuple[Credit, ...] = ()


class Goods(Protocol):
    """Knows the LTKMs behind items, tokens and keys."""

    def of_item(self, item: CatalogueItem, about: KeyWish | None = None, /) -> Brought:
        """Return what the purchase of an item brings now, or for the time `about` which a key is.

        Raises `HeadendError`.
        """

    def again(
        self, item: CatalogueItem, sent: Collection[Order] = (), about: KeyWish | None = None, /
    ) -> tuple[Order, ...]:
        """Return the LTKMs that bring the keys of an item once more, and no credit; not those that are `sent` anyway.

        They are for now, or for the time `about` which a key is. Raises `HeadendError`.
        """

    def of_tokens(self, service: str, purse: PurseKind, quantity: int, /) -> Brought:
        """Return what brings tokens to the purse of a service's domain or group. Raises `HeadendError`."""

    def with_key(self, items: Iterable[CatalogueItem], wish: KeyWish, /) -> tuple[CatalogueItem, ...]:
        """Return the items that do something about a key, for all STKM timestamps that are wanted."""

    def is_counted(self, item: CatalogueItem, wish: KeyWish, /) -> bool:
        """Tell whether an item has a policy for a key that is paid from a counter of the key itself."""
