"""The parts of a network that are kept in a store. Nothing else of the scenarios needs a database."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.headend.clock import NetworkClock
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.parts import Parts
from host_tools.headend.scenario.seeded_keys import service_keys
from host_tools.headend.store.keys import StoredKeys
from host_tools.headend.store.store import Store
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber


def stored_parts(
    store: Store,
    scenario: Scenario,
    records: Iterable[SubscriberRecord | RkSubscriber],
    clock: NetworkClock,
) -> Parts:
    """Return parts that are kept in a store, which takes these subscribers besides those it has.

    A store is that of one scenario, and its broadcast goes on from when it began. Nonces are not kept: each process
    has its own, as only it knows how often one was used. Raises `StoreError`.
    """
    with store.database.transaction():
        found = store.broadcast(scenario.name, scenario.seed, clock.now())
        keys = StoredKeys(store.database, store.vault, [service.id for service in scenario.services], clock)
        for key in service_keys(scenario):
            if all(one.msk_id != key.msk_id for one in keys.seks(key.service)):
                keys.add_sek(key)
        store.subscribers.add(records)
    return Parts(
        store.subscribers,
        store.bootstrappings,
        store.muks,
        store.subscribers,
        keys,
        store.rights,
        store.books,
        ScenarioServices(scenario, found.began),
    )
