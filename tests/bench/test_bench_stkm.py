"""What an STKM costs, from the first APDU to the TEK: plain MBMS, one policy record, 32 policy records.

Each is measured on a card in memory and on one in a card file (SQLite), where every STKM is a transaction that reaches
the disk. Only ratios within one run are judged: a key with 32 records may cost a quarter more than a key with one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median

import pytest

from card.ports import Store
from card.store.memory import MemoryStore
from card.store.sqlite import SqliteStore
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1
from tests.support.bcast import KEY_ID, SEK, BcastCard
from tests.support.testcard import TestCard, tlv

STKMS = 50
ROUNDS = 42
MEMORY, CARD_FILE = "in memory", "card file"
_TABLES = """
[bcast.tables]
identity_with_validity = true
"""


Kind = tuple[str, int]
"""Where the card is, and how many policies its key has."""


def contents_with(policies: int) -> tuple[BcastCard, dict[str, bytes]]:
    """Return a card that holds one key with so many policies, all usable, of which the last one pays; and its store."""
    it = BcastCard.new(P1, _TABLES)
    it.card.card._context.applications["USIM"].bcast.tables.capacity["records_per_key"] = 32  # type: ignore[union-attr,index]
    if not policies:
        it.update(it.ltkm(LtkmData(KEY_ID, SEK, 0, 0xFFFF, 1)).build())
    for number in range(policies):
        # Every record but the last lacks credit, so that the choice has to look at them all.
        tokens = 2**31 if number == policies - 1 else None
        policy = "live_ppt_user" if number == policies - 1 else "live_teks"
        upper = 2**32 - 1 - number
        m = LtkmData(KEY_ID, SEK, 0, upper, number + 1, policy, cost=1, tokens=tokens)
        sw, found = it.update(it.ltkm(m).build())
        assert (sw, found.get(0x80)) == ("9000", b"\0")
    return it, it.card.store.load()


@contextmanager
def cards(folder: Path) -> Iterator[dict[Kind, BcastCard]]:
    """Open every kind of card; the two of one number of policies begin alike."""
    with ExitStack() as stack:
        found = {}
        for policies in (0, 1, 32):
            made, contents = contents_with(policies)
            file = stack.enter_context(closing(SqliteStore(folder / f"{policies}.card", create=True)))
            file.commit(contents)
            stores: dict[str, Store] = {MEMORY: MemoryStore(contents), CARD_FILE: file}
            for where, store in stores.items():
                found[where, policies] = BcastCard(TestCard(store).ready(), made.network, made.wire)
        yield found


def commands(it: BcastCard, first: int) -> list[bytes]:
    """Return the APDUs of a run of STKMs, each with a new TEK."""
    built = []
    for ts in range(first, first + STKMS):
        m = StkmData(KEY_ID, SEK, ts % 0xFFFF, ts)
        data = tlv(0x53, b"\x02" + it.stkm(m).build())
        built.append(bytes((0, 0x89, 0x80, 0x85, len(data))) + data)
    return built


def cost(it: BcastCard, apdus: list[bytes], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds of one STKM by a clock: command and retrieval."""
    transmit, fetch, answer = it.card.card.transmit, bytes.fromhex("0089A08500"), b""
    start = clock()
    for apdu in apdus:
        transmit(apdu)
        answer = transmit(fetch)
    elapsed = clock() - start
    assert answer[-2:] == b"\x90\x00"
    return elapsed / len(apdus)


def costs(folder: Path) -> dict[Kind, float]:
    """Return the cost of an STKM by kind; the kinds take turns, so that a busy machine hits all alike."""
    with cards(folder) as found:
        taken: dict[Kind, list[float]] = {kind: [] for kind in found}
        for number in range(ROUNDS):
            for kind, it in found.items():
                taken[kind].append(cost(it, commands(it, 1 + number * STKMS)))
    return {kind: median(values) for kind, values in taken.items()}


def test_cost_of_policies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = costs(tmp_path)
    growth = {where: found[where, 32] / found[where, 1] for where in (MEMORY, CARD_FILE)}
    with capsys.disabled():
        for where, grown in growth.items():
            text = ", ".join(f"{n} policies {1e6 * found[where, n]:.0f} us" for n in (0, 1, 32))
            print(f"\nSTKM to TEK, {where}: {text}; 32 against 1: {grown:.2f}", end="")
        print(f"\nSTKM to TEK, card file against memory, 1 policy: {found[CARD_FILE, 1] / found[MEMORY, 1]:.2f}")
    assert max(growth.values()) <= 1.25


def ltkm_apdu(it: BcastCard, m: LtkmData) -> bytes:
    data = tlv(0x53, b"\x01" + it.ltkm(m).build())
    return bytes((0, 0x89, 0x80, 0x85, 0, *len(data).to_bytes(2, "big"))) + data


def renewing(ts: int) -> LtkmData:
    """The same key every time."""
    return LtkmData(KEY_ID, SEK, 0, 1000, ts, "live_free")


def rolling(ts: int) -> LtkmData:
    """A new key every time, of one of three groups in turn: from the third on, each pushes an older one out."""
    group, number = (1 + ts % 3).to_bytes(2, "big"), (1 + ts // 3).to_bytes(2, "big")
    return LtkmData((KEY_ID[0], group, number), ts.to_bytes(16, "big"), 0, 1000, ts, "live_free")


@pytest.mark.parametrize("made", [renewing, rolling])
def test_burst_of_ltkms(made: Callable[[int], LtkmData], capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand LTKMs; the cost of the last hundred against the first."""
    it = BcastCard.new(P1)
    apdus = [ltkm_apdu(it, made(ts)) for ts in range(1, 1001)]
    taken = [cost(it, apdus[start : start + 100]) for start in range(0, 1000, 100)]
    with capsys.disabled():
        print(f"\nLTKM, {made.__name__}: {1e6 * median(taken):.0f} us; last hundred against first: "
              f"{taken[-1] / taken[0]:.2f}")  # fmt: skip
