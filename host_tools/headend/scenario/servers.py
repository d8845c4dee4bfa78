"""The servers of one network, put together without a socket: Ub, Ua, Zn, and the LTKMs that go out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from card.crypto.secret import Secret
from host_tools.exchange.digest.counts import NonceCounts
from host_tools.exchange.digest.nonces import SECRET_SIZE, Nonces
from host_tools.exchange.digest.server import DigestServer
from host_tools.exchange.names import gba_realm
from host_tools.exchange.ports import Rng
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.ltkm_sender import LtkmSender
from host_tools.headend.bsm.memory import MemoryRights
from host_tools.headend.bsm.memory_books import memory_books
from host_tools.headend.bsm.orders import OrderMint
from host_tools.headend.clock import NetworkClock
from host_tools.headend.http.accounts import GbaAccounts
from host_tools.headend.http.key_management import KeyManagement
from host_tools.headend.http.push import Pushes
from host_tools.headend.http.ua import UaServer
from host_tools.headend.http.ub import UbServer
from host_tools.headend.http.zn import ZnServer
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.usim import UsimNetwork

SERVICE_PREFIX = "urn:x-bcast-uicc:service:"
"""In front of the name that a service has in its scenario: its serviceID while there is no catalogue (ours)."""


def service_ids(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Return what can be registered for: each service of the scenario by itself."""
    return {SERVICE_PREFIX + service.id: (service.id,) for service in scenario.services}


@dataclass(frozen=True, slots=True)
class Servers:
    """What answers, and what goes out."""

    ub: UbServer
    ua: UaServer
    zn: ZnServer
    keys: KeyManagement
    pushes: Pushes

    @classmethod
    def of(cls, network: UsimNetwork, clock: NetworkClock, rng: Rng, push_source: Endpoint) -> Servers:
        """Return the servers of a network, whose subscriber has every service. Their state is in memory."""
        names, subscriber = network.scenario.network, network.subscriber.impi
        catalogue = service_ids(network.scenario)
        books, rights = memory_books(), MemoryRights()
        for service_id in catalogue:
            rights.grant(subscriber, service_id)
        pushes = Pushes(LtkmSender(network.bsm, OrderMint(network.bsm), books.outbox), books, push_source, clock)
        keys = KeyManagement(network.bsm, catalogue, rights, pushes, books)
        nonces = Nonces(Secret(rng.random_bytes(SECRET_SIZE)), rng, clock)
        accounts = {gba_realm(names.bsm_fqdn): GbaAccounts(network.subscribers, network.bsm.naf_id, clock)}
        return cls(
            UbServer(network.bsf, names.bsf_name, rng, clock),
            UaServer(names.bsm_fqdn, DigestServer(nonces, NonceCounts()), accounts, keys, books.transactions),
            ZnServer(network.bsf),
            keys,
            pushes,
        )

    def defects(self) -> Iterator[tuple[str, int]]:
        """Yield how many exceptions each server met that nobody expected."""
        yield from (
            ("ub", self.ub.defects),
            ("ua", self.ua.defects),
            ("zn", self.zn.defects),
            ("push", self.pushes.defects),
        )
