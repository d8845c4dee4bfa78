"""SEKs that follow one another: the next one goes to all who are registered, and an operator may take one up at once.

Before a roll-over the BSM orders the LTKM of the next SEK for every subscriber that is registered for the service and
has the right. They are spread over time: a bounded number a second, so that neither the wire nor the broadcast beside
it feels them. What is written down says who has the key already or waits for it, so a BSM that is started again in the
middle goes on and orders nothing twice. One that stood still over a roll-over makes up for it, for STKMs under the SEK
go out late as well, and terminals let them wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.ports import KeyStore
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.key_management import KeyManagement
from host_tools.headend.on_air.sek_supply import add_seks
from host_tools.headend.scenario.rolls import FIRST_ROLLED, LAST_ROLLED, Roll, rolled_number
from host_tools.headend.scenario.seeded_keys import key_term, make_key
from host_tools.headend.scenario.timetable import Timetable
from host_tools.headend.service_keys import LAST_MTK_ID, KeyTerm, ServiceKey, find_key

ORDERS_A_SECOND = 200
"""LTKMs that a roll-over orders in a second at most; ours."""
SHORTEST_LEAD = 0.5
"""Seconds by the clock that a SEK is ordered before it begins, however fast a scenario goes; ours."""
_TRIES = 3
"""How often a subscriber is tried for whom an order meets an error that nobody expected, before it is passed over."""
_MOST_PASSED_OVER = 1000
_STILL_SENT = 1.0  # seconds by the clock in which a BSD/A may still send what is late
_log = logging.getLogger(__name__)


class RolledSeks:
    """SEKs out of turn, for BSM and BSD/A alike: `timetable.rolls` is what both follow."""

    def __init__(self, timetable: Timetable, keys: KeyStore, ahead: int) -> None:
        """Take the timetable, the keys of the BSM, and how many whole crypto periods a BSD/A must know of it before."""
        self._timetable = timetable
        self._keys = keys
        self._ahead = ahead

    def recover(self, at: int) -> None:
        """Find those that are in use or to come in the keys that are kept, at a moment (ms) of the broadcast.

        Where MTK IDs have begun again since, the schedule has a SEK of lower ones behind it: it is over, whatever its
        own say now.
        """
        timetable = self._timetable
        add_seks(self._keys, timetable, at)
        now = max(at, 0) // timetable.scenario.stkm.crypto_period
        for service in timetable.scenario.services:
            lowest = LAST_MTK_ID
            for key in reversed(self._keys.seks(service.id)):
                if rolled_number(key) is None:
                    lowest = min(lowest, key.first_mtk_id)
                    continue
                begins, ends = timetable.period_of(key.term, at)
                if key.first_mtk_id <= lowest and ends >= now:
                    timetable.rolls.put(Roll(begins, ends, key.term))

    def roll(self, service: str, at: int) -> ServiceKey:
        """Give a service a new SEK, in use until the next roll-over by the schedule; return it.

        It begins as soon as everybody can know of it. Raises `HeadendError`: for an unknown service, one whose policies
        name its SEKs, at the end of a broadcast, and while an earlier one has not begun.
        """
        timetable, scenario = self._timetable, self._timetable.scenario
        described = scenario.service(service)
        if any(planned.service == service for planned in scenario.planned):
            raise HeadendError(f"the LTKMs of {service} are planned by the scenario, and so are its SEKs")
        begins = max(at, 0) // scenario.stkm.crypto_period + 1 + self._ahead
        if not timetable.loop and begins >= scenario.periods:
            raise HeadendError(f"the broadcast ends before another SEK of {service} could begin")
        if any(roll.begins >= begins for roll in timetable.rolls.of(service)):
            raise HeadendError(f"a new SEK of {service} waits for its time already")
        scheduled = timetable.scheduled(service, begins)
        first = timetable.mtk_id(begins * scenario.stkm.crypto_period)
        key = make_key(scenario, key_term(described, self._number(service), first, scheduled.last_mtk_id))
        self._keys.add_sek(key)
        timetable.rolls.put(Roll(begins, begins + scheduled.last_mtk_id - first, key.term))
        return key

    def _number(self, service: str) -> int:
        used = [number for key in self._keys.seks(service) if (number := rolled_number(key)) is not None]
        number = max(used, default=FIRST_ROLLED - 1) + 1
        if number > LAST_ROLLED:
            raise HeadendError(f"the Key Numbers of {service} for SEKs out of turn are used up")
        return number


@dataclass(slots=True)
class _Walk:
    """How far the registrations were walked for a SEK."""

    term: KeyTerm
    begins: int
    after: str = ""
    ended: bool = False


class RolloverPushes:
    """Orders the LTKMs of roll-overs to come.

    `ordered` counts them, `late` those of them whose SEK had begun, `refused` those for whom too much waits.
    """

    def __init__(
        self,
        timetable: Timetable,
        speed: float,
        keys: KeyStore,
        management: KeyManagement,
        books: Books,
        is_refused: Callable[[str], bool] = lambda _: False,
        a_second: int = ORDERS_A_SECOND,
    ) -> None:
        """Take what rolls over when and how fast its time goes, the keys, who is registered, and the books.

        Who `is_refused` gets nothing.
        """
        self._timetable = timetable
        self._speed = speed
        self._keys = keys
        self._management = management
        self._books = books
        self._is_refused = is_refused
        self._a_second = a_second
        self._walks: dict[str, _Walk] = {}
        self._since: dict[str, int] = {}
        self._trying: tuple[KeyTerm, str] | None = None
        self._passed_over: set[tuple[KeyTerm, str]] = set()
        self._failures = 0
        self.ordered = 0
        self.late = 0
        self.refused = 0

    def step(self, at: int, most: int) -> bool:
        """Look at no more than so many subscribers, at a moment (ms) of the broadcast; tell whether there are more.

        One step is one transaction, and as if it had never been where that is not kept. After an error that nobody
        expected, which is raised, subscribers are looked at one by one, so that it keeps nobody else waiting.
        """
        walks = {service: replace(walk) for service, walk in self._walks.items()}
        before = walks, dict(self._since), self.ordered, self.late, self.refused
        try:
            with self._books.transactions.transaction():
                more = self._step(at, 1 if self._failures else most)
        except BaseException:
            self._walks, self._since, self.ordered, self.late, self.refused = before
            self._failed()
            raise
        self._failures = 0
        return more

    def _failed(self) -> None:
        self._failures += 1
        if self._trying is not None and self._failures > _TRIES:
            if len(self._passed_over) >= _MOST_PASSED_OVER:
                self._passed_over.clear()
            self._passed_over.add(self._trying)
            self._failures = 0

    def _step(self, at: int, most: int) -> bool:
        """Look at subscribers. It begins so early that the last order is out in time."""
        self._trying = None
        lead = self._lead()
        for service in self._timetable.scenario.services:
            while (walk := self._due(service.id, at, lead)) is not None:
                most -= self._page(walk, at, most)
                if most <= 0:
                    return True
                if not walk.ended:
                    break
        return False

    def _lead(self) -> float:
        """Return how early to begin, in milliseconds of the broadcast."""
        needed = self._books.registrations.count() / self._a_second * 1000 * self._speed
        return max(self._timetable.scenario.ltkm_lead, SHORTEST_LEAD * 1000 * self._speed) + needed

    def _due(self, service: str, at: int, lead: float) -> _Walk | None:
        """Return the walk for the first SEK that is not seen to; one may have begun since the last look."""
        walk = self._walks.get(service)
        if walk is not None and not walk.ended and walk.begins <= at:
            if not self._is_over(service, walk.begins, at):
                return walk
            walk.ended = True  # nobody needs it any more
        since = self._since.setdefault(service, at)
        found = self._timetable.next_rollover(service, min(since, at))
        while found is not None and self._is_over(service, found[0], at):
            found = self._timetable.next_rollover(service, found[0])
        if found is None or (found[0] - at > lead and rolled_number(found[1]) is None):
            return None
        if walk is None or walk.term != found[1]:
            walk = self._walks[service] = _Walk(found[1], found[0])
        if walk.ended and walk.begins <= at:
            self._since[service] = walk.begins
            return self._due(service, at, lead)
        return None if walk.ended else walk

    def _is_over(self, service: str, begins: int, at: int) -> bool:
        """Tell whether a SEK that began at a moment is used no longer, not even by what is late."""
        following = self._timetable.next_rollover(service, begins)
        return following is not None and following[0] + _STILL_SENT * 1000 * self._speed <= at

    def _page(self, walk: _Walk, at: int, most: int) -> int:
        """Order for the next subscribers; return how many were looked at."""
        key = find_key(self._keys.seks(walk.term.service), walk.term.key_ids)
        if key is None:
            return 0  # it is made within a crypto period
        page = self._books.registrations.page(walk.after, most)
        for identity, _ in page:
            self._books.transactions.hold(identity)
            self._trying = one = walk.term, identity
            try:
                if (
                    one not in self._passed_over
                    and self._is_wanted(identity, key)
                    and self._management.bring(identity, key)
                ):
                    self.ordered += 1
                    self.late += walk.begins <= at
            except HeadendError as error:
                self.refused += 1
                _log.info("no SEK of a roll-over for %s: %s", identity, error)
            walk.after = identity
        self._trying = None
        walk.ended = len(page) < most
        return len(page)

    def _is_wanted(self, identity: str, key: ServiceKey) -> bool:
        """Tell whether a subscriber may have the key, does not have it, and no LTKM with it waits."""
        if self._is_refused(identity) or key in self._keys.held(identity, key.service):
            return False
        return all(order.key != key.key_ids for _, order in self._books.outbox.orders(identity))
