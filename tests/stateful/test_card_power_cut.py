"""The power is cut at every write of a session; the card is in the state before or after the command, never between.

Commands with an early commit (a PIN try is spent before the comparison) have two writes; between them the try counter
alone may have fallen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from card.personalisation.personalise import personalise
from card.ports import Store
from card.profile.cat import CatCommand, CatProfile, CatStep
from card.profile.schema import CardProfile
from card.spec.ins import INS
from card.store.memory import MemoryStore
from tests.support.faulty_store import FaultyStore, PowerCut
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
from tests.support.platform_cards import COUNTER, OBJECTS, RECORDS, platform_profile
from tests.support.profiles import (
    ADM1,
    GUARDED,
    OPEN_CYCLIC,
    OPEN_LINEAR,
    OPEN_TRANSPARENT,
    PIN1,
    PIN2,
    PUK1,
    PUK2,
    UNIVERSAL,
    card_profile,
)
from tests.support.testcard import SELECT_USIM, Answer, TestCard, lv, pin_bytes, tlv

Contents = dict[str, bytes]
PIN_INSTRUCTIONS = {INS.VERIFY_PIN, INS.CHANGE_PIN, INS.DISABLE_PIN, INS.ENABLE_PIN, INS.UNBLOCK_PIN}
WRITING_INSTRUCTIONS = PIN_INSTRUCTIONS | {
    INS.UPDATE_BINARY, INS.UPDATE_RECORD, INS.INCREASE, INS.SET_DATA,
    INS.DEACTIVATE_FILE, INS.ACTIVATE_FILE, INS.TERMINATE_EF, INS.AUTHENTICATE,
}  # fmt: skip
"""The instructions of the platform session that write. All others it sends leave the memory alone."""
SILENT_INSTRUCTIONS = {
    INS.SELECT, INS.STATUS, INS.READ_BINARY, INS.READ_RECORD, INS.SEARCH_RECORD, INS.RETRIEVE_DATA, INS.GET_RESPONSE,
    INS.MANAGE_CHANNEL, INS.TERMINAL_CAPABILITY, INS.TERMINAL_PROFILE, INS.FETCH, INS.TERMINAL_RESPONSE, INS.ENVELOPE,
    INS.GET_CHALLENGE,
}  # fmt: skip


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


class TracedCard(TestCard):
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
    assert card.mbms(MTK_GENERATION, stkm(first.ltkm(1), 1).build()).sw == "9865"
    second = bootstrap(card, 3)
    derive_naf_keys(card)
    deliver(card, second.ltkm(1, msk_id=bytes.fromhex("00010003")))
    assert card.mbms(MTK_GENERATION, stkm(second.ltkm(1), 1, msk_id=bytes.fromhex("00010003")).build()).sw == "9000"
    deliver(card, second.ltkm(2, msk_id=bytes.fromhex("00010003"), lower=b"\2", upper=b"\1"))
    deliver(card, second.ltkm(3, msk_id=bytes.fromhex("00020001")))
    assert card.mbms(MSK_DELETION, KEY_DOMAIN + b"\0\1").sw == "9000"
    muk = tlv(0xA0, tlv(0x80, second.b_tid) + tlv(0x82, second.ltkm().id_i))
    assert card.mbms(MUK_DELETION, muk).sw == "9000"
    assert card.mbms(MSK_UPDATE, b"").sw == "9862"


def platform_session(card: TestCard) -> None:
    """What a UICC does without the keys of a network: PINs, files, life cycles, channels and toolkit."""
    pins(card)
    files(card)
    data_objects(card)
    life_cycles(card)
    channels(card)
    toolkit(card)
    card.ok(f"00E8080002{RECORDS:04X}")


def pins(card: TestCard) -> None:
    """Block, unblock, disable, replace, enable and change PINs; end with all of them verified."""
    card.ok(SELECT_USIM)
    for left in ("63C2", "63C1", "63C0"):
        assert card.verify(0x81, "9999").sw == left
    assert card.verify(0x81, PIN2).sw == "6983"
    assert card.send("002C008110", pin_bytes("00000000"), pin_bytes(PIN2)).sw == "63C9"
    card.ok("002C008110", pin_bytes(PUK2), pin_bytes("8642"))
    card.ok("0024008110", pin_bytes("8642"), pin_bytes(PIN2))
    card.ok("0028001108", pin_bytes(UNIVERSAL))
    card.ok("0026910108", pin_bytes(PIN1))
    assert card.verify(0x11, UNIVERSAL).sw == "9000"
    assert card.send("0028000108", pin_bytes("9999")).sw == "63C2"
    card.ok("0028000108", pin_bytes(PIN1))
    assert card.send("0024000110", pin_bytes("9999"), pin_bytes(PIN1)).sw == "63C2"
    assert card.send("0026000108", pin_bytes("9999")).sw == "63C1"
    card.unlocked()


def files(card: TestCard) -> None:
    """Write transparent, linear fixed and cyclic files, by selection and by SFI, and count."""
    card.ok(f"00A4000C02{GUARDED:04X}")
    card.ok("00D6000403A1A2A3")
    card.ok("00A4000C023F00")
    card.ok("00D69B0002AABB")
    card.ok(f"00A4000C02{OPEN_TRANSPARENT:04X}")
    card.ok("00D6000E02CCDD")
    card.refused("6B00", "00D6001002CCDD")
    card.ok(f"00A4000C02{OPEN_LINEAR:04X}")
    card.ok("00DC020403B2B2B2")
    card.ok("00DC000203C1C1C1")
    card.ok("00DC01B403D1D1D1")
    card.refused("6A83", "00DC090403B2B2B2")
    card.ok(f"00A4000C02{OPEN_CYCLIC:04X}")
    card.ok("00DC000303000009")
    card.ok("80328B000101")
    card.ok(f"00A4000C02{COUNTER:04X}")
    card.ok("8032000003000002")
    card.refused("9850", "8032000003FFFFFF")
    card.ok("80F2000000")


def data_objects(card: TestCard) -> None:
    """Store an object in one block, one in two, replace one, delete one; leave one half sent."""
    card.ok(f"00A4000C02{OBJECTS:04X}")
    card.ok("80DB0080058103010203")
    large = tlv(0x82, bytes(300))
    assert card.send("80DB0080FF", large[:255]).sw == "63F1"
    card.ok("80DB0000", bytes((len(large) - 255,)), large[255:])
    card.ok("80DB00800381010A")
    card.ok("80DB00800180")
    assert card.send("80DB0080FF", large[:255]).sw == "63F1"
    card.ok("80CB0080018100")


def life_cycles(card: TestCard) -> None:
    """Deactivate and activate by FID and as the current file; what is deactivated is not written."""
    card.ok(f"0004000002{RECORDS:04X}")
    card.refused("6984", "00DC01040411223344")
    card.ok("00440000")
    card.ok("00DC01040455667788")
    card.ok("00040800067FFF5F3A4F3A")
    card.ok("00440800067FFF5F3A4F3A")


def channels(card: TestCard) -> None:
    """Write and authenticate on a second channel, while the first stays where it is."""
    assert card.ok("0070000001") == b"\x01"
    card.ok("01A4040C07A0000000871004")
    assert card.send("0120000108", pin_bytes("9999")).sw == "63C2"
    card.ok("0120000108", pin_bytes(PIN1))
    waiting = card.send("0188008122", lv(rand(7), vector(1, rand(7))["autn"])).sw
    assert card.send("01C00000", waiting[2:]).data.startswith("DB")
    card.ok("01A4040C10", bytes.fromhex(SELECT_USIM[10:]))
    card.ok("01A4000C026F7B")
    card.ok("01D6000003445566")
    card.ok("00708001")
    card.ok("0084000008")


def toolkit(card: TestCard) -> None:
    """Terminal capability and profile, one proactive command from announcement to response, an event."""
    card.ok("80AA000009A907800301000A8100")
    announced = card.send("8010000014", b"\xff" * 20).sw
    assert announced[:2] == "91"
    card.ok("80120000", announced[2:])
    card.ok("801400000C", "810301030082028281830100")
    card.ok("80C2000009", "D607990104820282818500"[:18])


def sim_view(card: TestCard) -> None:
    """The same card through class A0, which excludes a USIM session: CHV, UPDATE, INVALIDATE and REHABILITATE."""
    assert card.verify(0x0A, ADM1).sw == "9000"
    for fid in ("3F00", f"{RECORDS:04X}"):
        assert card.send("A0A4000002", fid).sw[:2] == "9F"
    assert card.send("A020000108", pin_bytes("9999")).sw == "9804"
    card.ok("A020000108", pin_bytes(PIN1))
    card.ok("A0DC020404" + "99AABBCC")
    card.ok("A004000000")
    card.ok("A044000000")
    assert card.send("A0A4000002", f"{COUNTER:04X}").sw[:2] == "9F"
    assert card.send("A032000003000001").sw[:2] == "9F"


@dataclass(frozen=True)
class Script:
    """A session, the card it is for, and how often it writes at least."""

    profile: Callable[[], CardProfile]
    session: Callable[[TestCard], None]
    cuts: int
    twice: int


def _platform_profile() -> CardProfile:
    return platform_profile(cat=CatProfile(steps=(CatStep(CatCommand.POLL_INTERVAL, seconds=30),)))


SCRIPTS = {
    "keys": Script(card_profile, session, 33, 7),
    "platform": Script(_platform_profile, platform_session, 49, 10),
    "sim": Script(_platform_profile, sim_view, 9, 2),
}


@dataclass(frozen=True)
class Reference:
    """A session without a cut: a new card's memory, the APDUs, and the writes."""

    start: Contents
    apdus: list[bytes]
    writes: list[Write]
    script: Script


