"""LTKM, STKM and purse rules of OMA BCAST a second time: small, naive, and without any code of `card`.

Written from the project's fact sheet. Everything is a list that is searched from the front; a step that ends in a
refusal returns before anything is assigned. What the fact sheet leaves to us (numbers, order of payment, capacities,
extent of a deletion) is a parameter or said beside the line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.oracle.bcast_parents import Parents

MOST = 2**32 - 1
TEK_COUNTED = ("live_teks", "playback_teks")

# name: direction, what is due, paid from. Named by what they do, so that any numbering fits.
POLICIES: dict[str, tuple[str, str, str]] = {
    "live_ppt_key": ("live", "tek", "live"),
    "playback_ppt_key": ("playback", "tek", "playback"),
    "live_ppt_user": ("live", "tek", "user"),
    "playback_ppt_user": ("playback", "tek", "user"),
    "live_free": ("live", "never", ""),
    "playback_free": ("playback", "never", ""),
    "playback_counted": ("playback", "start", "count"),
    "live_ppv_user": ("live", "once", "user"),
    "playback_ppv_user": ("playback", "start", "user"),
    "live_teks": ("live", "tek", "count"),
    "playback_teks": ("playback", "tek", "count"),
    "live_ppt_service": ("live", "tek", "service"),
    "playback_ppt_service": ("playback", "tek", "service"),
}


@dataclass(frozen=True)
class Rules:
    """What the tables decide: SPE numbers in the order in which records pay, the switches, the capacities."""

    numbers: dict[str, int]
    live_order: tuple[str, ...]
    playback_order: tuple[str, ...]
    validity_in_identity: bool = False
    turned_ratings: bool = False  # the second set turns every system round, and holds back what is not rated
    groups: int = 3
    purses: int = 64
    records_per_key: int = 32
    history: int = 64
    recordings: int = 64
    remembered: int = 64


P1_NUMBERS = {
    "live_ppt_key": 0x0,
    "playback_ppt_key": 0x1,
    "live_ppt_user": 0x2,
    "playback_ppt_user": 0x3,
    "live_free": 0x4,
    "playback_free": 0x5,
    "playback_counted": 0x6,
    "live_ppv_user": 0x7,
    "playback_ppv_user": 0x8,
    "live_teks": 0x9,
    "playback_teks": 0xA,
}
LIVE_ORDER = ("live_free", "live_teks", "live_ppt_key", "live_ppt_service", "live_ppv_user", "live_ppt_user")
PLAYBACK_ORDER = (
    "playback_free",
    "playback_counted",
    "playback_teks",
    "playback_ppt_key",
    "playback_ppt_service",
    "playback_ppv_user",
    "playback_ppt_user",
)
P1_RULES = Rules(P1_NUMBERS, LIVE_ORDER, PLAYBACK_ORDER)
X2_RULES = Rules(
    {
        **{name: 0xF0 - value for name, value in P1_NUMBERS.items()},
        "live_ppt_service": 0xE4,
        "playback_ppt_service": 0xE3,
    },
    # The second set turns the order of payment round; what has equal rank keeps to the order of the records.
    LIVE_ORDER[::-1],
    PLAYBACK_ORDER[::-1],
    validity_in_identity=True,
    turned_ratings=True,
)


@dataclass(frozen=True)
class LtkmData:
    """An LTKM as the rules see it. `policy` None: no extension; "": extension with its policy flag clear."""

    key_id: tuple[bytes, bytes, bytes]  # key domain, key group, key number
    key: bytes
    lower: int
    upper: int
    ts: int
    policy: str | None = None
    cost: int = 0
    tokens: int | None = None
    counter: int | None = None
    add: bool = False
    keep: bool = False
    smk: int = 1  # number of the bootstrapping its SMK comes from


@dataclass(frozen=True)
class StkmData:
    """An STKM as the rules see it; `key` is what it was made with, `rating` (type, value) or None."""

    key_id: tuple[bytes, bytes, bytes]
    key: bytes
    mtk: int
    ts: int
    extended: bool = False
    rating: tuple[int, int] | None = None


@dataclass(frozen=True)
class Answer:
    """`outcome` is a name: done, or why not. `plain` says the plain MBMS form; `tek` that a TEK left."""

    outcome: str
    plain: bool = False
    tek: bool = False
    level: int | None = None


@dataclass
class Record:
    policy: str
    lower: int
    upper: int
    cost: int
    count: int
    keep: bool
    age: int
    paid: bool = False
    last: tuple[int, int] | None = None  # timestamp and MTK ID of the last STKM it let pass
    recorded: bool = False


@dataclass
class Key:
    key_id: tuple[bytes, bytes, bytes]
    key: bytes
    lower: int
    upper: int
    age: int
    counter: int = -1  # nothing heard yet
    mtk: int | None = None
    shown: bool = True
    guessed: bool = False
    records: list[Record] = field(default_factory=list)

    @property
    def group(self) -> tuple[bytes, bytes]:
        return self.key_id[:2]


def keeps(r: Record) -> bool:
    """What is left of the record's counter is kept for the group when it goes."""
    return r.keep and r.policy in TEK_COUNTED


