"""The power is cut at every write of every BCAST scenario: the card then stands before the command or behind it.

No purse, counter or key is ever between, so no TEK is paid twice or given for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from card.store.memory import MemoryStore
from tests.oracle.bcast_model import POLICIES, LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import KEY_DOMAIN, OTHER_SEK, SEK, TEK_SALT, BcastCard, tek
from tests.support.bcast_csim import csim_ready, in_csim
from tests.support.faulty_store import FaultyStore, PowerCut
from tests.support.network import FQDN
from tests.support.testcard import Answer, TestCard, tlv

WRITES_OF_VERIFY = 2
FILM, NEWS = (KEY_DOMAIN, b"\0\1", b"\0\1"), (KEY_DOMAIN, b"\0\2", b"\0\1")
Command = tuple[int, int, bytes]  # INS, P2, data object
Scenario = Callable[[BcastCard], Iterator[Command]]


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


def bind(it: BcastCard) -> Iterator[Command]:
    """Verification and reporting messages, TEKs bound to a terminal and with salt; the SMK deleted and renewed."""
    for ts, policy in enumerate(("live_ppt_user", "playback_counted", "live_teks"), 1):
        tokens = 9 if policy == "live_ppt_user" else None
        m = LtkmData(FILM, SEK, 1, 50, ts, policy, cost=2, tokens=tokens, counter=3)
        yield update(it.ltkm(m, verify=True, reporting=True, rating=(1, 9)).build())
    for ts in (1, 2, 2, 1):
        yield generate(it.stkm(StkmData(FILM, SEK, ts, ts, True), binding=0xCAFE, salt=TEK_SALT).build())
    yield 0x89, 0x85, tlv(0x53, b"\x04" + tlv(0xA0, tlv(0x80, it.network.b_tid) + tlv(0x82, FQDN)))


def run(it: BcastCard, command: Command) -> Answer:
    ins, p2, data = command
    return it.exchange(data, ins, p2)


SCENARIOS: list[Scenario] = [pay, push_out, record, bind]


@pytest.mark.parametrize("wire", [P1, X2], ids=lambda wire: str(wire.name))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.__name__))
def test_power_cut_at_every_write(wire: Wire, scenario: Scenario) -> None:
    points = cut_everywhere(BcastCard.new(wire), scenario, TestCard.ready)
    print(f"{scenario.__name__} on {wire.name}: {points} cut points")
    assert points >= 10, f"{points} cut points"


def test_power_cut_in_a_csim() -> None:
    points = cut_everywhere(in_csim(), pay, csim_ready)
    print(f"pay in a CSIM: {points} cut points")
    assert points >= 10, f"{points} cut points"


def cut_everywhere(it: BcastCard, scenario: Scenario, ready: Callable[[TestCard], TestCard]) -> int:
    """Run a scenario, and every command of it with a cut around each of its writes; return the number of cuts.

    A command writes once; the first LTKM under a new SMK writes twice, as the SMK is taken up for good before anything
    else (TS 31.102 clause 7.1.1.6). Between the two the card has taken it up and knows nothing of the message.
    """
    points = 0
    for number, command in enumerate(scenario(it)):
        before = it.card.persistent()
        whole = run(it, command)
        after = it.card.persistent()
        if before != after:
            states = [before, *states_written(it, before, command, ready)]
            assert states[-1] == after
            assert len(states) == 2 or only_takes_up(before, states[1]), (
                f"command {number} writes {len(states) - 1} times"
            )
            for write in range(1, len(states)):
                for lost in (True, False):
                    left = contents_after_cut(it, before, command, ready, write=write, lost=lost)
                    wanted = states[write - 1] if lost else states[write]
                    assert left == wanted, f"command {number}, write {write} {'lost' if lost else 'kept'}"
                    points += 1
        else:
            again = ready(TestCard(MemoryStore(after)))
            assert run(replace(it, card=again), command) == whole, "what changes nothing can be asked again"
    return points


class WatchedStore(MemoryStore):
    """Keeps what it held after every commit."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        super().__init__(contents)
        self.states: list[dict[str, bytes]] = []

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        super().commit(changes)
        self.states.append(self.load())


def states_written(
    it: BcastCard, before: dict[str, bytes], command: Command, ready: Callable[[TestCard], TestCard]
) -> list[dict[str, bytes]]:
    """Return what the card remembers after each write of a command."""
    store = WatchedStore(before)
    run(replace(it, card=ready(TestCard(store))), command)
    return store.states[WRITES_OF_VERIFY:]


def only_takes_up(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """Tell whether nothing changed but a MUK, and that its NAF key was used."""
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return all(name.startswith(("muk/", "naf/")) for name in changed)


def contents_after_cut(
    it: BcastCard,
    before: dict[str, bytes],
    command: Command,
    ready: Callable[[TestCard], TestCard],
    *,
    write: int,
    lost: bool,
) -> dict[str, bytes]:
    """Run a command one of whose writes loses power; return what the card remembers."""
    inner = MemoryStore(before)
    store = FaultyStore(inner, WRITES_OF_VERIFY + write, before=lost)
    cut = replace(it, card=ready(TestCard(store)))
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


@pytest.mark.parametrize("policy", ["playback_counted", "playback_teks", "playback_ppv_user", "playback_ppt_key"])
def test_after_a_cut_the_same_stkm_of_a_recording_is_free(policy: str) -> None:
    """Nobody repeats it: the terminal asks with the very STKM again."""
    it = BcastCard.new(P1)
    purse = POLICIES[policy][2] != "count"
    m = LtkmData(FILM, SEK, 0, 99, 1, policy, cost=5, tokens=5 if purse else None, counter=1)
    it.update(it.ltkm(m).build())
    store, message = it.card.store, it.stkm(StkmData(FILM, SEK, 3, 40)).build()
    it.card = TestCard(FaultyStore(store, WRITES_OF_VERIFY + 1, before=False)).ready()
    with pytest.raises(PowerCut):
        it.generate(message)
    it.card = TestCard(store).ready()
    assert it.generate(message)[1][0x86] == tek(3)
    assert 0x86 not in it.generate(it.stkm(StkmData(FILM, SEK, 4, 39)).build())[1]
