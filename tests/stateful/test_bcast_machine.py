"""The card and the reference model of the BCAST rules in lock step, through APDUs, resets and power cuts.

After every step the card's own audit must tell what the model remembers, and the books must balance: they are kept from
what was sent and what came back alone. `make test` walks at least 5,000 steps on each set of tables, the nightly
profile 200,000. Every outcome the tables have a status for must come up by chance in the nightly walk only;
`test_bcast_tour.py` reaches each in `make test`.
"""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.oracle.bcast_model import POLICIES
from tests.oracle.bcast_parents import strictest
from tests.oracle.bcast_wire import P1, X2
from tests.support.bcast import KEY_DOMAIN, OTHER_DOMAIN, OTHER_SEK, SEK
from tests.support.bcast_pair import Mishap
from tests.support.bcast_walk import MOST, KeyId, Tally, Walk
from tests.support.network import FQDN
from tests.support.testcard import pin_bytes, tlv

GROUPS = [
    (KEY_DOMAIN, b"\x00\x01"),
    (KEY_DOMAIN, b"\x00\x02"),
    (OTHER_DOMAIN, b"\x00\x01"),
    (OTHER_DOMAIN, b"\x00\x07"),
]
STEPS = 100
PLAYBACKS = [name for name, (direction, _, _) in POLICIES.items() if direction == "playback"]


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
ratings = st.one_of(st.none(), st.none(), st.tuples(st.integers(1, 2), st.sampled_from([3, 6, 9, 16])))
flags = st.booleans()
levels = st.one_of(st.none(), st.tuples(st.integers(1, 2), st.sampled_from([2, 9])))
pins = st.sampled_from(["1111", "2222"])