@dataclass
class Recorded:
    content: tuple[bytes, bytes]
    key_id: tuple[bytes, bytes, bytes]
    first: int
    last: int


class Full(Exception):
    """There is no room."""


class Model:
    """What a card should remember and answer. Bootstrappings of the subscriber are numbered from 1."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.bootstrapped = 1
        self.ks: int | None = 1  # the bootstrapping whose Ks the card has
        self.naf_key: int | None = 1  # the bootstrapping from which the server's key was derived last
        self.muk: int | None = None  # the one generated last, once a message led the card to take it up
        self.used: int | None = None  # the one whose key the last accepted LTKM came under
        self.took_up = False  # the last message did so
        self.ltkm_ts: dict[int, int] = {}  # the last of each
        self.keys: list[Key] = []
        self.past: list[Key] = []  # keys that are gone and were heard live, the latest last
        self.money: dict[tuple[str, tuple[bytes, ...]], int] = {}
        self.recordings: list[Recorded] = []
        self.parents = Parents()
        self.age = 0

    # --- purses

    def purse(self, name: str, group: tuple[bytes, bytes]) -> tuple[str, tuple[bytes, ...]]:
        """The user purse belongs to the key domain, the others to the key group."""
        return name, group[:1] if name == "user" else group

    def balance(self, name: str, group: tuple[bytes, bytes]) -> int:
        return self.money.get(self.purse(name, group), 0)

    def room_for_purse(self, name: str, group: tuple[bytes, bytes]) -> None:
        """An empty purse takes no room; a group that keeps credit has room before there is any to keep."""
        if name == "user":
            taken = {owner for (kind, owner), value in self.money.items() if kind == "user" and value}
            wanted: tuple[bytes, ...] = group[:1]
        else:
            taken = {owner for (kind, owner), value in self.money.items() if kind != "user" and value}
            taken |= {key.group for key in self.keys if any(keeps(r) for r in key.records)}
            wanted = group
        if wanted not in taken and len(taken) >= self.rules.purses:
            raise Full("no place")

    # --- the key of the server

    def bootstrap(self) -> None:
        self.bootstrapped += 1
        self.ks = self.bootstrapped

    def derive(self) -> bool:
        """Return False where there is no Ks to derive from."""
        if self.ks is None:
            return False
        self.naf_key = self.ks
        return True

    def delete_muk(self, number: int) -> Answer:
        """TS 31.102 clause 7.1.1.10: the NAF key goes whatever it came from, Ks if it is that of the MUK."""
        if number != self.muk:
            return Answer("unknown key")
        self.muk = self.used = self.naf_key = None
        if self.ks == number:
            self.ks = None
        return Answer("done", plain=True)

    def take_up(self) -> None:
        """TS 31.102 clause 7.1.1.6: any MSK message leads to it, before its MAC is looked at."""
        self.took_up = self.naf_key not in (None, self.muk)
        if self.took_up:
            self.muk = self.naf_key

    def _objection_to_smk(self, smk: int, ts: int) -> str:
        if self.muk is None:
            return "no muk"
        if smk != self.muk:
            return "not fresh" if smk == self.used else "unknown key"
        return "replayed" if ts <= self.ltkm_ts.get(smk, -1) else ""

    # --- LTKM

    def ltkm(self, m: LtkmData) -> Answer:
        self.take_up()
        objection = self._objection_to_smk(m.smk, m.ts)
        if objection:
            return Answer(objection, plain=m.policy is None)
        saved = self.copy()
        try:
            answer = self._ltkm(m)
        except Full as full:
            self.__dict__.update(saved)
            return Answer(str(full))
        if answer.outcome in ("done", "capped"):
            self.accept(m.smk, m.ts)
        return answer

    def accept(self, smk: int, ts: int) -> None:
        self.used = smk
        self.ltkm_ts[smk] = ts

    def _ltkm(self, m: LtkmData) -> Answer:
        if not m.policy:
            self._plain(m)
            return Answer("done", m.policy is None)
        if m.policy not in self.rules.numbers:
            return Answer("unsupported")
        _, _, source = POLICIES[m.policy]
        if m.tokens is not None and source not in ("live", "playback", "user", "service"):
            return Answer("no purse")
        if m.key_id[2] == b"\0\0" or not m.key:
            if m.tokens is None:
                return Answer("no purse")
            return Answer("capped" if self._fill(m, source) else "done")
        if m.lower > m.upper:
            self._withdraw(m)
            return Answer("done")
        return Answer("capped" if self._policy(m, m.policy, source) else "done")

    def _plain(self, m: LtkmData) -> None:
        """Key Number 0 is a pull, no key means new limits of the one that is there; limits are of MTK IDs."""
        known = self.find(m.key_id)
        if m.key_id[2] == b"\0\0" or (not m.key and known is None):
            return
        key = self._put_key(m, show=True, plain=True)
        self._keep_credit(key.group, key.records)
        key.records = []
        key.mtk = None
        if key.guessed:
            key.counter, key.guessed = -1, False

    def _withdraw(self, m: LtkmData) -> None:
        key = self.find(m.key_id)
        if key is None:
            return
        self.remove(key, [r for r in key.records if r.policy == m.policy])

    def remove(self, key: Key, gone: list[Record]) -> None:
        """A key whose last record goes, goes too."""
        if not gone:
            return
        if len(gone) == len(key.records):
            self.forget(key)
            return
        self._keep_credit(key.group, gone)
        key.records = [r for r in key.records if not any(r is g for g in gone)]

    def _keep_credit(self, group: tuple[bytes, bytes], gone: list[Record]) -> None:
        left = sum(r.count for r in gone if keeps(r))
        if left:
            self.money["kept", group] = min(MOST, self.money.get(("kept", group), 0) + left)

    def _take_kept(self, group: tuple[bytes, bytes]) -> int:
        return self.money.pop(("kept", group), 0)

    def _fill(self, m: LtkmData, source: str) -> bool:
        if m.tokens is None:
            return False
        purse = self.purse(source, m.key_id[:2])
        total = m.tokens + (self.money.get(purse, 0) if m.add or m.keep else 0)
        if total:
            self.room_for_purse(source, m.key_id[:2])
        self.money[purse] = min(MOST, total)
        return total > MOST

    def _policy(self, m: LtkmData, policy: str, source: str) -> bool:
        old_key = self.find(m.key_id)
        records = old_key.records if old_key else []
        old = None
        for r in records:
            same_validity = (r.lower, r.upper) == (m.lower, m.upper)
            if r.policy == policy and (same_validity or not self.rules.validity_in_identity):
                old = r
                break
        if old is None and len(records) >= self.rules.records_per_key:
            raise Full("full")
        count = m.counter or 0
        if old is not None and (m.add or m.keep or m.counter is None):
            count += old.count
        if old is None and m.keep and policy in TEK_COUNTED:
            count += self._take_kept(m.key_id[:2])
        same_key = old_key is not None and old_key.key == m.key
        key = self._put_key(m, show=POLICIES[policy][0] == "live")
        capped = source == "count" and count > MOST
        count = min(MOST, count) if source == "count" else 0
        new = Record(policy, m.lower, m.upper, m.cost, count, m.keep, self.age)
        if keeps(new):
            self.room_for_purse("kept", key.group)
        if old is not None:
            new.recorded = old.recorded
            if same_key:
                new.last = old.last
                new.paid = old.paid and (old.lower, old.upper) == (m.lower, m.upper)
        key.records = [r for r in key.records if r is not old] + [new]
        if not same_key:
            for r in key.records:
                r.paid, r.last = False, None
        if key.guessed or key.counter < 0:
            # A key that was never heard live and can only be played back: everything it opens lies in the past.
            live = any(POLICIES[r.policy][0] == "live" for r in key.records)
            key.counter = -1 if live else max(r.upper for r in key.records)
            key.guessed = not live
        if source in ("live", "playback", "user", "service"):
            capped = self._fill(m, source) or capped
        return capped

    def _put_key(self, m: LtkmData, *, show: bool, plain: bool = False) -> Key:
        """At most two keys of a group are shown; a key that is only for play-back lives beside them.

        By the MBMS rules another key under the same identifier goes on with its counter (TS 31.102 clause 7.1.1.6).
        """
        self.age += 1
        key = self.find(m.key_id)
        if key is None:
            if not show:
                self._make_room()
            key = Key(m.key_id, m.key, m.lower, m.upper, self.age, shown=False)
            self.keys.append(key)
            self._recall(key)
        if m.key and key.key != m.key:
            if plain:
                key.key = m.key
                self._go_on(key)
            else:
                self._remember(key)
                key.key = m.key
                self._recall(key)
        key.lower, key.upper, key.age = m.lower, m.upper, self.age
        if show:
            self._show(key)
        return key

    def _show(self, key: Key) -> None:
        others = sorted(
            (k for k in self.keys if k.group == key.group and k.shown and k is not key), key=lambda k: k.age
        )
        if not others and not key.shown and len({k.group for k in self.keys if k.shown}) >= self.rules.groups:
            raise Full("no place")
        key.shown = True
        while len(others) > 1:
            oldest = others.pop(0)
            if self._outlives(oldest):
                self._make_room()
                oldest.shown = False
            else:
                self.forget(oldest)

    def _outlives(self, key: Key) -> bool:
        """Where no other key gives way, one that may go itself is not kept."""
        if not self.needed(key) and all(POLICIES[r.policy][0] == "live" for r in key.records):
            return False
        return self._room_beside() or self.needed(key, even_if_over=False)

    def _make_room(self) -> None:
        if not self._room_beside():
            raise Full("no place")
        if len(self._beside()) >= self.rules.history:
            self.forget(self._giving_way()[0])

    def _room_beside(self) -> bool:
        return len(self._beside()) < self.rules.history or bool(self._giving_way())

    def _beside(self) -> list[Key]:
        return sorted((k for k in self.keys if not k.shown), key=lambda k: k.age)

    def _giving_way(self) -> list[Key]:
        """The oldest key that is not shown and not needed, and only then one whose live credit is over."""
        idle = [k for k in self._beside() if not self.needed(k)]
        return idle + [k for k in self._beside() if not self.needed(k, even_if_over=False)]

    def needed(self, key: Key, *, even_if_over: bool = True) -> bool:
        """A recording needs the key, or what was bought with it is not used up and is not kept elsewhere."""
        for r in key.records:
            bought = (r.count and not keeps(r)) or (r.paid and key.counter < r.upper)
            if r.recorded or (bought and (even_if_over or not self.over(key, r))):
                return True
        return False

    def over(self, key: Key, r: Record) -> bool:
        """It is for live only, and some key of the group was heard live behind it: the broadcast went on (ours)."""
        later = [k for k in self.keys if k.group == key.group and k.counter > r.upper and not k.guessed]
        return POLICIES[r.policy][0] == "live" and bool(later)

    def _remember(self, key: Key) -> None:
        """A key that goes keeps its counter, however it goes: it may come back."""
        if key.counter >= 0 and not key.guessed:
            self.past.append(Key(key.key_id, key.key, 0, 0, 0, key.counter, key.mtk))
            self.past = self.past[-self.rules.remembered :]

    def _go_on(self, key: Key) -> None:
        """The counter of the key that is there, or that of the one that comes back, whichever is further."""
        here = key.counter, key.mtk, key.guessed
        self._recall(key)
        if (key.counter <= here[0] and not here[2]) or key.counter < 0:
            key.counter, key.mtk, key.guessed = here

    def _recall(self, key: Key) -> None:
        key.counter, key.mtk, key.guessed = -1, None, False
        for old in self.past:
            if (old.key_id, old.key) == (key.key_id, key.key):
                key.counter, key.mtk = old.counter, old.mtk
                self.past = [k for k in self.past if k is not old]
                return

    def forget(self, key: Key) -> None:
        self.keys = [k for k in self.keys if k is not key]
        self._remember(key)
        self._keep_credit(key.group, key.records)

    def find(self, key_id: tuple[bytes, bytes, bytes]) -> Key | None:
        for key in self.keys:
            if key.key_id == key_id:
                return key
        return None

    # --- STKM

    def stkm(self, m: StkmData) -> Answer:
        key = self.find(m.key_id)
        if key is None:
            return Answer("unknown key")
        if not key.records and key.lower > key.upper:
            return Answer("invalidated")
        if not key.records and not (key.lower if key.mtk is None else key.mtk) < m.mtk <= key.upper:
            return Answer("outside interval")
        if key.key != m.key:
            return Answer("wrong mac")
        if not key.records:
            if m.ts <= key.counter:
                return Answer("replayed", plain=True)
            if not m.extended:
                key.counter, key.mtk, key.guessed = m.ts, m.mtk, False
                return Answer("done", plain=True, tek=True)
            return self._rated(m, key, [], live=True)
        live = m.ts > key.counter
        direction = "live" if live else "playback"
        mine = [r for r in key.records if POLICIES[r.policy][0] == direction]
        if not mine:
            return Answer("no live right" if live else "replayed")
        valid = [r for r in mine if r.lower <= m.ts <= r.upper]
        if not valid:
            return Answer("outside validity" if live else "no play-back right")
        order = self.rules.live_order if live else self.rules.playback_order
        valid.sort(key=lambda r: (order.index(r.policy), r.upper, r.age))
        return self._rated(m, key, valid, live=live)

    def _rated(self, m: StkmData, key: Key, valid: list[Record], *, live: bool) -> Answer:
        level = self.parents.level_below(m.rating, turned=self.rules.turned_ratings)
        objection = self.parents.objection(key.group) if level is not None else ""
        if objection:
            return Answer(objection, level=level)
        refusal = self._pay(m, key, valid, live=live)
        if refusal:
            return Answer(refusal)
        if live:
            key.counter, key.mtk, key.guessed = m.ts, m.mtk, False
        self.parents.enter(key.group, with_pin=level is not None and self.parents.on)
        return Answer("done", tek=True)

    def _pay(self, m: StkmData, key: Key, valid: list[Record], *, live: bool) -> str:
        """Take what is due from one record; return why none can pay it, or nothing."""
        if not valid:
            return ""
        if live and key.mtk == m.mtk:
            return ""
        for r in valid:
            # The very same STKM too: what was paid can be asked for again.
            if not live and r.last is not None and m.ts >= r.last[0] and m.mtk == r.last[1]:
                r.last = m.ts, m.mtk
                return ""
        # What is free now goes first, whatever the order of payment: nothing is paid twice over.
        for r in sorted(valid, key=lambda r: self._price(m, r) > 0):
            _, due, source = POLICIES[r.policy]
            price = self._price(m, r)
            credit = r.count if source == "count" else self.balance(source, key.group) if source else 0
            if price > credit:
                continue
            if price and source == "count":
                r.count -= price
            elif price:
                self.money[self.purse(source, key.group)] = credit - price
            if due == "once":
                r.paid = True
            if not live:
                r.last = m.ts, m.mtk
            return ""
        first = valid[0].policy
        return {"playback_counted": "no play-backs", "live_teks": "no teks", "playback_teks": "no teks"}.get(
            first, "no credit"
        )

    def _price(self, m: StkmData, r: Record) -> int:
        """Return what an STKM costs under a record."""
        _, due, source = POLICIES[r.policy]
        goes_on = r.last is not None and m.ts > r.last[0]
        if due == "never" or (due == "once" and r.paid) or (due == "start" and goes_on):
            return 0
        return r.cost if source in ("live", "playback", "user", "service") else 1

    # --- the terminal's own operations

    def delete_group(self, group: tuple[bytes, bytes]) -> Answer:
        gone = [k for k in self.keys if k.group == group]
        if not gone:
            return Answer("unknown key")
        for key in gone:
            self.forget(key)
        return Answer("done", plain=True)

    def delete_policies(self, group: tuple[bytes, bytes], one: tuple[bytes, int, int, str] | None = None) -> Answer:
        found: list[tuple[Key, list[Record]]] = []
        for key in self.keys:
            if key.group == group:
                gone = [r for r in key.records if one is None or one == (key.key_id[2], r.lower, r.upper, r.policy)]
                if gone:
                    found.append((key, gone))
        if not found:
            return Answer("unknown key")
        if any(r.recorded for _, gone in found for r in gone):
            return Answer("recorded")
        for key, gone in found:
            self.remove(key, gone)
        return Answer("done")

    def signal_recording(
        self, content: tuple[bytes, bytes], key_id: tuple[bytes, bytes, bytes], first: int, last: int
    ) -> Answer:
        key = self.find(key_id)
        needed = [r for r in key.records if first <= r.upper and r.lower <= last] if key else []
        if not needed:
            return Answer("unknown key")
        new = Recorded(content, key_id, first, last)
        if new not in self.recordings:
            if len(self.recordings) >= self.rules.recordings:
                return Answer("no place")
            self.recordings.append(new)
        self._flag(key_id)
        return Answer("done")

    def delete_recording(self, content: tuple[bytes, bytes]) -> Answer:
        gone = [r for r in self.recordings if r.content == content]
        if not gone:
            return Answer("unknown key")
        self.recordings = [r for r in self.recordings if r.content != content]
        for r in gone:
            self._flag(r.key_id)
        return Answer("done")

    def _flag(self, key_id: tuple[bytes, bytes, bytes]) -> None:
        key = self.find(key_id)
        for r in key.records if key else []:
            r.recorded = any(
                other.key_id == key_id and other.first <= r.upper and r.lower <= other.last for other in self.recordings
            )

    # --- parental control

    def parental(
        self, ts: int, pin: str | None, level: tuple[int, int] | None, *, unblock: bool = False, smk: int = 1
    ) -> Answer:
        self.take_up()
        objection = self._objection_to_smk(smk, ts)
        if objection:
            return Answer(objection)
        self.accept(smk, ts)
        self.parents.told(pin, level, unblock=unblock)
        return Answer("done")

    # --- comparing

    def copy(self) -> dict[str, object]:
        from copy import deepcopy

        return deepcopy(self.__dict__)
