"""What the card decided about one STKM, and why: from its answer and, where wanted, from audits around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from card.codec.bcast import StkmManagement, Subtype, bcast_extension
from card.codec.mikey import MbmsKeyIds, MikeyMessage, Timestamp
from card.errors import DecodeError
from card.spec.bcast_p1 import P1
from card.spec.bcast_tables import BcastTables, Direction
from host_tools.terminal.audit import Auditor, KeyGroup, Policy, quantity_words
from host_tools.terminal.bcast import Refusal, StkmOutcome, Tek
from host_tools.terminal.card_application import CardApplication


@dataclass(frozen=True, slots=True)
class StkmView:
    """What a terminal reads in an STKM: key IDs, T (32 bits), management data (None: plain MBMS)."""

    ids: MbmsKeyIds
    timestamp: int
    management: StkmManagement | None = None

    @classmethod
    def decode(cls, raw: bytes, tables: BcastTables = P1) -> StkmView:
        """Read an STKM. Raises `DecodeError` for anything that is not one.

        Management data that do not follow the tables are left out: the card has the last word about them.
        """
        message = MikeyMessage.decode(raw)
        ids = message.key_ids()
        if ids.mtk_id is None:
            raise DecodeError("the message names no traffic key: it is no STKM")
        return cls(ids, message.one(Timestamp).value, _management(message, tables))


def _management(message: MikeyMessage, tables: BcastTables) -> StkmManagement | None:
    try:
        extension = bcast_extension(message)
        if extension is None or extension[0] != Subtype.STKM_MANAGEMENT:
            return None
        return StkmManagement.decode(extension[1], tables)
    except DecodeError:
        return None


@dataclass(frozen=True, slots=True)
class Payment:
    """A purse or counter before and after an STKM."""

    source: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.before - self.after} from the {quantity_words(self.source)}, {self.after} left"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What audits around an STKM show: whether it was live, how many policies the key has, what was debited."""

    direction: Direction
    policies: int
    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One STKM that went to the card and what came of it. `resent` says that its TEK was there already."""

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
            case Refusal(words=words):
                return words
            case Tek():
                return _why_granted(self.explanation)

    def __str__(self) -> str:
        ids = self.view.ids
        name = "/".join(part.hex() for part in (ids.key_domain_id, ids.msk_id, ids.mtk_id or b""))
        verdict = "TEK" if self.granted else "refused"
        resent = " (again)" if self.resent else ""
        direction = f" {self.explanation.direction}" if self.explanation else ""
        return f"STKM {name} T={self.view.timestamp}{direction}: {verdict}{resent}, {self.why}"

    def as_dict(self) -> dict[str, object]:
        """Return everything but the key, ready for JSON."""
        ids, shown = self.view.ids, self.explanation
        protection = self.outcome.protection if isinstance(self.outcome, Tek) else None
        return {
            "key_domain": ids.key_domain_id.hex(),
            "msk_id": ids.msk_id.hex(),
            "mtk_id": (ids.mtk_id or b"").hex(),
            "timestamp": self.view.timestamp,
            "granted": self.granted,
            "resent": self.resent,
            "why": self.why,
            "protection_after_reception": protection,
            "direction": shown.direction.value if shown else None,
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
    return "free of charge" if explanation.policies else "plain MBMS key"


class StkmFeed(Protocol):
    """Something that takes an STKM and gives the card's verdict."""

    def feed(self, stkm: bytes, /) -> StkmOutcome:
        """Give an STKM to the card."""


@dataclass(slots=True)
class ExplainingFeed:
    """Audits the card before and after each STKM, to tell live from play-back and what was debited.

    It costs some ten commands for each STKM: for people who look, not for playing.
    """

    feed_below: StkmFeed
    usim: CardApplication
    _last: Explanation | None = field(default=None, init=False)

    def take(self) -> Explanation | None:
        """Return what was noted about the STKM fed last, once."""
        last, self._last = self._last, None
        return last

    def feed(self, stkm: bytes) -> StkmOutcome:
        """Give an STKM to the card and note what changed. Raises as the feed below and the audits do."""
        self._last = None
        try:
            view = StkmView.decode(stkm, self.usim.tables)
        except DecodeError:
            return self.feed_below.feed(stkm)
        counter = self.usim.read_msk_counters().get(view.ids.key_domain_id + view.ids.msk_id)
        before = self._balances(view.ids)
        outcome = self.feed_below.feed(stkm)
        after = self._balances(view.ids)
        # A key that is not in EF_MSK is kept for play-back only.
        live = counter is not None and view.timestamp > counter
        direction = Direction.LIVE if live else Direction.PLAYBACK
        self._last = Explanation(direction, before.policies, tuple(_payments(before, after)))
        return outcome

    def _balances(self, ids: MbmsKeyIds) -> _Balances:
        auditor = Auditor(self.usim)
        group = (ids.key_domain_id, ids.key_group)
        groups = [item for item in auditor.key_groups() if (item.key_domain_id, item.key_group) == group]
        return _Balances.of(groups, auditor.policies(*group), ids.msk_id)


@dataclass(frozen=True, slots=True)
class _Balances:
    """All quantities that an STKM of one key may change, by policy (None: of the group) and name."""

    policies: int
    values: Mapping[tuple[object, str], int]

    @classmethod
    def of(cls, groups: Iterable[KeyGroup], policies: Iterable[Policy], msk_id: bytes) -> _Balances:
        values: dict[tuple[object, str], int] = {}
        for group in groups:
            values |= {(None, name): value for name, value in group.quantities.items()}
        own = [policy for policy in policies if policy.msk_id == msk_id]
        for policy in own:
            counters = (item for item in policy.quantities.items() if item[0] in ("playback_counter", "tek_counter"))
            values |= {(policy.name, name): value for name, value in counters}
        return cls(len(own), values)


def _payments(before: _Balances, after: _Balances) -> Iterator[Payment]:
    for (policy, name), value in before.values.items():
        now = after.values.get((policy, name), value)
        if now != value:
            yield Payment(name, value, now)
