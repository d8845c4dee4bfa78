"""The card and the reference model of the BCAST rules in lock step, through APDUs, resets and power cuts.

After every step the card's own audit must tell what the model remembers, and the books must balance: they are kept from
what was sent and what came back alone. `make test` walks at least 5,000 steps on each set of tables, the nightly
profile 200,000; every outcome the tables have a status for must come up there (`test_bcast_tour.py` reaches each).
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.oracle.bcast_model import POLICIES, Answer, LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2
from tests.support.bcast import KEY_DOMAIN, OTHER_DOMAIN, OTHER_SEK, SEK
from tests.support.bcast_pair import ACCEPTED, Mishap, Pair
from tests.support.network import BM_SC
from tests.support.testcard import pin_bytes, tlv

GROUPS = [
    (KEY_DOMAIN, b"\x00\x01"),
    (KEY_DOMAIN, b"\x00\x02"),
    (OTHER_DOMAIN, b"\x00\x01"),
    (OTHER_DOMAIN, b"\x00\x07"),
]
STEPS = 100
MOST = 2**32 - 1
PLAYBACKS = [name for name, (direction, _, _) in POLICIES.items() if direction == "playback"]
KeyId = tuple[bytes, bytes, bytes]


def one_in(count: int) -> st.SearchStrategy[bool]:
    """Return True once in `count` times."""
    return st.sampled_from([False] * (count - 1) + [True])


groups = st.sampled_from(GROUPS)
numbers = st.sampled_from([b"\x00\x01", b"\x00\x02", b"\x00\x03"])
key_ids = st.tuples(groups, numbers).map(lambda pair: (*pair[0], pair[1]))
keys = st.sampled_from([SEK] * 7 + [OTHER_SEK])
policies = st.sampled_from([None, "", "odd", *POLICIES, *POLICIES, *POLICIES, "playback_counted", "live_ppt_user"])
timestamps = st.integers(1, 24)
bounds = st.one_of(
    st.just((1, 24)), st.just((1, 24)), st.just((5, MOST)), st.tuples(st.integers(0, 24), st.integers(0, 24))
)
mtks = st.integers(1, 4)
amounts = st.one_of(st.none(), *[st.integers(0, 6)] * 6, st.just(MOST))
contents = st.sampled_from([(bytes(17), b"one"), (bytes(17), b"two"), (b"\x01" + bytes(16), b"one")])
ratings = st.one_of(st.none(), st.none(), st.tuples(st.integers(1, 2), st.sampled_from([3, 9, 16])))
flags = st.booleans()
levels = st.one_of(st.none(), st.tuples(st.integers(1, 2), st.sampled_from([2, 9])))
pins = st.sampled_from(["1111", "2222"])


class BcastMachine(RuleBasedStateMachine):
    """See the module."""

    wire = P1
    steps = 0
    teks = 0
    outcomes: ClassVar[set[str]] = set()
    stkms: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(self.wire)
        self.pair.outcomes = type(self).outcomes
        self.pair.stkms = type(self).stkms
        self.model, self.it = self.pair.model, self.pair.it
        self.sent: list[tuple[bytes, StkmData]] = []
        self.delivered: list[tuple[bytes, LtkmData]] = []
        self.ltkm_ts = 0
        # The highest timestamp that passed for live, as long as the card has the key.
        self.highest_live: dict[tuple[KeyId, bytes], int] = {}

    def count(self) -> None:
        type(self).steps += 1

    def a_key(self, data: st.DataObject, *, known: bool) -> KeyId:
        """Draw a key that the card has, where it has one, or any key."""
        if known and self.model.keys:
            return data.draw(st.sampled_from([key.key_id for key in self.model.keys]))
        return data.draw(key_ids)

    # --- LTKMs

    @initialize(bought=st.lists(st.tuples(key_ids, st.sampled_from(sorted(POLICIES))), max_size=4), level=levels)
    def subscribe(self, bought: list[tuple[KeyId, str]], level: tuple[int, int] | None) -> None:
        """Many a card has something to spend from the start."""
        for key_id, policy in bought:
            self.deliver(key_id, SEK, (1, 24), policy, cost=1, tokens=5, counter=2)
        if level:
            self.control_parents("1111", level, unblock=False)

    @rule(
        data=st.data(), known=flags, key=keys, bounds=bounds, policy=policies, cost=st.integers(0, 3), tokens=amounts,
        counter=amounts, add=flags, keep=flags, without_key=one_in(10), old=one_in(10),
    )  # fmt: skip
    def ltkm(
        self, data: st.DataObject, known: bool, key: bytes, bounds: tuple[int, int], policy: str | None, cost: int,
        tokens: int | None, counter: int | None, add: bool, keep: bool, without_key: bool, old: bool,
    ) -> None:  # fmt: skip
        self.count()
        key_id = self.a_key(data, known=known)
        if without_key and policy:
            key_id = (*key_id[:2], b"\0\0")
        self.deliver(key_id, key, bounds, policy, cost, tokens, counter, add=add, keep=keep, old=old)

    @rule(key_id=key_ids, chosen=st.lists(st.sampled_from(sorted(POLICIES)), min_size=6, max_size=6, unique=True))
    def subscribe_to_everything(self, key_id: KeyId, chosen: list[str]) -> None:
        """More policies than a key has room for."""
        self.count()
        for policy in chosen:
            self.deliver(key_id, SEK, (1, 24), policy, cost=1, tokens=None, counter=2)

    def deliver(
        self, key_id: KeyId, key: bytes, bounds: tuple[int, int], policy: str | None, cost: int = 0,
        tokens: int | None = None, counter: int | None = None, *, add: bool = False, keep: bool = False,
        old: bool = False,
    ) -> None:  # fmt: skip
        if not policy:
            bounds = bounds[0], min(bounds[1], 0xFFFF)
        if policy and tokens is not None and POLICIES.get(policy, ("", "", ""))[2] in ("", "count") and cost:
            tokens = None  # seldom send tokens that have no purse
        self.ltkm_ts += 0 if old else 1
        m = LtkmData(key_id, key, *bounds, self.ltkm_ts, policy, cost, tokens, counter, add, keep, self.newest_smk())
        self.send_ltkm(self.pair.ltkm(m), m)

    def newest_smk(self) -> int:
        """The server uses the newest key that was derived."""
        return self.model.naf_key or self.model.muk or self.model.bootstrapped

    def send_ltkm(self, raw: bytes, m: LtkmData) -> None:
        answer = self.pair.ask(lambda: self.model.ltkm(m), lambda: self.it.update(raw), self.pair.expect_ltkm)
        if answer.outcome in ACCEPTED:
            self.pair.ledger.accepted(m)
        self.delivered.append((raw, m))

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def replay_ltkm(self, data: st.DataObject) -> None:
        self.count()
        self.send_ltkm(*data.draw(st.sampled_from(self.delivered[-8:])))

    @rule(step=st.sampled_from(["derive", "derive", "delete", "bootstrap"]))
    def renew_smk(self, step: str) -> None:
        """The key of the server is deleted, derived again, or superseded by another bootstrapping."""
        self.count()
        match step:
            case "derive":
                self.pair.derive()
            case "bootstrap":
                self.pair.bootstrap()
            case _:
                number = self.newest_smk()
                b_tid = self.pair.networks[number].b_tid
                body = b"\x04" + tlv(0xA0, tlv(0x80, b_tid) + tlv(0x82, BM_SC))
                self.pair.ask(
                    lambda: self.model.delete_muk(number), lambda: self.it.run(tlv(0x53, body)), self.pair.expect_ltkm
                )

    # --- STKMs

    @rule(data=st.data(), known=one_in(10), key=keys, mtk=mtks, later=st.integers(-3, 4), anywhere=one_in(4),
          ts=timestamps, extended=flags, rating=ratings)  # fmt: skip
    def stkm(
        self, data: st.DataObject, known: bool, key: bytes, mtk: int, later: int, anywhere: bool, ts: int,
        extended: bool, rating: tuple[int, int] | None,
    ) -> None:  # fmt: skip
        """Nine times in ten under a key that the card has, around the timestamps that decide what it is."""
        self.count()
        key_id = self.a_key(data, known=not known)
        found = self.model.find(key_id)
        if found is not None and not anywhere:
            last = [r.last[0] for r in found.records if r.last] or [found.counter]
            key, ts = found.key, data.draw(st.sampled_from([found.counter, *last])) + later
        self.watch_at(key_id, key, mtk, ts, extended=extended, rating=rating)

    def watch_at(
        self, key_id: KeyId, key: bytes, mtk: int, ts: int, *, extended: bool = False,
        rating: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        m = StkmData(key_id, key, mtk, min(max(1, ts), MOST), extended or rating is not None, rating)
        self.send_stkm(self.it.stkm(m).build(), m)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), mtks=st.lists(mtks, min_size=1, max_size=4), back=st.sampled_from([0, 0, 0, 1, 2]))
    def watch(self, data: st.DataObject, mtks: list[int], back: int) -> None:
        """Some STKMs of a key one after the other, from where it stands or a little before."""
        found = self.model.find(self.a_key(data, known=True))
        assert found is not None
        for ts, mtk in enumerate(mtks, found.counter + 1 - back):
            self.count()
            self.watch_at(found.key_id, found.key, mtk, ts)

    @precondition(lambda self: any(r.policy in PLAYBACKS for key in self.model.keys for r in key.records))
    @rule(data=st.data(), first=timestamps, mtks=st.lists(mtks, min_size=1, max_size=4), rewinds=st.integers(0, 3))
    def play(self, data: st.DataObject, first: int, mtks: list[int], rewinds: int) -> None:
        """Some STKMs of the past, perhaps over again."""
        playable = [key for key in self.model.keys if any(r.policy in PLAYBACKS for r in key.records)]
        found = data.draw(st.sampled_from(playable))
        for _ in range(1 + rewinds):
            for ts, mtk in enumerate(mtks, min(first, found.counter)):
                self.count()
                self.watch_at(found.key_id, found.key, mtk, ts)

    def send_stkm(self, raw: bytes, m: StkmData) -> None:
        known = self.model.find(m.key_id)
        live = known is not None and m.ts > known.counter
        wealth = self.pair.wealth()

        def check(answer: Answer, got: tuple[str, dict[int, bytes]]) -> None:
            self.pair.expect_stkm(m, answer, got)
            if answer.tek:
                type(self).teks += 1
                self.pair.ledger.left(m, "live" if live else "playback")

        answer = self.pair.ask(lambda: self.model.stkm(m), lambda: self.it.generate(raw), check)
        if answer.tek and live:
            assert m.ts > self.highest_live.get((m.key_id, m.key), 0), "an old STKM passed for live"
            self.highest_live[m.key_id, m.key] = m.ts
        assert self.pair.wealth() <= wealth, "credit out of nothing"
        self.sent.append((raw, m))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def replay_stkm(self, data: st.DataObject) -> None:
        self.count()
        self.send_stkm(*data.draw(st.sampled_from(self.sent[-8:])))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), position=st.integers(0, 10_000), bit=st.integers(0, 7))
    def forged_stkm(self, data: st.DataObject, position: int, bit: int) -> None:
        """One bit of a sent message turned over: no TEK, nothing changes, whatever it hits."""
        self.count()
        raw, _ = data.draw(st.sampled_from(self.sent[-4:]))
        forged = bytearray(raw)
        forged[position % len(raw)] ^= 1 << bit
        before = self.it.card.persistent(), self.it.card.volatile()
        sw, found = self.it.generate(bytes(forged))
        assert sw in ("6A80", "6A88", "9862", "9865")
        assert (found, self.it.card.persistent(), self.it.card.volatile()) == ({}, *before)

    # --- parental control

    @rule(pin=st.one_of(st.none(), pins), level=levels, unblock=flags)
    def parental_message(self, pin: str | None, level: tuple[int, int] | None, unblock: bool) -> None:
        self.count()
        self.control_parents(pin, level, unblock=unblock)

    def control_parents(self, pin: str | None, level: tuple[int, int] | None, *, unblock: bool) -> None:
        self.ltkm_ts += 1
        ts, smk = self.ltkm_ts, self.newest_smk()
        self.it.network = self.pair.networks[smk]
        raw = self.it.parental(ts, pin, level, unblock=unblock).build()
        self.pair.ask(
            lambda: self.model.parental(ts, pin, level, unblock=unblock, smk=smk),
            lambda: self.it.update(raw), self.pair.expect_ltkm,
        )  # fmt: skip

    @rule(pin=pins, times=st.sampled_from([1, 1, 3]))
    def verify_pin(self, pin: str, times: int) -> None:
        self.count()
        for _ in range(times):
            wanted = self.model.verify_pin(pin)
            assert self.it.card.send(f"002000{self.wire.pin:02X}08", pin_bytes(pin)).sw == wanted

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), level=levels, mtk=mtks, pin=pins, tries=st.sampled_from([0, 1, 3, 3]), value=ratings)
    def watch_what_is_rated(
        self, data: st.DataObject, level: tuple[int, int] | None, mtk: int, pin: str, tries: int,
        value: tuple[int, int] | None,
    ) -> None:  # fmt: skip
        """A level, perhaps tries at the PIN, and a rating of that type."""
        kind, granted = level or (1, 9)
        self.control_parents(None, (kind, granted), unblock=False)
        self.verify_pin(pin, tries)
        found = self.model.find(self.a_key(data, known=True))
        assert found is not None
        strict = 16 if self.model.rules.above_is_held else 1
        self.watch_at(found.key_id, found.key, mtk, found.counter + 1, rating=value or (kind, strict))

    @rule(pin=pins)
    def disable_pin(self, pin: str) -> None:
        self.count()
        wanted = self.model.disable_pin(pin)
        assert self.it.card.send(f"002600{self.wire.pin:02X}08", pin_bytes(pin)).sw == wanted

    @rule(group=st.one_of(st.none(), groups))
    def leave_service(self, group: tuple[bytes, bytes] | None) -> None:
        self.count()
        self.model.leave(group)
        assert self.it.operation("event", **self.it.key_fields(group or ())) == ("9000", b"")

    # --- deletions and recordings

    @rule(group=groups)
    def delete_group(self, group: tuple[bytes, bytes]) -> None:
        self.count()
        body = tlv(0x53, b"\x03" + group[0] + group[1])
        self.pair.ask(lambda: self.model.delete_group(group), lambda: self.it.run(body), self.pair.expect_ltkm)

    @rule(data=st.data(), known=flags, all_of_it=flags)
    def delete_policies(self, data: st.DataObject, known: bool, all_of_it: bool) -> None:
        self.count()
        group = self.a_key(data, known=known)[:2]
        here = [(key, r) for key in self.model.keys if key.group == group for r in key.records]
        one = None
        if here and not all_of_it:
            key, r = data.draw(st.sampled_from(here))
            one = key.key_id[2], r.lower, r.upper, r.policy
        self.delete(group, one)

    def delete(self, group: tuple[bytes, bytes], one: tuple[bytes, int, int, str] | None = None) -> None:
        fields = self.it.key_fields(group)
        if one is not None:
            number, lower, upper, policy = one
            validity = lower.to_bytes(4, "big") + upper.to_bytes(4, "big")
            fields |= {"key_number": number, "validity": validity, "spe": bytes((self.wire.rules.numbers[policy],))}
        self.pair.ask(
            lambda: self.model.delete_policies(group, one),
            lambda: self.it.deletion("delete policies", **fields), self.pair.expect_deletion,
        )  # fmt: skip

    @rule(data=st.data(), content=contents, known=flags, first=st.integers(0, 24), length=st.integers(0, 10))
    def signal_recording(
        self, data: st.DataObject, content: tuple[bytes, bytes], known: bool, first: int, length: int
    ) -> None:
        self.count()
        self.record(content, self.a_key(data, known=known), first, first + length)

    def record(self, content: tuple[bytes, bytes], key_id: KeyId, first: int, last: int) -> None:
        fields = {"terminal": content[0], "content": content[1], **self.it.key_fields(key_id)}
        interval = first.to_bytes(4, "big") + last.to_bytes(4, "big")

        def check(answer: Answer, got: tuple[str, bytes]) -> None:
            assert got[0] == {"done": "9000", "unknown key": "6A88", "no place": "9866"}[answer.outcome]

        self.pair.ask(
            lambda: self.model.signal_recording(content, key_id, first, last),
            lambda: self.it.operation("record", **fields, interval=interval), check,
        )  # fmt: skip

    @rule(content=contents)
    def delete_recording(self, content: tuple[bytes, bytes]) -> None:
        self.count()
        self.pair.ask(
            lambda: self.model.delete_recording(content),
            lambda: self.it.deletion("delete recording", terminal=content[0], content=content[1]),
            self.pair.expect_deletion,
        )

    # --- mishaps

    @rule()
    def reset(self) -> None:
        self.count()
        self.model.reset()
        self.it.card.card.reset()
        self.it.card.ready()

    @rule(mishap=st.sampled_from(Mishap))
    def something_is_about_to_happen(self, mishap: Mishap) -> None:
        """The next command that can fail does: power cut around its write, or an answer that is never fetched."""
        self.count()
        self.pair.mishap = mishap

    # --- what must always be true

    @invariant()
    def audit_agrees(self) -> None:
        self.pair.compare_purses(GROUPS)

    @invariant()
    def files_agree(self) -> None:
        self.pair.compare_files()

    @invariant()
    def books_balance(self) -> None:
        self.pair.ledger.check()


class X2Machine(BcastMachine):
    """The same on the second set of tables, which differs wherever it can."""

    wire = X2
    steps = 0
    teks = 0
    outcomes: ClassVar[set[str]] = set()
    stkms: ClassVar[Counter[str]] = Counter()


def walk(machine: type[BcastMachine], examples: int) -> None:
    """Run a machine."""
    machine.steps = machine.teks = 0
    machine.outcomes.clear()
    machine.stkms.clear()
    case = machine.TestCase
    case.settings = settings(max_examples=examples, stateful_step_count=STEPS, deadline=None, print_blob=True)
    case().runTest()
    print(f"{machine.wire.name}: {machine.steps} steps, {machine.teks} TEKs, {dict(machine.stkms)}")


@pytest.mark.parametrize("machine", [BcastMachine, X2Machine])
def test_card_and_model_agree(machine: type[BcastMachine]) -> None:
    walk(machine, 70)
    assert machine.steps >= 5_000
    assert machine.teks >= 100


@pytest.mark.nightly
@pytest.mark.parametrize("machine", [BcastMachine, X2Machine])
def test_card_and_model_agree_for_a_night(machine: type[BcastMachine]) -> None:
    walk(machine, 2_500)
    assert machine.steps >= 200_000
    assert machine.outcomes >= set(machine.wire.status)
