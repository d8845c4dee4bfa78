"""The books of a subscriber, kept from what was sent and what came back: no rule of the card and none of the model.

Every TEK that left the card is priced, when it leaves, at the least that any policy delivered for its key until then
asks. What that makes in each purse and counter, and in several that may have paid together, must have been received
there. From the first free offer for a key on nothing can be told.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tests.oracle.bcast_model import POLICIES, TEK_COUNTED, LtkmData, StkmData

KeyId = tuple[bytes, bytes, bytes]
Pool = tuple[str, tuple[bytes, ...]]


@dataclass(frozen=True)
class Offer:
    """A policy, what is due when, from where, how much."""

    policy: str
    due: str
    pool: Pool
    price: int


@dataclass
class Seen:
    """The TEKs of one SEK for one direction: MTK IDs, and the MTK ID and timestamp of the last one."""

    mtks: set[int] = field(default_factory=set)
    last: tuple[int, int] | None = None


@dataclass
class Ledger:
    """Credit by pool, offers by key and direction, what is owed to pools of which one or another paid.

    `one_record`: a key has one record of each policy, so that the starts of its play-backs can be counted.
    """

    one_record: bool
    received: dict[Pool, int] = field(default_factory=lambda: defaultdict(int))
    owed: dict[frozenset[Pool], int] = field(default_factory=lambda: defaultdict(int))
    offers: dict[tuple[KeyId, str], set[Offer]] = field(default_factory=lambda: defaultdict(set))
    seen: dict[tuple[KeyId, str, bytes], Seen] = field(default_factory=lambda: defaultdict(Seen))

    def accepted(self, m: LtkmData) -> None:
        """Note an LTKM that the card took."""
        if not m.policy:
            self.offers[m.key_id, "live"].add(Offer("", "never", ("", ()), 0))
            return
        direction, due, source = POLICIES[m.policy]
        pool = _pool(m.policy, source, m.key_id)
        if source != "count":
            self.received[pool] += m.tokens or 0
        if m.key_id[2] == b"\0\0" or m.lower > m.upper:
            return
        if source == "count":
            self.received[pool] += m.counter or 0
        price = 1 if source == "count" else m.cost if source else 0
        self.offers[m.key_id, direction].add(Offer(m.policy, due, pool, price))

    def left(self, m: StkmData, direction: str) -> bool:
        """Note a TEK that the terminal has; return True when the books can tell whether it cost anything."""
        seen, offers = self.seen[m.key_id, direction, m.key], self.offers[m.key_id, direction]
        assert offers, "a TEK of a key that was never sold"
        due = self._is_due(m, direction, seen, offers) if all(offer.price for offer in offers) else None
        if due:
            self.owed[frozenset(offer.pool for offer in offers)] += min(offer.price for offer in offers)
        seen.mtks.add(m.mtk)
        seen.last = m.mtk, m.ts
        return due is not None

    def _is_due(self, m: StkmData, direction: str, seen: Seen, offers: set[Offer]) -> bool | None:
        """Tell whether something was due at least, None where that is not certain. The same TEK again may be free."""
        if seen.last is None:
            return True
        mtk, ts = seen.last
        match sorted({offer.due for offer in offers}):
            case ["tek"]:
                return m.mtk != mtk if direction == "live" else m.mtk not in seen.mtks
            case ["start"] if self.one_record and len({offer.policy for offer in offers}) == 1:
                return m.ts < ts
            case _:
                return None

    def check(self) -> None:
        """Fail when more left the card than was received."""
        for pools in self.owed:
            spent = sum(owed for some, owed in self.owed.items() if some <= pools)
            received = sum(self.received[pool] for pool in pools)
            names = " and ".join(sorted(name for name, _ in pools))
            assert spent <= received, f"{names}: {spent} spent, {received} received"


def _pool(policy: str, source: str, key_id: KeyId) -> Pool:
    """The user purse belongs to the domain; what is left of a TEK counter may go on within the group."""
    match source:
        case "user":
            return source, key_id[:1]
        case "count" if policy not in TEK_COUNTED:
            return policy, key_id
        case "count":
            return "teks", key_id[:2]
        case _:
            return source, key_id[:2]
