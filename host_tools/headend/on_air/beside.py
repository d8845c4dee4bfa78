"""What a broadcast has beside the servers of its network: announcement, back end, STKMs to ask for, SEKs at hand.

The broadcast itself may be here, too, or in a BSD/A of its own, which then comes over the back end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from host_tools.exchange.http import HttpRequest
from host_tools.exchange.messages.back_end import SekHandover
from host_tools.exchange.procedures import ANNOUNCEMENT, KEY_GRANT, SEK_ROLLS, STKM_HANDOVER, STKM_REQUEST, TEK_OFFER
from host_tools.exchange.transport import Server
from host_tools.headend.bsm.ports import KeyStore
from host_tools.headend.clock import NetworkClock
from host_tools.headend.granting import as_grant
from host_tools.headend.http.back_end import BackEndServer
from host_tools.headend.http.guide import GuideServer
from host_tools.headend.http.stkm_shelf import StkmShelf
from host_tools.headend.on_air.announcing import Announcements, Names
from host_tools.headend.on_air.broadcast import AirPlan, OnAir, position
from host_tools.headend.on_air.hand_over import SeksHandedOver
from host_tools.headend.on_air.rollovers import ORDERS_A_SECOND, RolledSeks, RolloverPushes
from host_tools.headend.on_air.sek_supply import KEPT_FOR, add_seks, forget_seks
from host_tools.headend.on_air.supplier import PERIODS_AHEAD
from host_tools.headend.on_air.told_rolls import as_message
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.rolls import Rolls
from host_tools.headend.scenario.servers import Servers
from host_tools.headend.scenario.timetable import Timetable
from host_tools.headend.service_keys import ServiceKey
from host_tools.wire.metrics import Metric

_LONGEST_WAIT = 20.0  # seconds that a request waits for the next STKM
_LOOK = 0.05
_STEP, _REST, _LOOKS_A_LEAD = 0.05, 0.5, 4
_log = logging.getLogger(__name__)


class AirBeside:
    """A broadcast beside the servers. Its `documents` are the announcement."""

    def __init__(
        self,
        scenario: Scenario,
        plan: AirPlan,
        began: datetime,
        keys: KeyStore,
        clock: NetworkClock,
        names: Names,
        shelf: StkmShelf,
        on_air: OnAir | None = None,
        back_end: BackEndServer | None = None,
        rolls: Rolls | None = None,
        handing: SeksHandedOver | None = None,
    ) -> None:
        """Take what is broadcast how and since when, the keys of the BSM, the time, and what services are called.

        `shelf` has the STKMs that terminals ask for. `on_air` is the broadcast where it is here, `back_end` answers a
        BSD/A elsewhere, which hears of SEKs out of turn through `handing`; both have these `rolls`. Raises
        `EncodeError`, `HeadendError`.
        """
        self._plan = plan
        self._began = began
        self._keys = keys
        self._clock = clock
        self._shelf = shelf
        self._on_air = on_air
        self._back_end = back_end
        self._handing = handing
        self._hands: asyncio.Task[None] | None = None
        self._timetable = Timetable(scenario, plan.loop, Rolls() if rolls is None else rolls)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._period = scenario.stkm.crypto_period / 1000 / plan.speed
        self._rolled = RolledSeks(self._timetable, keys, self._periods_ahead(scenario))
        self._rolled.recover(self._position)
        self._pushes: RolloverPushes | None = None
        self._flush: Callable[[], None] = lambda: None
        self._idle = min(max(scenario.ltkm_lead / 1000 / plan.speed / _LOOKS_A_LEAD, _STEP), _REST)
        self._defects = 0
        announcements = Announcements.of(scenario, plan, names)
        self.documents = announcements.documents
        self._guide = GuideServer(announcements.documents, announcements.homes)

    @property
    def paths(self) -> Mapping[str, Server]:
        """What answers on the BSM's port."""
        paths: dict[str, Server] = {ANNOUNCEMENT.tail: self._guide, STKM_REQUEST.tail: self._shelf}
        if self._back_end is not None:
            paths |= {one.tail: self._back_end for one in (TEK_OFFER, KEY_GRANT, STKM_HANDOVER, SEK_ROLLS)}
        return paths

    async def wait(self, request: HttpRequest) -> None:
        """Let one who asks for the next STKM wait for it."""
        for _ in range(round(_LONGEST_WAIT / _LOOK)):
            if not self._shelf.has_nothing_new(request):
                return
            await asyncio.sleep(_LOOK)

    def join(self, servers: Servers, flush: Callable[[], None]) -> None:
        """Take the servers, whose subscribers hear of roll-overs, and what sends orders out."""
        self._pushes = RolloverPushes(
            self._timetable,
            self._plan.speed,
            self._keys,
            servers.keys,
            servers.books,
            servers.refusals.are_for,
        )
        self._flush = flush

    def roll(self, service: str) -> ServiceKey:
        """Give a service a new SEK out of turn, which BSD/A and all who are registered hear of.

        It begins two crypto periods from now; later where the BSD/A is elsewhere. Raises `HeadendError`. To be called
        in no transaction: nobody is to hear of a SEK that is not kept.
        """
        key = self._rolled.roll(service, self._position)
        if self._handing is not None:
            told = as_message(self._timetable.rolls.of(service)[-1])
            self._handing.put(SekHandover(told, as_grant(key) if self._handing.with_keys else None))
        return key

    def is_over(self) -> bool:
        """Tell whether the scenario has come to its end, and is not repeated."""
        return not self._plan.loop and self._position >= self._timetable.scenario.duration

    def start(self) -> None:
        """Begin to send, where the broadcast is here."""
        self._every("SEKs", self._add_seks)
        self._every("pushes", self._push)
        if self._handing is not None:
            self._hands = asyncio.get_running_loop().create_task(self._handing.run())
        if self._on_air is not None:
            self._on_air.start(self._clock.now())

    def close(self) -> None:
        """Send nothing more."""
        for timer in self._timers.values():
            timer.cancel()
        if self._hands is not None:
            self._hands.cancel()
        if self._on_air is not None:
            self._on_air.close()

    def metrics(self) -> Iterator[Metric]:
        """Return what the broadcast counts."""
        if self._on_air is not None:
            yield from self._on_air.metrics()
        back_end, pushes = self._back_end, self._pushes
        if pushes is not None:
            yield Metric(
                "bcast_uicc_rollover_ltkms_total", "LTKMs ordered for a SEK to come.", lambda: [("", pushes.ordered)]
            )
            yield Metric("bcast_uicc_rollover_late_total", "Those whose SEK had begun.", lambda: [("", pushes.late)])
        handing = self._handing
        if handing is not None:
            yield Metric(
                "bcast_uicc_seks_handed_over_total",
                "SEKs out of turn told to the BSD/A.",
                lambda: [('outcome="taken"', handing.arrived), ('outcome="failed"', handing.failures)],
            )
        if back_end is not None:
            yield Metric(
                "bcast_uicc_back_end_refused_total", "Requests without the MAC.", lambda: [("", back_end.refused)]
            )

    def defects(self) -> int:
        """Return how many exceptions nobody expected."""
        others = self._defects + (0 if self._on_air is None else self._on_air.defects())
        others += 0 if self._back_end is None else self._back_end.defects
        others += 0 if self._handing is None else self._handing.defects
        return others + self._guide.defects + self._shelf.defects

    @property
    def _position(self) -> int:
        """Where the broadcast is now, in milliseconds from its begin."""
        return round(position(self._began, self._clock.now(), self._plan.speed))

    def _periods_ahead(self, scenario: Scenario) -> int:
        """Return how many whole crypto periods before it begins a SEK must be known to whoever broadcasts."""
        if self._on_air is None:
            return PERIODS_AHEAD + 1
        return 1 + scenario.stkm.lead // scenario.stkm.crypto_period

    def _every(self, name: str, step: Callable[[], float]) -> None:
        """Take a step again and again, each after the seconds that the one before returns."""
        pause = _REST
        try:
            pause = step()
        except Exception as error:  # the broadcast goes on, and so do the steps
            self._defects += 1
            _log.error("a broadcast could not see to its %s: %s", name, type(error).__name__)
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(pause, self._every, name, step)

    def _add_seks(self) -> float:
        """See to it, in every crypto period, that the BSM has the SEKs to come, and not all that ever were.

        At the end of a broadcast no STKM holds any more.
        """
        if self.is_over():
            self._shelf.clear()
        add_seks(self._keys, self._timetable, self._position)
        forget_seks(self._keys, self._timetable, self._position, KEPT_FOR * 1000 * self._plan.speed)
        return self._period

    def _push(self) -> float:
        """Order LTKMs for the next roll-over, a few at a time."""
        pushes = self._pushes
        if pushes is None:
            return _REST
        before = pushes.ordered
        # Where the broadcast is here and late, so are they: the next SEK pushes out one that may still be on its way.
        at = self._position if self._on_air is None else round(self._on_air.sent_until(self._clock.now()))
        busy = pushes.step(at, round(ORDERS_A_SECOND * _STEP))
        if pushes.ordered > before:
            self._flush()
        return _STEP if busy else self._idle
