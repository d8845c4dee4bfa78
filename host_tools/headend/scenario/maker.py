"""Makes the servers of a head-end from a scenario, every key from its seed and everything kept in memory.

Other makers, of a network that goes on and keeps its state, put the same servers together from other parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from card.spec.bcast.tables import BcastTables
from host_tools.content.known import KNOWN
from host_tools.headend.bsda.channel import Channel
from host_tools.headend.bsda.frames import FrameSource
from host_tools.headend.bsda.handed_seks import HandedSeks
from host_tools.headend.bsda.station import Bsda
from host_tools.headend.bsm.memory import MemoryKeyStore
from host_tools.headend.bsm.memory_books import memory_books
from host_tools.headend.bsm.ports import KeyStore, Rights, Services, SubscriberKeys
from host_tools.headend.bsm.provisioning.goods import Goods
from host_tools.headend.bsm.provisioning.ledger import Ledger
from host_tools.headend.bsm.provisioning.sales import Sales
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.clock import NetworkClock
from host_tools.headend.scenario.mint import BcastMint
from host_tools.headend.scenario.model import Scenario, StkmBy
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.seeded_keys import (
    SeededTrafficKeys,
    key_term,
    make_key,
    media_stream,
    service_keys,
)
from host_tools.headend.scenario.wares import default_catalogue
from host_tools.headend.sealing import MikeySealer, SekSource, StkmSealer
from host_tools.headend.service_keys import ServiceKey
from host_tools.headend.shop import Shop

MakeSealer = Callable[[SekSource], StkmSealer]
_MELODIES: Mapping[str, FrameSource] = MappingProxyType({})


class BackEndOfBsm(StkmSealer, SekSource, Protocol):
    """What a BSD/A has of its BSM: one that makes STKMs, and one that hands keys over."""


def make_keys(scenario: Scenario) -> MemoryKeyStore:
    """Return a store with every SEK of the scenario."""
    return MemoryKeyStore([service.id for service in scenario.services], service_keys(scenario))


def make_bsda(
    scenario: Scenario,
    back_end: BackEndOfBsm,
    tables: BcastTables,
    make_sealer: MakeSealer = MikeySealer,
    frames: Mapping[str, FrameSource] = _MELODIES,
    start: datetime | None = None,
) -> Bsda:
    """Return the BSD/A. By `stkm_by` it leaves STKMs to the BSM, or makes them with keys that the BSM hands over.

    `frames` is what services play in place of their melodies, `start` when it begins if not at the scenario's time.
    """
    sealer = back_end if scenario.stkm_by is StkmBy.BSM else make_sealer(HandedSeks(back_end))
    channels = [
        Channel(
            service,
            media_stream(scenario, service),
            tuple(programme for programme in scenario.programmes if programme.service == service.id),
            scenario.stkm.crypto_period,
            KNOWN.packets[0],
            scenario.periods,
        )
        for service in scenario.services
    ]
    return Bsda(
        channels, SeededTrafficKeys(scenario), sealer, tables, start or scenario.start, scenario.stkm.port, frames
    )


def make_bsm(
    scenario: Scenario,
    keys: KeyStore,
    subscribers: SubscriberKeys,
    clock: NetworkClock,
    services: Services | None = None,
) -> Bsm:
    """Return the BSM of a broadcast that begins now, or that has these services on the air."""

    def make_sek(service: str, number: int, first_mtk_id: int, last_mtk_id: int) -> ServiceKey:
        return make_key(scenario, key_term(scenario.service(service), number, first_mtk_id, last_mtk_id))

    on_air = services or ScenarioServices(scenario, clock.now())
    return Bsm(scenario.network.bsm_fqdn, on_air, keys, make_sek, subscribers, clock)


def make_shop(scenario: Scenario, mint: BcastMint, goods: Goods, bsm: Bsm, rights: Rights, clock: NetworkClock) -> Shop:
    """Return the shop that sells what the scenario offers; its books are in memory."""
    sales = Sales(default_catalogue(scenario), Ledger(memory_books().records), goods, clock)
    return Shop(sales, goods, rights, bsm.identity, mint.mint_order)
