"""Where a terminal buys what its card lacks: stands in for the Token Purchase Request of OMA BCAST.

The real exchange is HTTP under the SRK; here it is a call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.ports import Rights
from host_tools.headend.errors import HeadendError
from host_tools.headend.service_keys import KeyTerm

_SALES_OF_A_SUBSCRIBER = 256
_SALES_IN_ALL = 1_000_000

_MSK_ID = 4  # bytes


@dataclass(frozen=True, slots=True)
class Ware:
    """One LTKM that is sold under the name of an offer: its service, the SEK it is about, and the order of it."""

    offer: str
    service: str
    key: KeyTerm
    order: Order


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
    """Sells wares and grants the rights to what was bought; `sold` counts the offers sold by name."""

    def __init__(
        self,
        wares: Iterable[Ware],
        rights: Rights,
        identity: Callable[[str], str],
        mint: Callable[[Order, str], bytes],
    ) -> None:
        """Take what is sold, where rights are noted, what tells who is behind a B-TID (or NAI), and the mint."""
        self._wares = tuple(wares)
        self._rights = rights
        self._identity = identity
        self._mint = mint
        self._sold_to: BoundedTable[tuple[str, str], int] = BoundedTable(_SALES_OF_A_SUBSCRIBER, _SALES_IN_ALL)
        self.sold: Counter[str] = Counter()

    def offers(self, key_domain_id: bytes | None = None, msk_id: bytes | None = None) -> tuple[Offer, ...]:
        """Return the offers for a SEK (key domain 3 bytes, MSK ID 4), or all of them."""
        wanted = [
            ware
            for ware in self._wares
            if msk_id is None or (ware.key.key_domain_id, ware.key.msk_id) == (key_domain_id, msk_id)
        ]
        names = dict.fromkeys((ware.offer, ware.service) for ware in wanted)
        return tuple(Offer(name, service, sum(ware.offer == name for ware in self._wares)) for name, service in names)

    def buy(self, offer: str, b_tid: str) -> tuple[bytes, ...]:
        """Sell an offer to the subscriber behind `b_tid` and return its LTKMs. Raises `HeadendError`."""
        bought = [ware for ware in self._wares if ware.offer == offer]
        if not bought:
            raise HeadendError(f"nothing is offered under the name {offer}")
        identity = self._identity(b_tid)
        ltkms = tuple(self._mint(ware.order, b_tid) for ware in bought)
        for ware in bought:
            self._rights.grant(identity, ware.service)
        self.sold[offer] += 1
        self._sold_to.put(identity, (identity, offer), self.sold_to(b_tid, offer) + 1)
        return ltkms

    def sold_to(self, b_tid: str, offer: str) -> int:
        """Return how often the subscriber behind `b_tid` bought an offer. Raises `HeadendError`."""
        return self._sold_to.get((self._identity(b_tid), offer)) or 0


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
