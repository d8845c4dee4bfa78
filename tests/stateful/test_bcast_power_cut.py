"""The power is cut at every write of every BCAST scenario: the card then stands before the command or behind it.

No purse, counter or key is ever between, so no TEK is paid twice or given for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from card.store.faulty import FaultyStore, PowerCut
from card.store.memory import MemoryStore
from tests.oracle.bcast_model import POLICIES, LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import KEY_DOMAIN, OTHER_SEK, SEK, BcastCard, tek
from tests.support.testcard import Answer, TestCard, tlv

WRITES_OF_VERIFY = 2
FILM, NEWS = (KEY_DOMAIN, b"\0\1", b"\0\1"), (KEY_DOMAIN, b"\0\2", b"\0\1")
Command = tuple[int, int, bytes]  # INS, P2, data object


def update(message: bytes) -> Command:
    return 0x89, 0x85, tlv(0x53, b"\x01" + message)


def generate(message: bytes) -> Command:
    return 0x89, 0x85, tlv(0x53, b"\x02" + message)


def pay(it: BcastCard) -> Iterator[Command]:
    """Buy under every policy, watch live and play back, resend, renew, keep credit, withdraw."""
    for ts, policy in enumerate(it.wire.rules.numbers, 1):
        m = LtkmData(FILM, SEK, 1, 50, ts, policy, cost=2, counter=3, keep=True)
        purse = POLICIES[policy][2] not in ("", "count")
        yield update(it.ltkm(replace(m, tokens=9 if purse else None)).build())
    for ts in (10, 11, 20, 20, 11, 12, 30, 5):
        yield generate(it.stkm(StkmData(FILM, SEK, ts // 10, ts)).build())
    yield update(it.ltkm(LtkmData(FILM, SEK, 1, 90, 40, "live_teks", counter=2, add=True)).build())
    yield update(it.ltkm(LtkmData(FILM, OTHER_SEK, 1, 90, 41, "live_teks", counter=2)).build())
    yield update(it.ltkm(LtkmData((*FILM[:2], b"\0\0"), SEK, 0, 0, 42, "live_ppt_user", tokens=5, add=True)).build())
    for ts, policy in enumerate(it.wire.rules.numbers, 50):
        yield update(it.ltkm(LtkmData(FILM, SEK, 9, 1, ts, policy)).build())


def push_out(it: BcastCard) -> Iterator[Command]:
    """More keys than EF_MSK shows and than are kept beside it."""
    for number in range(1, 8):
        key = (*NEWS[:2], bytes((0, number)))
        policy = "playback_free" if number % 2 else "live_teks"
        yield update(it.ltkm(LtkmData(key, SEK, 0, 99, 2 * number, policy, counter=number, keep=True)).build())
        yield update(it.ltkm(LtkmData(key, SEK, 0, 99, 2 * number + 1, "live_free")).build())
    yield 0x89, 0x85, tlv(0x53, b"\x03" + NEWS[0] + NEWS[1])


def record(it: BcastCard) -> Iterator[Command]:
    """A recording signalled, its policies deleted, parental control set."""
    yield update(it.ltkm(LtkmData(FILM, SEK, 0, 99, 1, "playback_counted", counter=2)).build())
    content = {"terminal": bytes(17), "content": b"film"}
    fields = it.fields(**content, **it.key_fields(FILM), interval=bytes(8))
    yield 0x1B, it.wire.modes["record"], tlv(0x73, fields)
    yield generate(it.stkm(StkmData(FILM, SEK, 1, 50)).build())
    yield update(it.parental(5, "4711", (1, 9), unblock=True).build())
    for mode, deleted in (("delete recording", content), ("delete policies", it.key_fields(FILM[:2]))):
        body = it.fields(mode=bytes((it.wire.modes[mode],)), **deleted)
        yield 0x89, 0x85, tlv(0x73, tlv(0xAE, body))


def run(it: BcastCard, command: Command) -> Answer:
    ins, p2, data = command
    return it.exchange(data, ins, p2)


SCENARIOS: list[Callable[[BcastCard], Iterator[Command]]] = [pay, push_out, record]


@pytest.mark.parametrize("wire", [P1, X2], ids=lambda wire: str(wire.name))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.__name__))
def test_power_cut_at_every_write(wire: Wire, scenario: Callable[[BcastCard], Iterator[Command]]) -> None:
    it = BcastCard.new(wire)
    points = 0
    for number, command in enumerate(scenario(it)):
        before = it.card.persistent()
        whole = run(it, command)
        after = it.card.persistent()
        if before != after:
            for lost in (True, False):
                left = contents_after_cut(it, before, command, lost=lost)
                assert left == (before if lost else after), f"command {number}, write {'lost' if lost else 'kept'}"
                points += 1
        else:
            assert run(it.again(), command) == whole, "what changes nothing can be asked again"
    print(f"{scenario.__name__} on {wire.name}: {points} cut points")
    assert points >= 10, f"{points} cut points"


def contents_after_cut(it: BcastCard, before: dict[str, bytes], command: Command, *, lost: bool) -> dict[str, bytes]:
    """Run a command whose only write loses power; return what the card remembers."""
    inner = MemoryStore(before)
    store = FaultyStore(inner, WRITES_OF_VERIFY + 1, before=lost)
    cut = BcastCard(TestCard(store).ready(), it.network, it.wire)
    with pytest.raises(PowerCut):
        run(cut, command)
    return inner.load()


def test_after_a_cut_the_next_stkm_with_the_same_tek_is_free() -> None:
    """The debit was kept, the TEK was never fetched: live, the broadcast repeats it."""
    it = BcastCard.new(P1)
    it.update(it.ltkm(LtkmData(FILM, SEK, 0, 99, 1, "live_ppt_user", cost=5, tokens=5)).build())
    store = it.card.store
    it.card = TestCard(FaultyStore(store, WRITES_OF_VERIFY + 1, before=False)).ready()
    with pytest.raises(PowerCut):
        it.generate(it.stkm(StkmData(FILM, SEK, 1, 1)).build())
    it.card = TestCard(store).ready()
    assert it.purses()[FILM[:2]]["user"] == 0
    assert it.generate(it.stkm(StkmData(FILM, SEK, 1, 2)).build())[1][0x86] == tek(1)
    assert it.generate(it.stkm(StkmData(FILM, SEK, 2, 3)).build())[1][0x80] == b"\x02"
