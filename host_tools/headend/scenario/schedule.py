"""When everything in a scenario happens: STKMs, media packets and deliveries of LTKMs, in milliseconds."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from host_tools.headend.bsda.slots import FRAME_MILLISECONDS, MediaSlot, StkmSlot
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.policies import PlannedDelivery
from host_tools.headend.scenario.seeded_keys import key_terms, service_keys
from host_tools.headend.service_keys import KeyTerm, ServiceKey
from host_tools.headend.services import Service


@dataclass(frozen=True, slots=True)
class Delivery:
    """A SEK is to reach the card at `at` at the latest, in time for its first STKM.

    `planned` is the LTKM that the scenario wants; without one, it is a plain MBMS LTKM with the SEK.
    """

    at: int
    key: ServiceKey
    planned: PlannedDelivery | None = None


def deliveries(scenario: Scenario) -> tuple[Delivery, ...]:
    """Return when each SEK of the scenario is to be delivered, in this order.

    The first SEKs are due before the recording begins: the first STKMs come `stkm.lead` before the first
    period.
    """
    keys = service_keys(scenario)
    policed = {planned.service for planned in scenario.planned}
    found = [
        Delivery(max(_period_start(scenario, key.first_mtk_id) - scenario.ltkm_lead, 0), key)
        if key.first_mtk_id > 1
        else Delivery(-scenario.stkm.lead, key)
        for key in keys
        if key.service not in policed
    ]
    found += [
        Delivery(planned.at, key_of(keys, planned), planned) for planned in scenario.planned if planned.at is not None
    ]
    return tuple(sorted(found, key=lambda delivery: delivery.at))


def key_of(keys: Iterable[ServiceKey], planned: PlannedDelivery) -> ServiceKey:
    """Return the SEK that a planned LTKM is about."""
    return [key for key in keys if key.service == planned.service][planned.key_number - 1]


def timestamps(scenario: Scenario, service: str, begins: int, ends: int) -> tuple[int, int]:
    """Return first and last T of the STKMs for the crypto periods that begin from `begins` to before `ends` (ms).

    This is for services of OMA BCAST, whose T runs on over all SEKs.
    A bound without an STKM of its own is that of the one before or after, so an empty time gives lower above upper.
    """
    slots_of = list(stkm_slots(scenario, service))
    early = [slot.counter for slot in slots_of if _period_start(scenario, slot.mtk_id) < begins]
    late = [slot.counter for slot in slots_of if _period_start(scenario, slot.mtk_id) >= ends]
    return max(early, default=0) + 1, min(late, default=slots_of[-1].counter + 1) - 1


def stkm_slots(scenario: Scenario, service: str) -> Iterator[StkmSlot]:
    """Yield the STKMs of one service in order of time."""
    keys = [key for key in key_terms(scenario) if key.service == service]
    return _stkm_slots(scenario, scenario.service(service), keys)


def slots(scenario: Scenario) -> Iterator[StkmSlot | MediaSlot]:
    """Yield what is broadcast, in order of time; at the same moment STKMs come first."""
    terms = {
        service.id: [key for key in key_terms(scenario) if key.service == service.id] for service in scenario.services
    }
    of_each = (_stkm_slots(scenario, service, terms[service.id]) for service in scenario.services)
    stkms = heapq.merge(*of_each, key=lambda slot: slot.at)
    stkm = next(stkms, None)
    for media in _media_slots(scenario, terms):
        while stkm is not None and stkm.at <= media.at:
            yield stkm
            stkm = next(stkms, None)
        yield media
    if stkm is not None:
        yield stkm
        yield from stkms


def _stkm_slots(scenario: Scenario, service: Service, keys: list[KeyTerm]) -> Iterator[StkmSlot]:
    """Plain MBMS: T counts new STKMs, and from 1 again under each SEK (TS 33.246 clause 6.4.3).

    OMA BCAST: T is the time scale of policies, so it runs on over the SEKs and every repeat has a new one.
    """
    plain, counter = scenario.is_plain_mbms(service.id), 0
    for mtk_id in range(1, scenario.periods + 1):
        key = _key_for(keys, mtk_id)
        if plain:
            counter = mtk_id - key.first_mtk_id + 1
        for repeat, at in enumerate(_sending_times(scenario, mtk_id)):
            counter += not plain
            for copy in range(scenario.stkm.copies):
                before = repeat * scenario.stkm.copies if plain else 0
                yield StkmSlot(at + copy, service, key, mtk_id, counter, before + copy)


def _sending_times(scenario: Scenario, mtk_id: int) -> range:
    plan = scenario.stkm
    first = _period_start(scenario, mtk_id) - plan.lead
    # Copies follow at a distance of a millisecond; the last repeat leaves room for them.
    last = max(min(first + plan.crypto_period, scenario.duration) - plan.copies, first)
    return range(first, last + 1, plan.repeat)


def _media_slots(scenario: Scenario, terms: Mapping[str, list[KeyTerm]]) -> Iterator[MediaSlot]:
    """Yield the packets of all services in order of time."""
    present, keys = 0, list[tuple[Service, KeyTerm]]()
    for number, at in enumerate(range(0, scenario.duration, FRAME_MILLISECONDS)):
        mtk_id = at // scenario.stkm.crypto_period + 1
        if mtk_id != present:
            present, keys = mtk_id, [(one, _key_for(terms[one.id], mtk_id)) for one in scenario.services]
        for service, key in keys:
            yield MediaSlot(at, service, key, mtk_id, number)


def _period_start(scenario: Scenario, mtk_id: int) -> int:
    return (mtk_id - 1) * scenario.stkm.crypto_period


def _key_for(keys: list[KeyTerm], mtk_id: int) -> KeyTerm:
    return next(key for key in keys if key.is_good_for(mtk_id))
