"""The card and the reference model of the BCAST rules in lock step, through APDUs, resets and power cuts.

After every step the card's own audit must tell what the model remembers. `make test` walks at least 5,000 steps on each
set of tables, the nightly profile 200,000.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from card.store.faulty import FaultyStore, PowerCut
from tests.oracle.bcast_model import POLICIES, Answer, LtkmData, Model, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import KEY_DOMAIN, OTHER_DOMAIN, OTHER_SEK, SEK, BcastCard, tek
from tests.support.testcard import TestCard, pin_bytes, tlv

GROUPS = [
    (KEY_DOMAIN, b"\x00\x01"),
    (KEY_DOMAIN, b"\x00\x02"),
    (OTHER_DOMAIN, b"\x00\x01"),
    (OTHER_DOMAIN, b"\x00\x07"),
]
STEPS = 100
_WRITES_OF_VERIFY = 2  # a try is taken before the comparison and given back behind it

groups = st.sampled_from(GROUPS)
numbers = st.sampled_from([b"\x00\x01", b"\x00\x02", b"\x00\x03"])
key_ids = st.tuples(groups, numbers).map(lambda pair: (*pair[0], pair[1]))
keys = st.sampled_from([SEK, SEK, SEK, OTHER_SEK])
timestamps = st.integers(1, 24)
bounds = st.one_of(st.just((1, 24)), st.tuples(st.integers(0, 24), st.integers(0, 24)), st.just((5, 2**32 - 1)))
mtks = st.integers(1, 4)
amounts = st.one_of(st.integers(0, 6), st.just(2**32 - 1))
contents = st.sampled_from([(bytes(17), b"one"), (bytes(17), b"two"), (b"\x01" + bytes(16), b"one")])
ratings = st.one_of(st.none(), st.tuples(st.integers(1, 2), st.sampled_from([3, 9, 16])))
flags = st.booleans()
levels = st.one_of(st.none(), st.tuples(st.integers(1, 2), st.sampled_from([2, 9])))
pins = st.sampled_from(["1111", "2222"])


WIRES: dict[str, Wire] = {wire.name: wire for wire in (P1, X2)}


@functools.cache
def fresh_card(name: str) -> BcastCard:
    """Return a personalised card that others are copied from."""
    return BcastCard.new(WIRES[name])


class BcastMachine(RuleBasedStateMachine):
    """See the module."""

    wire = P1
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.it = fresh_card(self.wire.name).again()
        rules = self.wire.rules
        self.model = Model(type(rules)(**{**rules.__dict__, "records_per_key": 5, "history": 3, "recordings": 3}))
        self.sent: list[tuple[bytes, StkmData]] = []
        self.ltkm_ts = 0
        # The highest timestamp that passed for live, as long as the card has the key.
        self.highest_live: dict[tuple[Any, bytes], int] = {}

    def count(self) -> None:
        type(self).steps += 1

    # --- what the card must say

    def expect_ltkm(self, answer: Answer, got: tuple[str, dict[int, bytes]]) -> None:
        sw, found = got
        if answer.outcome == "no place":
            assert sw == "9866"
        elif answer.plain:
            assert (sw, found) == (("9000", {0xDB: b""}) if answer.outcome == "done" else ("9862", {})), answer
        else:
            outcome = "replayed ltkm" if answer.outcome == "replayed" else answer.outcome
            self.expect_status(outcome, sw, found)

    def expect_status(self, outcome: str, sw: str, found: dict[int, bytes]) -> None:
        wanted = self.wire.status[outcome]
        if wanted < 0x100:
            assert (sw, found.get(self.wire.tags["status"])) == ("9000", bytes((wanted,))), outcome
        else:
            assert (sw, found) == (f"{wanted:04X}", {}), outcome

    def expect_stkm(self, answer: Answer, got: tuple[str, dict[int, bytes]], m: StkmData) -> None:
        sw, found = got
        plain = {"unknown key": "6A88", "wrong mac": "9862", "outside interval": "6985"}
        if answer.outcome in plain:
            assert (sw, found) == (plain[answer.outcome], {})
        elif answer.plain:
            assert (sw, found) == (("9000", {0xDB: tek(m.mtk)}) if answer.tek else ("9862", {}))
        else:
            self.expect_status(answer.outcome, sw, found)
            assert found.get(self.wire.tags["tek"]) == (tek(m.mtk) if answer.tek else None)
        if answer.level is not None:
            assert m.rating is not None
            held = bytes((self.wire.pin, *m.rating, answer.level))
            assert found[self.wire.tags["held"]] == held

    # --- rules

    @rule(
        key_id=key_ids, key=keys, bounds=bounds, policy=st.sampled_from([None, "", "odd", *POLICIES, *POLICIES]),
        cost=st.integers(0, 3), tokens=st.one_of(st.none(), amounts), counter=st.one_of(st.none(), amounts),
        add=st.booleans(), keep=st.booleans(), without_key=st.sampled_from([False] * 9 + [True]),
        old=st.sampled_from([False] * 9 + [True]),
    )  # fmt: skip
    def ltkm(
        self, key_id: tuple[bytes, bytes, bytes], key: bytes, bounds: tuple[int, int], policy: str | None, cost: int,
        tokens: int | None, counter: int | None, add: bool, keep: bool, without_key: bool, old: bool,
    ) -> None:  # fmt: skip
        self.count()
        if without_key and policy:
            key_id = (*key_id[:2], b"\0\0")
        if not policy:
            bounds = bounds[0], min(bounds[1], 0xFFFF)
        if policy and tokens is not None and POLICIES.get(policy, ("", "", ""))[2] in ("", "count") and cost:
            tokens = None  # seldom send tokens that have no purse
        self.ltkm_ts += 0 if old else 1
        m = LtkmData(key_id, key, *bounds, self.ltkm_ts, policy, cost, tokens, counter, add, keep)
        self.expect_ltkm(self.model.ltkm(m), self.it.update(self.it.ltkm(m).build()))

    @rule(key_id=key_ids, key=st.sampled_from([SEK] * 7 + [OTHER_SEK]), mtk=mtks, ts=timestamps,
          extended=st.booleans(), rating=ratings)  # fmt: skip
    def stkm(
        self, key_id: tuple[bytes, bytes, bytes], key: bytes, mtk: int, ts: int, extended: bool,
        rating: tuple[int, int] | None,
    ) -> None:  # fmt: skip
        self.count()
        m = StkmData(key_id, key, mtk, ts, extended or rating is not None, rating)
        self.send_stkm(self.it.stkm(m).build(), m)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), mtk=mtks, later=st.integers(-3, 4), extended=st.booleans(), rating=ratings)
    def stkm_of_a_known_key(
        self, data: st.DataObject, mtk: int, later: int, extended: bool, rating: tuple[int, int] | None
    ) -> None:
        """As above, with a timestamp around the one that decides between live and play-back."""
        self.count()
        key = data.draw(st.sampled_from([key.key_id for key in self.model.keys]))
        known = self.model.find(key)
        assert known is not None
        last = [r.last[0] for r in known.records if r.last] or [known.counter]
        ts = min(max(1, data.draw(st.sampled_from([known.counter, *last])) + later), 2**32 - 1)
        m = StkmData(key, known.key, mtk, ts, extended or rating is not None, rating)
        self.send_stkm(self.it.stkm(m).build(), m)

    def send_stkm(self, raw: bytes, m: StkmData) -> None:
        before = self.it.card.persistent()
        known = self.model.find(m.key_id)
        live = known is not None and m.ts > known.counter
        wealth = self.wealth()
        answer = self.model.stkm(m)
        self.expect_stkm(answer, self.it.generate(raw), m)
        if not answer.tek:
            assert self.it.card.persistent() == before, "a refused STKM changed something"
        elif live:
            assert m.ts > self.highest_live.get((m.key_id, m.key), 0), "an old STKM passed for live"
            self.highest_live[m.key_id, m.key] = m.ts
        assert self.wealth() <= wealth, "credit out of nothing"
        self.sent.append((raw, m))

    def wealth(self) -> int:
        """Return all credit of the card: purses, counters, and what was kept."""
        counts = sum(r.count for key in self.model.keys for r in key.records)
        return sum(self.model.money.values()) + counts

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def replay_stkm(self, data: st.DataObject) -> None:
        self.count()
        raw, m = data.draw(st.sampled_from(self.sent[-8:]))
        self.send_stkm(raw, m)

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
        assert sw in ("6A80", "6A88", "9862")
        assert (found, self.it.card.persistent(), self.it.card.volatile()) == ({}, *before)

    @rule(pin=st.one_of(st.none(), pins), level=levels, unblock=st.booleans())
    def parental_message(self, pin: str | None, level: tuple[int, int] | None, unblock: bool) -> None:
        self.count()
        self.ltkm_ts += 1
        answer = self.model.parental(self.ltkm_ts, pin, level, unblock=unblock)
        self.expect_ltkm(answer, self.it.update(self.it.parental(self.ltkm_ts, pin, level, unblock=unblock).build()))

    @rule(pin=pins)
    def verify_pin(self, pin: str) -> None:
        self.count()
        wanted = self.model.verify_pin(pin)
        assert self.it.card.send(f"002000{self.wire.pin:02X}08", pin_bytes(pin)).sw == wanted

    @rule(group=st.one_of(st.none(), groups))
    def leave_service(self, group: tuple[bytes, bytes] | None) -> None:
        self.count()
        self.model.leave(group)
        assert self.it.operation("event", **self.it.key_fields(group or ())) == ("9000", b"")

    @rule(group=groups)
    def delete_group(self, group: tuple[bytes, bytes]) -> None:
        self.count()
        answer = self.model.delete_group(group)
        sw, _ = self.it.run(tlv(0x53, b"\x03" + group[0] + group[1]))
        assert sw == ("9000" if answer.outcome == "done" else "6A88")

    @rule(group=groups, data=st.data())
    def delete_policies(self, group: tuple[bytes, bytes], data: st.DataObject) -> None:
        self.count()
        here = [(key, r) for key in self.model.keys if key.group == group for r in key.records]
        one, fields = None, self.it.key_fields(group)
        choose: bool = data.draw(flags)
        if here and choose:
            key, r = data.draw(st.sampled_from(here))
            one = key.key_id[2], r.lower, r.upper, r.policy
            validity = r.lower.to_bytes(4, "big") + r.upper.to_bytes(4, "big")
            spe = bytes((self.model.rules.numbers[r.policy],))
            fields |= {"key_number": key.key_id[2], "validity": validity, "spe": spe}
        answer = self.model.delete_policies(group, one)
        sw, found = self.it.deletion("delete policies", **fields)
        if answer.outcome == "unknown key":
            assert sw == "6A88"
        else:
            wanted = self.wire.status[answer.outcome]
            status = (sw, found.get(self.wire.audit["status"]))
            assert status == (("9000", bytes((wanted,))) if wanted < 0x100 else (f"{wanted:04X}", None))

    @rule(content=contents, key_id=key_ids, first=st.integers(0, 24), length=st.integers(0, 10))
    def signal_recording(
        self, content: tuple[bytes, bytes], key_id: tuple[bytes, bytes, bytes], first: int, length: int
    ) -> None:
        self.count()
        answer = self.model.signal_recording(content, key_id, first, first + length)
        interval = first.to_bytes(4, "big") + (first + length).to_bytes(4, "big")
        sw, _ = self.it.operation(
            "record", terminal=content[0], content=content[1], **self.it.key_fields(key_id), interval=interval
        )
        assert sw == {"done": "9000", "unknown key": "6A88", "no place": "9866"}[answer.outcome]

    @rule(content=contents)
    def delete_recording(self, content: tuple[bytes, bytes]) -> None:
        self.count()
        answer = self.model.delete_recording(content)
        sw, _ = self.it.deletion("delete recording", terminal=content[0], content=content[1])
        assert sw == ("9000" if answer.outcome == "done" else "6A88")

    @rule()
    def reset(self) -> None:
        self.count()
        self.model.reset()
        self.it.card.card.reset()
        self.it.card.ready()

    @rule(key_id=key_ids, mtk=mtks, ts=timestamps, before=st.booleans())
    def power_cut(self, key_id: tuple[bytes, bytes, bytes], mtk: int, ts: int, before: bool) -> None:
        """Power fails at the write of an STKM: afterwards the card stands before the STKM or behind it."""
        self.count()
        known = self.model.find(key_id)
        m = StkmData(key_id, known.key if known else SEK, mtk, ts)
        store = self.it.card.store
        self.it.card = TestCard(FaultyStore(store, _WRITES_OF_VERIFY + 1, before=before)).ready()
        self.model.reset()
        saved = self.model.copy()
        answer = self.model.stkm(m)
        try:
            self.expect_stkm(answer, self.it.generate(self.it.stkm(m).build()), m)
            assert not answer.tek or self.it.card.persistent() == store.load()
        except PowerCut:
            assert answer.tek
            if before:
                self.model.__dict__.update(saved)
        known = self.model.find(key_id)
        if answer.tek and known is not None and known.counter == m.ts:
            self.highest_live[key_id, m.key] = max(m.ts, self.highest_live.get((key_id, m.key), 0))
        self.it.card = TestCard(store).ready()
        self.model.reset()

    # --- what must always be true

    @invariant()
    def audit_agrees(self) -> None:
        purses = self.it.purses()
        for group in GROUPS:
            shown = purses.get(group, {"user": 0, "live": 0, "playback": 0, "kept": 0})
            wanted = {name: self.model.balance(name, group) for name in ("live", "playback", "kept")}
            assert {name: shown[name] for name in wanted} == wanted
            if group in purses:
                assert shown["user"] == self.model.balance("user", group)
            assert self.card_policies(group) == self.model_policies(group)

    def card_policies(self, group: tuple[bytes, bytes]) -> list[tuple[Any, ...]]:
        rows = []
        for found in self.it.policies(group):
            count = found.get("play-backs") or found.get("teks") or bytes(4)
            flagged = bool(found["properties"][0] & self.wire.recorded_bit)
            cost = int.from_bytes(found.get("cost", b""), "big")
            validity = found["validity"]
            row = (
                found["key number"], found["spe"][0], int.from_bytes(validity[:4], "big"),
                int.from_bytes(validity[4:], "big"), cost, int.from_bytes(count, "big"), flagged,
            )  # fmt: skip
            rows.append(row)
        return sorted(rows)

    def model_policies(self, group: tuple[bytes, bytes]) -> list[tuple[Any, ...]]:
        rules = self.model.rules
        return sorted(
            (
                key.key_id[2], rules.numbers[r.policy], r.lower, r.upper,
                r.cost if POLICIES[r.policy][2] not in ("", "count") else 0, r.count, r.recorded,
            )
            for key in self.model.keys if key.group == group for r in key.records
        )  # fmt: skip

    @invariant()
    def files_agree(self) -> None:
        """EF_MSK shows at most two keys of a group with their live counters."""
        shown = {(key.key_id, key.counter) for key in self.model.keys if key.shown}
        found = set()
        for number in range(1, 4):
            record = self.it.card.record(0x6FD7, number)
            domain, count, pairs = record[:3], record[3], record[4:]
            for start in range(0, 8 * count, 8):
                group, key_number = pairs[start : start + 2], pairs[start + 2 : start + 4]
                found.add(((domain, group, key_number), int.from_bytes(pairs[start + 4 : start + 8], "big")))
        assert found == shown


class X2Machine(BcastMachine):
    """The same on the second set of tables, which differs wherever it can."""

    wire = X2
    steps = 0


def walk(machine: type[BcastMachine], examples: int) -> None:
    """Run a machine; it must have made its steps."""
    machine.steps = 0
    case = machine.TestCase
    case.settings = settings(max_examples=examples, stateful_step_count=STEPS, deadline=None, print_blob=True)
    case().runTest()


@pytest.mark.parametrize("machine", [BcastMachine, X2Machine])
def test_card_and_model_agree(machine: type[BcastMachine]) -> None:
    walk(machine, 70)
    assert machine.steps >= 5_000


@pytest.mark.nightly
@pytest.mark.parametrize("machine", [BcastMachine, X2Machine])
def test_card_and_model_agree_for_a_night(machine: type[BcastMachine]) -> None:
    walk(machine, 2_500)
    assert machine.steps >= 200_000
