"""The books of a subscriber, kept from what was sent and what came back: no rule of the card and none of the model.

Every TEK that left the card is priced at the least that any policy ever delivered for its key asks. What that makes in
each purse and counter must have been received there.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from tests.oracle.bcast_model import POLICIES, TEK_COUNTED, LtkmData, StkmData

KeyId = tuple[bytes, bytes, bytes]
Pool = tuple[str, tuple[bytes, ...]]
Price = tuple[str, Pool, int]  # what is due when, from where, how much
FREE: Price = ("never", ("", ()), 0)


@dataclass
class Ledger:
    """Credit by pool, offers by key and direction, and the TEKs that left: key, timestamp, MTK ID.

    `one_record`: a key has one record of each policy, so that the starts of its play-backs can be counted.
    """

    one_record: bool
    received: dict[Pool, int] = field(default_factory=lambda: defaultdict(int))
    offers: dict[tuple[KeyId, str], set[Price]] = field(default_factory=lambda: defaultdict(set))
    teks: dict[tuple[KeyId, str], list[tuple[bytes, int, int]]] = field(default_factory=lambda: defaultdict(list))

    def accepted(self, m: LtkmData) -> None:
        """Note an LTKM that the card took."""
        if not m.policy:
            self.offers[m.key_id, "live"].add(FREE)
            return
        direction, due, source = POLICIES[m.policy]
        pool = _pool(m.policy, source, m.key_id)
        if source != "count":
            self.received[pool] += m.tokens or 0
        if m.key_id[2] == b"\0\0" or m.lower > m.upper:
            return
        if source == "count":
            self.received[pool] += m.counter or 0
        price = 1 if source == "count" else m.cost
        self.offers[m.key_id, direction].add((due, pool, price) if source and price else FREE)

    def left(self, m: StkmData, direction: str) -> None:
        """Note a TEK that the terminal has."""
        self.teks[m.key_id, direction].append((m.key, m.ts, m.mtk))

    def check(self) -> None:
        """Fail when more left the card than was received."""
        owed: dict[Pool, int] = defaultdict(int)
        for name, teks in self.teks.items():
            offers = self.offers[name]
            pools = {pool for _, pool, _ in offers}
            if len(pools) == 1 and FREE not in offers:
                # Which of several pools paid cannot be told from outside.
                dues = {due for due, _, _ in offers}
                owed[pools.pop()] += self._times(dues, name[1], teks) * min(price for _, _, price in offers)
        for pool, sum_ in owed.items():
            assert sum_ <= self.received[pool], f"{pool[0]}: {sum_} spent, {self.received[pool]} received"

    def _times(self, dues: set[str], direction: str, teks: list[tuple[bytes, int, int]]) -> int:
        """Return how often something was due, at least. The same TEK again may be free."""
        if dues == {"tek"} and direction == "live":
            by_key = [[mtk for key, _, mtk in teks if key == one] for one in {key for key, _, _ in teks}]
            return sum(1 + sum(a != b for a, b in pairwise(mtks)) for mtks in by_key)
        if dues == {"tek"}:
            return len({mtk for _, _, mtk in teks})
        if dues == {"start"} and self.one_record:
            return 1 + sum(b[1] < a[1] for a, b in pairwise(teks))
        return 1


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