class BcastMachine(RuleBasedStateMachine):
    """See the module."""

    wire = P1
    tally: ClassVar[Tally] = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.walk = Walk(self.wire, self.tally)
        self.pair, self.model, self.it = self.walk.pair, self.walk.model, self.walk.it

    def count(self) -> None:
        self.tally.steps += 1

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
            self.walk.deliver(key_id, SEK, (1, 24), policy, cost=1, tokens=5, counter=2)
        if level:
            self.walk.control_parents("1111", level, unblock=False)

    @rule(
        data=st.data(), known=flags, key=keys, bounds=bounds, policy=policies, cost=st.integers(0, 3), tokens=amounts,
        counter=amounts, add=flags, keep=flags, without_key=one_in(10), old=one_in(10), former_smk=one_in(10),
        empty=one_in(20),
    )  # fmt: skip
    def ltkm(
        self, data: st.DataObject, known: bool, key: bytes, bounds: tuple[int, int], policy: str | None, cost: int,
        tokens: int | None, counter: int | None, add: bool, keep: bool, without_key: bool, old: bool,
        former_smk: bool, empty: bool,
    ) -> None:  # fmt: skip
        self.count()
        key_id = self.a_key(data, known=known)
        if without_key:
            key_id = (*key_id[:2], b"\0\0")
        key = b"" if empty and policy is None else key
        self.walk.deliver(
            key_id, key, bounds, policy, cost, tokens, counter, add=add, keep=keep, old=old, former_smk=former_smk
        )

    @rule(key_id=key_ids, chosen=st.lists(st.sampled_from(sorted(POLICIES)), min_size=6, max_size=6, unique=True))
    def subscribe_to_everything(self, key_id: KeyId, chosen: list[str]) -> None:
        """More policies than a key has room for."""
        self.count()
        for policy in chosen:
            self.walk.deliver(key_id, SEK, (1, 24), policy, cost=1, tokens=None, counter=2)

    @rule(group=groups, counter=st.integers(1, 3))
    def keep_and_renew(self, group: tuple[bytes, bytes], counter: int) -> None:
        self.count()
        self.walk.keep_and_renew(group, counter)

    @precondition(lambda self: self.walk.delivered)
    @rule(data=st.data())
    def replay_ltkm(self, data: st.DataObject) -> None:
        self.count()
        self.walk.send_ltkm(*data.draw(st.sampled_from(self.walk.delivered[-8:])))

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
                number = self.walk.newest_smk()
                b_tid = self.pair.networks[number].b_tid
                body = b"\x04" + tlv(0xA0, tlv(0x80, b_tid) + tlv(0x82, FQDN))
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
        self.walk.watch_at(key_id, key, mtk, ts, extended=extended, rating=rating)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), mtks=st.lists(mtks, min_size=1, max_size=4), back=st.sampled_from([0, 0, 0, 1, 2]))
    def watch(self, data: st.DataObject, mtks: list[int], back: int) -> None:
        """Some STKMs of a key one after the other, from where it stands or a little before."""
        found = self.model.find(self.a_key(data, known=True))
        assert found is not None
        for ts, mtk in enumerate(mtks, max(0, found.counter) + 1 - back):
            self.count()
            self.walk.watch_at(found.key_id, found.key, mtk, ts)

    @precondition(lambda self: any(r.policy in PLAYBACKS for key in self.model.keys for r in key.records))
    @rule(data=st.data(), first=timestamps, mtks=st.lists(mtks, min_size=1, max_size=4), rewinds=st.integers(0, 3))
    def play(self, data: st.DataObject, first: int, mtks: list[int], rewinds: int) -> None:
        """Some STKMs of the past, perhaps over again."""
        playable = [key for key in self.model.keys if any(r.policy in PLAYBACKS for r in key.records)]
        found = data.draw(st.sampled_from(playable))
        for _ in range(1 + rewinds):
            for ts, mtk in enumerate(mtks, min(first, found.counter)):
                self.count()
                self.walk.watch_at(found.key_id, found.key, mtk, ts)

    @precondition(lambda self: self.walk.sent)
    @rule(data=st.data())
    def replay_stkm(self, data: st.DataObject) -> None:
        self.count()
        self.walk.send_stkm(*data.draw(st.sampled_from(self.walk.sent[-8:])))

    @precondition(lambda self: self.walk.sent)
    @rule(data=st.data(), position=st.integers(0, 10_000), bit=st.integers(0, 7))
    def forged_stkm(self, data: st.DataObject, position: int, bit: int) -> None:
        """One bit of a sent message turned over: no TEK, nothing changes, whatever it hits."""
        self.count()
        raw, _ = data.draw(st.sampled_from(self.walk.sent[-4:]))
        forged = bytearray(raw)
        forged[position % len(raw)] ^= 1 << bit
        before = self.it.card.persistent(), self.it.card.volatile()
        sw, found = self.it.generate(bytes(forged))
        assert sw in ("6700", "6985", "6A88", "9862", "9865")
        assert (found, self.it.card.persistent(), self.it.card.volatile()) == ({}, *before)

    # --- parental control

    @rule(pin=st.one_of(st.none(), pins), level=levels, unblock=flags)
    def parental_message(self, pin: str | None, level: tuple[int, int] | None, unblock: bool) -> None:
        self.count()
        self.walk.control_parents(pin, level, unblock=unblock)

    @rule(pin=pins, times=st.sampled_from([1, 1, 3]))
    def verify_pin(self, pin: str, times: int) -> None:
        self.count()
        for _ in range(times):
            self.walk.verify_pin(pin)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), level=levels, mtk=mtks, pin=pins, tries=st.sampled_from([0, 1, 3, 3]), value=ratings)
    def watch_what_is_rated(
        self, data: st.DataObject, level: tuple[int, int] | None, mtk: int, pin: str, tries: int,
        value: tuple[int, int] | None,
    ) -> None:  # fmt: skip
        """A level, perhaps tries at the PIN, and a rating of that type."""
        kind, granted = level or (1, 9)
        self.walk.control_parents(None, (kind, granted), unblock=False)
        for _ in range(tries):
            self.walk.verify_pin(pin)
        found = self.model.find(self.a_key(data, known=True))
        assert found is not None
        strict = strictest(kind, turned=self.model.rules.turned_ratings)
        self.walk.watch_at(found.key_id, found.key, mtk, found.counter + 1, rating=value or (kind, strict))

    @rule(pin=pins)
    def disable_pin(self, pin: str) -> None:
        self.count()
        wanted = self.model.parents.disable(pin)
        assert self.it.card.send(f"002600{self.wire.pin:02X}08", pin_bytes(pin)).sw == wanted

    @rule(group=st.one_of(st.none(), groups))
    def leave_service(self, group: tuple[bytes, bytes] | None) -> None:
        self.count()
        self.model.parents.leave(group)
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
        self.walk.delete(group, one)

    @rule(data=st.data(), content=contents, known=flags, first=st.integers(0, 24), length=st.integers(0, 10))
    def signal_recording(
        self, data: st.DataObject, content: tuple[bytes, bytes], known: bool, first: int, length: int
    ) -> None:
        self.count()
        self.walk.record(content, self.a_key(data, known=known), first, first + length)

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
        self.model.parents.reset()
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
    tally: ClassVar[Tally] = Tally()


def walk(machine: type[BcastMachine], examples: int) -> Tally:
    """Run a machine and return what it met."""
    machine.tally = Tally()
    case = machine.TestCase
    case.settings = settings(max_examples=examples, stateful_step_count=STEPS, deadline=None, print_blob=True)
    case().runTest()
    met = machine.tally
    print(f"{machine.wire.name}: {met.steps} steps, {met.teks} TEKs, {met.judged} judged, {dict(met.stkms)}")
    return met


@pytest.mark.parametrize("machine", [BcastMachine, X2Machine])
def test_card_and_model_agree(machine: type[BcastMachine]) -> None:
    met = walk(machine, 80)
    assert met.steps >= 5_000
    assert met.teks >= 100
    assert met.judged >= 150


@pytest.mark.nightly
@pytest.mark.parametrize("machine", [BcastMachine, X2Machine])
def test_card_and_model_agree_for_a_night(machine: type[BcastMachine]) -> None:
    met = walk(machine, 2_500)
    assert met.steps >= 200_000
    assert met.judged >= 5_000
    assert met.outcomes >= set(machine.wire.status)
