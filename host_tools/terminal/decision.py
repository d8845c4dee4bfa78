"""What the card decided about one STKM, and why: from its answer and, where wanted, from audits around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from card.codec.mikey import MbmsKeyIds
from card.errors import DecodeError
from card.spec.bcast.tables import BcastTables, Direction
from host_tools.terminal.audit import Auditor, KeyGroup, Policy, quantity_words
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome, Tek
from host_tools.terminal.card_application import CardApplication
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.key_source import FeedLayer, StkmView

_DIRECTION_OF_REFUSAL: Mapping[RefusalReason, Direction | None] = MappingProxyType(
    {
        RefusalReason.OUTSIDE_VALIDITY: Direction.LIVE,
        RefusalReason.NO_PLAYBACK_RIGHT: Direction.PLAYBACK,
        RefusalReason.PLAYBACK_USED_UP: Direction.PLAYBACK,
        # These come before the policies are looked at, or because there is none for the direction.
        RefusalReason.WRONG_MAC: None,
        RefusalReason.MALFORMED: None,
        RefusalReason.NOT_FRESH: None,
        RefusalReason.CONDITIONS: None,
    }
)


@dataclass(frozen=True, slots=True)
class Payment:
    """A purse or counter before and after an STKM."""

    source: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.before - self.after} from the {quantity_words(self.source)}, {self.after} left"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy of the key for live or for play-back, with its name in the tables, as it was before the STKM."""

    name: str
    policy: Policy

    def holds_at(self, timestamp: int) -> bool:
        """Tell whether it is valid for an STKM of this timestamp."""
        return self.policy.first_ts <= timestamp <= self.policy.last_ts

    def __str__(self) -> str:
        paid = "".join(f", {quantity_words(name)} {value}" for name, value in self.policy.quantities.items())
        return f"{self.name} (T {self.policy.first_ts} to {self.policy.last_ts}{paid})"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What audits around an STKM show: live or play-back, the policies the key has for that, what was debited.

    There is no direction without the key in the card, nor where it cannot be told; then all policies are candidates.
    """

    direction: Direction | None
    candidates: tuple[Candidate, ...] = ()
    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One STKM that went to the card and its result. `resent` says that its TEK was there already."""

    view: StkmView
    outcome: StkmOutcome
    resent: bool = False
    explanation: Explanation | None = None

    @property
    def granted(self) -> bool:
        """True when the card gave the TEK."""
        return isinstance(self.outcome, Tek)

    @property
    def why(self) -> str:
        """The card's reason in words."""
        match self.outcome:
            case Refusal(said=said):
                return said
            case Tek():
                return _why_granted(self.explanation)

    def __str__(self) -> str:
        verdict = "TEK" if self.granted else "refused"
        resent = " (again)" if self.resent else ""
        direction = self.explanation.direction if self.explanation else None
        where = f" {direction}" if direction else ""
        rated = f" rated {' and '.join(self.view.ratings)}" if self.view.ratings else ""
        said = f"{self.why}{self._said_of_policies()}"
        return f"STKM {self.view.label} T={self.view.timestamp}{where}{rated}: {verdict}{resent}, {said}"

    def _said_of_policies(self) -> str:
        """Name the policies that may have given the TEK, or show those that did not."""
        candidates = self.explanation.candidates if self.explanation else ()
        if not self.granted:
            return "".join(f"; policy: {candidate}" for candidate in candidates)
        names = [candidate.name for candidate in candidates if candidate.holds_at(self.view.timestamp)]
        bound = self.view.bound_to
        return (f"; by {' or '.join(names)}" if names else "") + (
            f"; bound to terminals with key {bound:08x}" if bound is not None else ""
        )

    def as_dict(self) -> dict[str, object]:
        """Return everything but the key, ready for JSON."""
        shown = self.explanation
        protection = self.outcome.protection if isinstance(self.outcome, Tek) else None
        return {
            **self.view.names,
            "timestamp": self.view.timestamp,
            "granted": self.granted,
            "resent": self.resent,
            "why": self.why,
            "ratings": list(self.view.ratings),
            "protection_after_reception": protection,
            "direction": shown.direction.value if shown and shown.direction else None,
            "policies": [str(candidate) for candidate in shown.candidates] if shown else [],
            "payments": [
                {"source": paid.source, "before": paid.before, "after": paid.after}
                for paid in (shown.payments if shown else ())
            ],
        }


