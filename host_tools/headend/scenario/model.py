"""What a scenario says: services, times, roll-overs, LTKMs to be sent (docs/user/scenarios.md).

Times are whole milliseconds from the start of the recording, so that no rounding decides under which key a
packet goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from host_tools.headend.errors import ScenarioError
from host_tools.headend.scenario.policies import PlannedDelivery
from host_tools.headend.services import Programme, Service


class StkmBy(Enum):
    """Who makes STKMs (OMA BCAST architecture clause 5.4.5.3.2)."""

    BSM = "bsm"
    BSD = "bsd"


@dataclass(frozen=True, slots=True)
class Network:
    """Names of the servers, and the identifier of the subscriber (IMSI) that is to receive the keys.

    `plain_res` is for a card from before the flipped RES (TS 33.220 clause 5.3.2): the BSF wants RES as it is.
    """

    bsf_name: str
    bsm_fqdn: str
    imsi: str
    plain_res: bool = False


@dataclass(frozen=True, slots=True)
class StkmPlan:
    """How STKMs are sent: times in milliseconds, each message `copies` times in a row.

    The STKM of a crypto period comes `lead` before the period, then every `repeat`: in plain MBMS the same bytes, with
    OMA BCAST with a new T each time.
    """

    crypto_period: int
    repeat: int
    lead: int
    copies: int
    port: int


@dataclass(frozen=True, slots=True)
class SekRollover:
    """The service changes its SEK at the first crypto period that begins at `at` (milliseconds) or later."""

    at: int
    service: str


@dataclass(frozen=True, slots=True)
class ServiceSwitch:
    """From `at` (milliseconds) on the recording terminal listens to this service."""

    at: int
    service: str


Event = SekRollover | ServiceSwitch


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario. `view` is the service recorded first, `None` when all are recorded throughout.

    `ltkm_lead` says how long (milliseconds) before its first crypto period a key is delivered. A service with
    `planned` LTKMs gets these and no others.
    """

    name: str
    seed: str = field(repr=False)
    start: datetime
    duration: int
    network: Network
    stkm: StkmPlan
    ltkm_lead: int
    services: tuple[Service, ...]
    view: str | None
    events: tuple[Event, ...]
    programmes: tuple[Programme, ...] = ()
    planned: tuple[PlannedDelivery, ...] = ()
    stkm_by: StkmBy = StkmBy.BSM

    @property
    def periods(self) -> int:
        """Number of crypto periods, the last one maybe cut short."""
        return -(-self.duration // self.stkm.crypto_period)

    def is_plain_mbms(self, service_id: str) -> bool:
        """Tell whether a service follows the rules of MBMS alone: no management data, and no policy for its STKMs."""
        policed = any(planned.service == service_id and planned.spe is not None for planned in self.planned)
        return self.service(service_id).bcast is None and not policed

    def service(self, service_id: str) -> Service:
        """Return a service by its name. Raises `ScenarioError` when the scenario has none of that name."""
        for service in self.services:
            if service.id == service_id:
                return service
        raise ScenarioError(f"scenario {self.name} has no service {service_id}")

    def viewed_at(self, moment: int) -> str | None:
        """Return the service the recording terminal listens to at `moment` (milliseconds), `None` for all."""
        if self.view is None:
            return None
        switches = [event for event in self.events if isinstance(event, ServiceSwitch) and event.at <= moment]
        return switches[-1].service if switches else self.view
