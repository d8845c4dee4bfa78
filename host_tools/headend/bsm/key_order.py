"""In which order the SEKs of a service go to a card: as they are used, the newest last.

A card keeps two MSKs of a group and drops the one that came first, whichever is used first (TS 33.246 clause 6.5.3): an
older one that came last would cost it the one in use as soon as the next comes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from card.codec.mikey import MbmsKeyIds
from host_tools.headend.bsm.orders import Order, OrderKind
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.service_keys import ServiceKey, find_key


def by_use(bsm: Bsm, orders: Iterable[Order]) -> tuple[Order, ...]:
    """Return orders for a subscriber with the keys of each service as they are used; all others keep their places."""
    found = list(orders)
    for places in _places(bsm, found):
        lead = next(iter(places.values())).lead_of
        sorted_places = sorted(places, key=lambda at: lead(places[at]))
        moved = [found[at] for at in sorted_places]
        for at, order in zip(places, moved, strict=True):
            found[at] = order
    return tuple(found)


def keys_behind(
    bsm: Bsm, identity: str, orders: Iterable[Order], waiting: Collection[MbmsKeyIds]
) -> tuple[ServiceKey, ...]:
    """Return what is to follow orders that are `by_use`: keys that are newer, one of a service at most.

    They are those that the subscriber was brought, or waits for.
    """
    following: list[ServiceKey] = []
    for places in _places(bsm, orders):
        *_, last = places.values()
        there = [key for key in bsm.keys(last.service) if key.key_ids in waiting]
        newest = max((last, *bsm.brought(identity, last.service), *there), key=last.lead_of)
        if newest != last:
            following.append(newest)
    return tuple(following)


def _places(bsm: Bsm, orders: Iterable[Order]) -> Iterable[dict[int, ServiceKey]]:
    """Return, for each service, which orders bring a key, by their places, and which key."""
    found: dict[str, dict[int, ServiceKey]] = {}
    for at, order in enumerate(orders):
        key = key_of(bsm, order) if order.kind is OrderKind.KEY else None
        if key is not None:
            found.setdefault(order.service, {})[at] = key
    return found.values()


def key_of(bsm: Bsm, order: Order) -> ServiceKey | None:
    """Return the key that an order brings, None where the BSM has none of that name any more."""
    return bsm.current_key(order.service) if order.key is None else find_key(bsm.keys(order.service), order.key)
