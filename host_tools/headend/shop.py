"""Where a terminal in the same process buys what its card lacks: the Token Purchase Request of OMA BCAST as a call.

Over a wire the same is HTTP under the SRK (`http.provisioning`). Both stand on the same catalogue and the same sales.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from host_tools.exchange.messages.tokens import KeyWish
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.ports import Rights
from host_tools.headend.bsm.provisioning.goods import Goods
from host_tools.headend.bsm.provisioning.sales import Sales
from host_tools.headend.catalogue.items import CatalogueItem
from host_tools.headend.errors import HeadendError

_SALES_OF_A_SUBSCRIBER = 256
_SALES_IN_ALL = 1_000_000
_MSK_ID = 4  # bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be bought: its name, the service, and how many LTKMs it brings."""

    id: str
    service: str
    ltkms: int


class StkmNames(Protocol):
    """What the shop must know of a refused STKM."""

    @property
    def long_term_key(self) -> bytes:
        """The name of the SEK or PEK that it came under: key domain (3 bytes) and MSK ID (4)."""


class Shop:
    """Sells the items that stand for an offer, and hands their LTKMs over; `sold` counts the offers sold by name."""

    def __init__(
        self,
        sales: Sales,
        goods: Goods,
        rights: Rights,
        identity: Callable[[str], str],
        mint: Callable[[Order, str], bytes],
    ) -> None:
        """Take what sells, what things come to as LTKMs, where rights are noted, whose a B-TID is, and the mint."""
        self._sales = sales
        self._goods = goods
        self._rights = rights
        self._identity = identity
        self._mint = mint
        self._sold_to: BoundedTable[tuple[str, str], int] = BoundedTable(_SALES_OF_A_SUBSCRIBER, _SALES_IN_ALL)
        self.sold: Counter[str] = Counter()

    def offers(self, key_domain_id: bytes | None = None, msk_id: bytes | None = None) -> tuple[Offer, ...]:
        """Return the offers for a SEK (key domain 3 bytes, MSK ID 4), or all of them."""
        items = [item for item in self._sales.catalogue.items if item.offer]
        if key_domain_id is not None and msk_id is not None:
            items = list(self._goods.with_key(items, KeyWish(key_domain_id + msk_id)))
        return tuple(
            Offer(item.offer, service, len(self._goods.of_item(item).orders))
            for item in items
            for service in item.services
        )

    def buy(self, offer: str, b_tid: str) -> tuple[bytes, ...]:
        """Sell an offer to the subscriber behind `b_tid` and return its LTKMs. Raises `HeadendError`."""
        item, identity = self._item(offer), self._identity(b_tid)
        count = self.sold_to(b_tid, offer) + 1
        sold = self._sales.buy(identity, item, f"{offer} {count}")
        ltkms = tuple(self._mint(order, b_tid) for order in sold.orders)
        for service in item.services:
            self._rights.grant(identity, service)
        self.sold[offer] += 1
        self._sold_to.put(identity, (identity, offer), count)
        return ltkms

    def sold_to(self, b_tid: str, offer: str) -> int:
        """Return how often the subscriber behind `b_tid` bought an offer. Raises `HeadendError`."""
        return self._sold_to.get((self._identity(b_tid), offer)) or 0

    def _item(self, offer: str) -> CatalogueItem:
        for item in self._sales.catalogue.items:
            if offer and item.offer == offer:
                return item
        raise HeadendError(f"nothing is offered under the name {offer}")


class TokenDesk:
    """The shop for one subscriber, as the terminal sees it: what cures a refusal is bought, the first offer there is.

    An offer is sold `each` times, so that no misunderstanding buys without end.
    """

    def __init__(self, shop: Shop, b_tid: str, each: int = 1) -> None:
        self._shop = shop
        self._b_tid = b_tid
        self._each = each

    def purchase(self, view: StkmNames, reason: object, /) -> tuple[bytes, ...]:
        """Return the LTKMs of the first offer for the key of an STKM, if any. Raises `HeadendError`."""
        del reason
        key_domain, msk_id = view.long_term_key[:-_MSK_ID], view.long_term_key[-_MSK_ID:]
        for offer in self._shop.offers(key_domain, msk_id):
            if self._shop.sold_to(self._b_tid, offer.id) < self._each:
                return self._shop.buy(offer.id, self._b_tid)
        return ()