def _why_granted(explanation: Explanation | None) -> str:
    if explanation is None:
        return "granted"
    if explanation.payments:
        return "paid " + " and ".join(map(str, explanation.payments))
    return "free of charge" if explanation.candidates else "plain MBMS key"


@dataclass(slots=True)
class ExplainingFeed(FeedLayer):
    """Audits the card before and after each STKM, to tell live from play-back and what was debited.

    It costs ten commands for each STKM where the first record of EF_MSK shows its key, and one more for each record
    before it: for people who look, not for playing.
    """

    application: CardApplication
    _last: Explanation | None = field(default=None, init=False)

    def take(self) -> Explanation | None:
        """Return what was noted about the STKM fed last, once."""
        last, self._last = self._last, None
        return last

    def feed(self, stkm: bytes) -> StkmOutcome:
        """Give an STKM to the card and note what changed. Raises as the feed below and the audits do."""
        self._last = None
        try:
            view = CardStkmView.decode(stkm, self.application.tables)
        except DecodeError:
            return self.feed_below.feed(stkm)
        counter = self.application.read_msk_counter(view.long_term_key)
        before = self._balances(view.ids)
        outcome = self.feed_below.feed(stkm)
        after = self._balances(view.ids)
        changes = tuple(_changes(before, after))
        if counter is None:
            direction = _deduced_direction(outcome, before.policies, changes, self.application.tables)
        else:
            direction = Direction.LIVE if view.timestamp > counter else Direction.PLAYBACK
        candidates = tuple(_candidates(before.policies, direction, self.application.tables))
        self._last = Explanation(direction, candidates, tuple(change.payment for change in changes))
        return outcome

    def _balances(self, ids: MbmsKeyIds) -> _Balances:
        auditor = Auditor(self.application)
        group = (ids.key_domain_id, ids.key_group)
        groups = [item for item in auditor.key_groups() if (item.key_domain_id, item.key_group) == group]
        return _Balances.of(groups, auditor.policies(*group), ids.msk_id)


@dataclass(frozen=True, slots=True)
class _Balances:
    """All quantities that an STKM of one key may change, by policy (None: of the group) and name."""

    policies: tuple[Policy, ...]
    values: Mapping[tuple[object, str], int]

    @classmethod
    def of(cls, groups: Iterable[KeyGroup], policies: Iterable[Policy], msk_id: bytes) -> _Balances:
        values: dict[tuple[object, str], int] = {}
        for group in groups:
            values |= {(None, name): value for name, value in group.quantities.items()}
        own = tuple(policy for policy in policies if policy.msk_id == msk_id)
        for policy in own:
            counters = (item for item in policy.quantities.items() if item[0] in ("playback_counter", "tek_counter"))
            values |= {(policy.name, name): value for name, value in counters}
        return cls(own, values)


@dataclass(frozen=True, slots=True)
class _Change:
    """A payment, and the name of the policy whose own counter it came from (None: a purse)."""

    policy: object
    payment: Payment

    def may_be_of(self, policy: Policy) -> bool:
        if self.policy is not None:
            return self.policy == policy.name
        return any(name == self.payment.source for name, _ in policy.quantities.items())


def _changes(before: _Balances, after: _Balances) -> Iterator[_Change]:
    for (policy, name), value in before.values.items():
        now = after.values.get((policy, name), value)
        if now != value:
            yield _Change(policy, Payment(name, value, now))


def _deduced_direction(
    outcome: StkmOutcome, policies: Iterable[Policy], changes: Iterable[_Change], tables: BcastTables
) -> Direction | None:
    """Say what an STKM was for under a key that EF_MSK does not show, so that its counter is not known.

    The reason of a refusal may tell, or the key's policies, and where it has both kinds what was debited. Else None.
    """
    if isinstance(outcome, Refusal) and outcome.reason in _DIRECTION_OF_REFUSAL:
        return _DIRECTION_OF_REFUSAL[outcome.reason]
    paying = [policy for policy in policies if all(change.may_be_of(policy) for change in changes)]
    rows = [tables.find_spe(policy.spe) for policy in paying]
    directions = {row.direction if row else None for row in rows}
    return directions.pop() if len(directions) == 1 else None


def _candidates(policies: Iterable[Policy], direction: Direction | None, tables: BcastTables) -> Iterator[Candidate]:
    for policy in policies:
        row = tables.find_spe(policy.spe)
        if row is None:
            yield Candidate(f"SPE {policy.spe:02X}", policy)
        elif direction in (None, row.direction):
            yield Candidate(row.name, policy)
