"""A card and the reference model of the BCAST rules that are asked the same, with mishaps in between."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from itertools import islice
from typing import Any, TypeVar

from tests.oracle.bcast_model import POLICIES, Answer, LtkmData, Model, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import BcastCard, objects, tek
from tests.support.bcast_ledger import Ledger
from tests.support.faulty_store import FaultyStore, PowerCut
from tests.support.network import bootstrap, derive_naf_keys, refused_naf_derivation
from tests.support.testcard import TestCard

T = TypeVar("T")
Got = tuple[str, dict[int, bytes]]
ACCEPTED = ("done", "capped")
EF_MSK, EF_MUK = 0x6FD7, 0x6FD8
WIRES: dict[str, Wire] = {wire.name: wire for wire in (P1, X2)}
_WRITES_OF_VERIFY = 2  # a try is taken before the comparison and given back behind it
_PLAIN = {
    "unknown key": "6A88", "wrong mac": "9862", "outside interval": "9865", "not fresh": "9865", "invalidated": "6985",
    "no muk": "6985",
}  # fmt: skip


class Mishap(Enum):
    """What happens to a command that would write."""

    LOST = "power fails before the write"
    KEPT = "power fails behind the write, before the answer"
    RESET = "the answer is announced and not fetched before a reset"
    ABANDONED = "the answer is announced and never fetched"


@functools.cache
def fresh_card(name: str) -> BcastCard:
    """Return a personalised card that others are copied from."""
    return BcastCard.new(WIRES[name])


class Pair:
    """See the module. `mishap` happens to the next question; `outcomes` collects what was answered."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.it = fresh_card(wire.name).again()
        self.model = Model(replace(wire.rules, records_per_key=5, history=3, recordings=3, purses=3))
        self.ledger = Ledger(one_record=not wire.rules.validity_in_identity)
        self.networks = {1: self.it.network}
        self.mishap: Mishap | None = None
        self.outcomes: set[str] = set()
        self.stkms: Counter[str] = Counter()
        self._muk_counters: dict[bytes, int] = {}

    def ask(self, tell: Callable[[], Answer], send: Callable[[], T], check: Callable[[Answer, T], None]) -> Answer:
        """Tell the model, send to the card, compare; a refusal must have changed nothing."""
        before = self.it.card.persistent()
        self.model.took_up = False
        mishap, self.mishap = self.mishap, None
        match mishap:
            case None:
                answer = tell()
                check(answer, send())
            case Mishap.LOST | Mishap.KEPT:
                answer = self._cut(mishap, tell, send, check)
            case _:
                answer = self._left_alone(tell, send, check)
                if mishap is Mishap.RESET:
                    self.power_on(self.it.card.store)
        if answer.outcome not in ACCEPTED:
            after = self.it.card.persistent()
            if self.model.took_up:  # a MUK stays taken up, and its NAF key used, whatever the message was worth
                before, after = (
                    {name: value for name, value in state.items() if not name.startswith(("muk/", "naf/"))}
                    for state in (before, after)
                )
            assert after == before, f"{answer.outcome}, yet something changed"
        return answer

    def _cut(self, mishap: Mishap, tell: Callable[[], Answer], send: Callable[[], T],
             check: Callable[[Answer, T], None]) -> Answer:  # fmt: skip
        store = self.it.card.store
        self.power_on(FaultyStore(store, _WRITES_OF_VERIFY + 1, before=mishap is Mishap.LOST))
        saved = self.model.copy()
        answer = tell()
        try:
            check(answer, send())
        except PowerCut:
            took_up = self.model.took_up
            assert answer.outcome in ACCEPTED or took_up
            if mishap is Mishap.LOST or took_up:
                self.model.__dict__.update(saved)
                answer = Answer("power cut")
            if mishap is Mishap.KEPT and took_up:
                self.model.take_up()
        self.power_on(store)
        return answer

    def _left_alone(self, tell: Callable[[], Answer], send: Callable[[], T],
                    check: Callable[[Answer, T], None]) -> Answer:  # fmt: skip
        answer = tell()
        self.it.fetching = False
        got = send()
        self.it.fetching = True
        if not isinstance(got, tuple) or got[0] != "62F3":
            check(answer, got)
        return answer

    def power_on(self, store: Any) -> None:
        """Power the card anew over a store."""
        self.it.card = TestCard(store).ready()
        self.model.parents.reset()

    # --- the key of the server

    def bootstrap(self) -> None:
        """Run another bootstrapping."""
        self.model.bootstrap()
        number = self.model.bootstrapped
        self.networks[number] = bootstrap(self.it.card, number)

    def derive(self) -> None:
        """Run the NAF derivation."""
        if self.model.derive():
            derive_naf_keys(self.it.card)
        else:
            refused_naf_derivation(self.it.card)

    # --- what the card must say

    def expect_ltkm(self, answer: Answer, got: Got) -> None:
        """Compare the answer to an LTKM."""
        sw, found = got
        if answer.outcome == "no place":
            assert sw == "9866"
        elif answer.outcome in _PLAIN:
            assert (sw, found) == (_PLAIN[answer.outcome], {})
        elif answer.plain:
            assert (sw, found) == (("9000", {0xDB: b""}) if answer.outcome == "done" else ("9862", {})), answer
        else:
            outcome = "replayed ltkm" if answer.outcome == "replayed" else answer.outcome
            self._expect_status(outcome, sw, found, self.wire.tags["status"])

    def expect_stkm(self, m: StkmData, answer: Answer, got: Got) -> None:
        """Compare the answer to an STKM."""
        self.stkms[answer.outcome] += 1
        sw, found = got
        if answer.outcome in _PLAIN:
            assert (sw, found) == (_PLAIN[answer.outcome], {})
        elif answer.plain:
            assert (sw, found) == (("9000", {0xDB: tek(m.mtk)}) if answer.tek else ("9865", {}))
        else:
            self._expect_status(answer.outcome, sw, found, self.wire.tags["status"])
            assert found.get(self.wire.tags["tek"]) == (tek(m.mtk) if answer.tek else None)
        if answer.level is not None:
            assert m.rating is not None
            held = bytes((self.wire.pin, *m.rating, answer.level))
            assert found[self.wire.tags["held"]] == held

    def expect_deletion(self, answer: Answer, got: Got) -> None:
        """Compare the answer to a deletion."""
        if answer.outcome in _PLAIN:
            assert got == (_PLAIN[answer.outcome], {})
        else:
            self._expect_status(answer.outcome, *got, self.wire.audit["status"])

    def _expect_status(self, outcome: str, sw: str, found: dict[int, bytes], tag: int) -> None:
        self.outcomes.add(outcome)
        wanted = self.wire.status[outcome]
        if wanted < 0x100:
            assert (sw, found.get(tag)) == ("9000", bytes((wanted,))), outcome
        else:
            assert (sw, found) == (f"{wanted:04X}", {}), outcome

    # --- what must always be true

    def compare_purses(self, groups: list[tuple[bytes, bytes]]) -> None:
        """What the card's audit tells of its purses is what the model remembers."""
        purses = self.it.purses()
        for group in groups:
            names = ["live", "playback", "kept"] + ["service"] * ("live_ppt_service" in self.wire.rules.numbers)
            if group in purses:
                names.append("user")  # a group without anything is not told of, though its domain has a purse
            wanted = {name: self.model.balance(name, group) for name in names}
            assert purses.get(group, dict.fromkeys(names, 0)) == wanted
            assert self._card_policies(group) == self._model_policies(group)

    def _card_policies(self, group: tuple[bytes, bytes]) -> list[tuple[Any, ...]]:
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

    def _model_policies(self, group: tuple[bytes, bytes]) -> list[tuple[Any, ...]]:
        rules = self.model.rules
        return sorted(
            (
                key.key_id[2], rules.numbers[r.policy], r.lower, r.upper,
                r.cost if POLICIES[r.policy][2] not in ("", "count") else 0, r.count, r.recorded,
            )
            for key in self.model.keys if key.group == group for r in key.records
        )  # fmt: skip

    def compare_files(self) -> None:
        """EF_MSK shows at most two keys of a group with their live counters; no counter in EF_MUK ever falls."""
        shown = {(key.key_id, max(0, key.counter)) for key in self.model.keys if key.shown}
        found = set()
        for number in range(1, 4):
            record = self.it.card.record(EF_MSK, number)
            if record == b"\xff" * len(record):
                continue
            domain, count, pairs = record[:3], record[3], record[4:]
            for start in range(0, 8 * count, 8):
                group, key_number = pairs[start : start + 2], pairs[start + 2 : start + 4]
                found.add(((domain, group, key_number), int.from_bytes(pairs[start + 4 : start + 8], "big")))
        assert found == shown
        record = self.it.card.record(EF_MUK, 1)
        if record[0] == 0xA0:
            (_, identities), (_, counter) = islice(objects(record), 2)
            number = int.from_bytes(counter, "big")
            assert number >= self._muk_counters.get(identities, 0), "an LTKM counter fell"
            self._muk_counters[identities] = number

    def wealth(self) -> int:
        """Return all credit of the model: purses, counters, and what was kept."""
        counts = sum(r.count for key in self.model.keys for r in key.records)
        return sum(self.model.money.values()) + counts

    # --- messages

    def ltkm(self, m: LtkmData) -> bytes:
        """Return an LTKM under the SMK of its bootstrapping."""
        self.it.network = self.networks[m.smk]
        return self.it.ltkm(m).build()
