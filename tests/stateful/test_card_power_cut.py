"""The power is cut at every write of a session; the card is in the state before or after the command, never between.

Commands with an early commit (a PIN try is spent before the comparison) have two writes; between them the try counter
alone may have fallen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from card.personalisation.personalise import personalise
from card.ports import Store
from card.store.faulty import FaultyStore, PowerCut
from card.store.memory import MemoryStore
from tests.support.network import (
    KEY_DOMAIN,
    MSK_DELETION,
    MSK_UPDATE,
    MTK_GENERATION,
    MUK_DELETION,
    bootstrap,
    deliver,
    derive_naf_keys,
    rand,
    stkm,
    vector,
)
from tests.support.profiles import ADM1, PIN1, PIN2, PUK1, card_profile
from tests.support.testcard import SELECT_USIM, Answer, TestCard, lv, pin_bytes, tlv

Contents = dict[str, bytes]
PIN_INSTRUCTIONS = {0x20, 0x24, 0x26, 0x28, 0x2C}


@dataclass(frozen=True)
class Write:
    """A commit: the APDU that made it, by number, and what the store held after it."""

    apdu: int
    contents: Contents


class ObservedStore(MemoryStore):
    """Notes what it holds after every commit."""

    def __init__(self, contents: Contents) -> None:
        super().__init__(contents)
        self.writes: list[Write] = []
        self.apdu = -1

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit(changes)
        self.writes.append(Write(self.apdu, self.load()))


class RecordingCard(TestCard):
    """Keeps the APDUs it was sent."""

    __test__ = False

    def __init__(self, store: ObservedStore) -> None:
        super().__init__(store)
        self.sent: list[bytes] = []
        self.observed = store

    def send(self, *parts: str | bytes) -> Answer:
        raw = b"".join(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)
        self.observed.apdu = len(self.sent)
        self.sent.append(raw)
        return super().send(raw)


def session(card: TestCard) -> None:
    """PINs, files, two bootstrappings, keys coming, used, replaced, withdrawn and deleted."""
    card.ok(SELECT_USIM)
    assert card.verify(0x01, "9999").sw == "63C2"
    assert card.verify(0x01, PIN1).sw == "9000"
    assert card.verify(0x81, PIN2).sw == "9000"
    assert card.verify(0x0A, ADM1).sw == "9000"
    card.ok("0024000110", pin_bytes(PIN1), pin_bytes("4321"))
    card.ok("0026000108", pin_bytes("4321"))
    card.ok("0028000108", pin_bytes("4321"))
    assert card.send("002C000110", pin_bytes("00000000"), pin_bytes("1234")).sw == "63C9"
    card.ok("002C000110", pin_bytes(PUK1), pin_bytes(PIN1))
    card.ok("00A4000C026F7B")
    card.ok("00D6000003112233")
    card.ok("00DC010C0411F2FF00")
    card.ok("0088008122", lv(rand(9), vector(1, rand(9))["autn"]))
    first = bootstrap(card, 2)
    derive_naf_keys(card)
    deliver(card, first.ltkm(1))
    deliver(card, first.ltkm(2, msk_id=bytes.fromhex("00010002"), verify=False))
    assert card.mbms(MTK_GENERATION, stkm(first.ltkm(1), 1).build()).sw == "9000"
    assert card.mbms(MTK_GENERATION, stkm(first.ltkm(1), 1).build()).sw == "9862"
    second = bootstrap(card, 3)
    derive_naf_keys(card)
    deliver(card, second.ltkm(1, msk_id=bytes.fromhex("00010003")))
    assert card.mbms(MTK_GENERATION, stkm(second.ltkm(1), 1, msk_id=bytes.fromhex("00010003")).build()).sw == "9000"
    deliver(card, second.ltkm(2, msk_id=bytes.fromhex("00010003"), lower=b"\2", upper=b"\1"))
    deliver(card, second.ltkm(3, msk_id=bytes.fromhex("00020001")))
    assert card.mbms(MSK_DELETION, KEY_DOMAIN + b"\0\1").sw == "9000"
    muk = tlv(0xA0, tlv(0x80, second.b_tid) + tlv(0x82, second.ltkm().id_i))
    assert card.mbms(MUK_DELETION, muk).sw == "9000"
    assert card.mbms(MSK_UPDATE, b"").sw == "6A80"


@pytest.fixture(scope="module")
def reference() -> tuple[Contents, list[bytes], list[Write]]:
    """Return a new card's memory, the APDUs of the session, and its writes."""
    store = MemoryStore()
    personalise(card_profile(), store)
    observed = ObservedStore(store.load())
    card = RecordingCard(observed)
    session(card)
    return store.load(), card.sent, observed.writes


def replay(store: Store, apdus: list[bytes]) -> int:
    """Send the session again until the power goes; return the number of the APDU that did not end."""
    card = TestCard(store)
    for number, apdu in enumerate(apdus):
        try:
            card.card.transmit(apdu)
        except PowerCut:
            return number
    raise AssertionError("the power was not cut")


def test_every_write_of_the_session(reference: tuple[Contents, list[bytes], list[Write]]) -> None:
    start, apdus, writes = reference
    for cut, write in enumerate(writes, 1):
        for before in (True, False):
            inner = MemoryStore(start)
            interrupted = replay(FaultyStore(inner, cut, before=before), apdus)
            place = f"cut {cut} of {len(writes)}, {'before' if before else 'after'}, APDU {apdus[write.apdu][:5].hex()}"
            assert interrupted == write.apdu, place
            previous = writes[cut - 2].contents if cut > 1 else start
            assert inner.load() == (previous if before else write.contents), place
            reopened = TestCard(MemoryStore(inner.load()))
            assert reopened.exchange(SELECT_USIM.replace("040C", "0404")).sw == "9000", place
            assert reopened.persistent() == inner.load(), place
    assert len(writes) >= 30, f"only {len(writes)} cut points"


def test_only_pin_commands_write_twice_and_first_only_their_counter(
    reference: tuple[Contents, list[bytes], list[Write]],
) -> None:
    start, apdus, writes = reference
    states = [start, *(write.contents for write in writes)]
    twice = [n for n in range(1, len(writes)) if writes[n].apdu == writes[n - 1].apdu]
    assert len(twice) >= 7, "right PINs write twice: the try that is taken, then all tries given back"
    for second in twice:
        assert apdus[writes[second].apdu][1] in PIN_INSTRUCTIONS
        assert changed_fields(states[second - 1], states[second]) <= {"tries_left", "puk_tries_left"}


def changed_fields(before: Contents, after: Contents) -> set[str]:
    """Return the fields of the PIN records that differ; any other key that differs is returned as it is."""
    found: set[str] = set()
    for key in before.keys() | after.keys():
        if before.get(key) == after.get(key):
            continue
        if not key.startswith("pin/"):
            found.add(key)
            continue
        old, new = json.loads(before[key]), json.loads(after[key])
        found |= {field for field in new if old[field] != new[field]}
    return found
