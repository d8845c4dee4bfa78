"""Where a terminal buys what its card lacks: stands in for the Token Purchase Request of OMA BCAST.

The real exchange is HTTP under the SRK; here it is a call. What may be bought are the LTKMs of the scenario that have
an `offer` instead of a time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from card.codec.mikey import MbmsKeyIds
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.mint import BcastMint
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.policies import PlannedDelivery
from host_tools.headend.scenario.schedule import key_of
from host_tools.headend.scenario.seeded_keys import service_keys
from host_tools.headend.service_keys import ServiceKey


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be bought: its name, the service, and how many LTKMs it brings."""

    id: str
    service: str
    ltkms: int


class StkmNames(Protocol):
    """What the shop must know of a refused STKM."""

    @property
    def ids(self) -> MbmsKeyIds:
        """Its key IDs."""


class Shop:
    """Sells the offers of one scenario; `sold` counts them by name."""

    def __init__(self, scenario: Scenario, mint: BcastMint) -> None:
        self._planned = tuple(planned for planned in scenario.planned if planned.offer)
        self._keys = service_keys(scenario)
        self._mint = mint
        self.sold: Counter[str] = Counter()

    def offers(self, key_domain_id: bytes | None = None, msk_id: bytes | None = None) -> tuple[Offer, ...]:
        """Return the offers for a SEK (key domain 3 bytes, MSK ID 4), or all of them."""
        wanted = [
            planned
            for planned in self._planned
            if msk_id is None or self._is_about(planned, key_domain_id or b"", msk_id)
        ]
        names = dict.fromkeys((planned.offer, planned.service) for planned in wanted)
        return tuple(
            Offer(name, service, sum(planned.offer == name for planned in self._planned)) for name, service in names
        )

    def buy(self, offer: str, b_tid: str) -> tuple[bytes, ...]:
        """Sell an offer to the subscriber behind `b_tid` and return its LTKMs. Raises `HeadendError`."""
        bought = [planned for planned in self._planned if planned.offer == offer]
        if not bought:
            raise HeadendError(f"nothing is offered under the name {offer}")
        ltkms = tuple(self._mint.mint(planned, self._key(planned), b_tid) for planned in bought)
        self.sold[offer] += 1
        return ltkms

    def _key(self, planned: PlannedDelivery) -> ServiceKey:
        return key_of(self._keys, planned)

    def _is_about(self, planned: PlannedDelivery, key_domain_id: bytes, msk_id: bytes) -> bool:
        key = self._key(planned)
        return (key.key_domain_id, key.msk_id) == (key_domain_id, msk_id)


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
        for offer in self._shop.offers(view.ids.key_domain_id, view.ids.msk_id):
            if self._shop.sold[offer.id] < self._each:
                return self._shop.buy(offer.id, self._b_tid)
        return ()
