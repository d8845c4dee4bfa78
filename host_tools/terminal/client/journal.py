"""What a terminal must not forget about one BSM: items in force, requests without an answer, LTKMs and their answers.

It holds no key. A request that costs is written down before it goes out, an LTKM before the card sees it, and its
answer before that goes back: wherever the process ends, the next one can go on (provisional, ours).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

MOST_ITEMS = 256
MOST_PENDING = 32
MOST_LTKMS = 64
MOST_TRIGGERS = 256
MOST_TOLD = 16
MOST_STOCK = 256
LTKM_KEPT = timedelta(hours=24)
PENDING_KEPT = timedelta(hours=24)
"""As long as a BSM of ours keeps the answer to a requestID."""
TRIGGER_KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Item:
    """What the terminal wants to receive: a serviceID, and until when; None for no end that is known."""

    service_id: str
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that costs and has no answer yet: its requestID, which procedure, and the body as it went out."""

    request_id: str
    procedure: str
    body: bytes = field(repr=False)
    since: datetime


@dataclass(frozen=True, slots=True)
class KeptLtkm:
    """An LTKM (by its octets) that was given to the card; `taken` once the card took it.

    `is_bcast`: it has the extension of OMA BCAST, and may credit. `verification` is what was sent back. One that is
    taken without it was lost with a crash: `owed` until a registration has told the BSM.
    """

    octets: bytes = field(repr=False)
    b_tid: str
    counter: int
    since: datetime
    is_bcast: bool = False
    taken: bool = False
    verification: bytes | None = field(default=None, repr=False)
    owed: bool = False


@dataclass(slots=True)
class Journal:
    """The journal for one BSM. Every table is bounded; the oldest entry gives way.

    `address` is where the terminal registered from, which is where keys go; "" for nobody knows. `stock` is what the
    account had before an order in a web shop whose outcome has not been looked up yet; None where nothing is open. With
    `stock_is_cut` it had older items, too.
    """

    b_tid: str = ""
    tmpi: str = ""
    is_registered: bool = False
    address: str = ""
    stock: tuple[str, ...] | None = None
    stock_is_cut: bool = False
    items: dict[str, Item] = field(default_factory=dict)
    pending: dict[str, Pending] = field(default_factory=dict)
    ltkms: list[KeptLtkm] = field(default_factory=list)
    triggers: dict[str, datetime] = field(default_factory=dict)

    # Items in force

    def put_item(self, item: Item) -> None:
        """Take an item up; the end of one that is known already is replaced."""
        self.items.pop(item.service_id, None)
        self.items[item.service_id] = item
        _bound(self.items, MOST_ITEMS)

    def drop_items(self, service_ids: Iterable[str]) -> None:
        """Items are in force no longer; with the last one the registration is gone, at the BSM as well."""
        for service_id in service_ids:
            self.items.pop(service_id, None)
        if not self.items:
            self.is_registered, self.address = False, ""

    def purge(self, now: datetime) -> tuple[str, ...]:
        """Drop what is over; return the serviceIDs of the items that are: they stand in no registration any more."""
        over = tuple(item.service_id for item in self.items.values() if item.ends is not None and item.ends <= now)
        if over:
            self.drop_items(over)
        self.pending = {name: one for name, one in self.pending.items() if now - one.since < PENDING_KEPT}
        self.triggers = {name: since for name, since in self.triggers.items() if now - since < TRIGGER_KEPT}
        self.ltkms = [one for one in self.ltkms if now - one.since < LTKM_KEPT or one.owed or not one.taken]
        return over

    # Requests that cost

    def begin(self, pending: Pending) -> None:
        """Write a request down before it goes out."""
        self.pending[pending.request_id] = pending
        _bound(self.pending, MOST_PENDING)

    def answered(self, request_id: str) -> None:
        """Cross a request off."""
        self.pending.pop(request_id, None)

    # LTKMs

    @property
    def given(self) -> KeptLtkm | None:
        """The LTKM that was given to the card and of which nobody knows what came: at most one."""
        return next((one for one in self.ltkms if not one.taken), None)

    @property
    def to_tell(self) -> tuple[KeptLtkm, ...]:
        """What a registration tells the BSM: LTKMs that the card took.

        Those whose verification message is lost, and those that may have credited: after a change of SMK the BSM must
        know of each whether it is to be minted again.
        """
        taken = [one for one in reversed(self.ltkms) if one.taken and (one.owed or one.is_bcast)]
        return tuple(sorted(taken, key=lambda one: not one.owed)[:MOST_TOLD])

    def find(self, octets: bytes) -> KeptLtkm | None:
        """Return what is known of an LTKM that the card took."""
        return next((one for one in self.ltkms if one.taken and one.octets == octets), None)

    def giving(self, ltkm: KeptLtkm) -> None:
        """Write an LTKM down before the card sees it."""
        self.ltkms = [one for one in self.ltkms if one.octets != ltkm.octets][-(MOST_LTKMS - 1) :]
        self.ltkms.append(ltkm)

    def took(self, octets: bytes, verification: bytes | None, *, owed: bool = False) -> None:
        """The card took the LTKM that was given."""
        self.ltkms = [
            replace(one, taken=True, verification=verification, owed=owed) if one.octets == octets else one
            for one in self.ltkms
        ]

    def refused(self, octets: bytes) -> None:
        """The card did not take the LTKM that was given, and may see it again."""
        self.ltkms = [one for one in self.ltkms if one.octets != octets or one.taken]

    def told(self) -> None:
        """The BSM was told of the LTKMs that are owed."""
        self.ltkms = [replace(one, owed=False) for one in self.ltkms]

    # Triggers

    def triggered(self, trigger_id: str, now: datetime) -> bool:
        """Remember a trigger; tell whether it is new."""
        if trigger_id in self.triggers:
            return False
        self.triggers[trigger_id] = now
        _bound(self.triggers, MOST_TRIGGERS)
        return True


def _bound(table: dict[str, Item] | dict[str, Pending] | dict[str, datetime], most: int) -> None:
    while len(table) > most:
        del table[next(iter(table))]