@pytest.fixture(scope="module", params=SCRIPTS)
def reference(request: pytest.FixtureRequest) -> Reference:
    """Run a session to its end."""
    script = SCRIPTS[request.param]
    store = MemoryStore()
    personalise(script.profile(), store)
    observed = ObservedStore(store.load())
    card = TracedCard(observed)
    script.session(card)
    return Reference(store.load(), card.sent, observed.writes, script)


def replay(store: Store, apdus: list[bytes]) -> int:
    """Send the session again until the power goes; return the number of the APDU that did not end."""
    card = TestCard(store)
    for number, apdu in enumerate(apdus):
        try:
            card.card.transmit(apdu)
        except PowerCut:
            return number
    raise AssertionError("the power was not cut")


def test_every_write_of_the_session(reference: Reference) -> None:
    start, apdus, writes = reference.start, reference.apdus, reference.writes
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
    print(f"{len(writes)} cut points in {len(apdus)} APDUs")
    assert len(writes) >= reference.script.cuts, f"only {len(writes)} cut points"


def test_few_commands_write_twice_and_then_little_first(reference: Reference) -> None:
    """PIN commands: first the try that is taken. MSK update: first the MUK that is taken up."""
    start, apdus, writes = reference.start, reference.apdus, reference.writes
    states = [start, *(write.contents for write in writes)]
    twice = [n for n in range(1, len(writes)) if writes[n].apdu == writes[n - 1].apdu]
    assert len(twice) >= reference.script.twice, "right PINs write twice: the try that is taken, then all given back"
    for second in twice:
        changed = changed_fields(states[second - 1], states[second])
        if apdus[writes[second].apdu][1] == INS.AUTHENTICATE_ODD:
            assert all(name.startswith(("muk/", "naf/")) for name in changed)
        else:
            assert apdus[writes[second].apdu][1] in PIN_INSTRUCTIONS
            assert changed <= {"tries_left", "puk_tries_left"}


@pytest.mark.parametrize("reference", ["platform"], indirect=True)
def test_every_writing_instruction_of_the_platform_is_cut(reference: Reference) -> None:
    sent = {apdu[1] for apdu in reference.apdus}
    assert {reference.apdus[write.apdu][1] for write in reference.writes} == WRITING_INSTRUCTIONS
    assert sent - WRITING_INSTRUCTIONS <= SILENT_INSTRUCTIONS


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
