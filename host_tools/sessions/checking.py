"""What a scenario would send and sell, without any key."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.policies import PlannedDelivery
from host_tools.headend.scenario.reading import find_scenario
from host_tools.headend.scenario.schedule import Delivery, deliveries


@dataclass(frozen=True, slots=True)
class CheckedScenario:
    """A scenario that can be used: the LTKMs it sends in their order, and what is for sale."""

    scenario: Scenario
    deliveries: tuple[Delivery, ...]
    for_sale: tuple[PlannedDelivery, ...]


def check_scenario(name: str) -> CheckedScenario:
    """Read a scenario, a file or the name of one that ships, and plan it. Raises `HeadendError`, `UnusableFile`."""
    scenario = find_scenario(name)
    offered = tuple(planned for planned in scenario.planned if planned.offer)
    return CheckedScenario(scenario, tuple(deliveries(scenario)), offered)
