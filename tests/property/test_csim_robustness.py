"""Whatever reaches a CSIM, it answers with a status word it knows, keeps its keys, and goes on working."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.store.memory import MemoryStore
from tests.support.csim import (
    DELETE_BAK,
    SELECT_CSIM,
    command,
    csim_card,
    ltkm,
    names,
    objects,
    retrieve,
    update,
)
from tests.support.faulty_store import FaultyStore, PowerCut
from tests.support.network import MSK_UPDATE, MTK_GENERATION, stkm
from tests.support.testcard import TestCard

MODES = st.integers(0, 7)
# Objects that are nearly right: known tags, lengths that mostly fit.
OBJECT = st.tuples(st.integers(0x80, 0x8B), st.binary(max_size=20)).map(lambda o: bytes((o[0], len(o[1]))) + o[1])
DATA = st.lists(OBJECT, max_size=6).map(lambda found: b"".join(found)[:255]) | st.binary(max_size=255)


@cache
def loaded() -> dict[str, bytes]:
    card = csim_card()
    card.ok(update(1))
    assert card.mbms(MSK_UPDATE, ltkm().build()).sw == "9000"
    return card.persistent()


def ready() -> TestCard:
    card = TestCard(MemoryStore(loaded()))
    card.ok(SELECT_CSIM)
    assert card.verify(0x01, "1234").sw == "9000"
    return card


@given(st.lists(st.tuples(MODES, DATA), min_size=1, max_size=8))
def test_any_objects(sent: list[tuple[int, bytes]]) -> None:
    card = ready()
    for mode, data in sent:
        assert card.send(command(mode, data)).sw != "6F00"
    assert card.mbms(MTK_GENERATION, stkm(ltkm(), 0xFFFE).build()).sw == "9000"


@given(st.integers(0, 255), st.integers(1, 255))
def test_a_changed_ltkm_is_refused(position: int, change: int) -> None:
    card = ready()
    message = bytearray(ltkm(2).build())
    message[position % len(message)] ^= change
    before = card.persistent()
    assert card.mbms(MSK_UPDATE, bytes(message)).sw not in ("9000", "6F00")
    assert card.persistent() == before


SECOND = b"\x00\x02"
SESSION = (
    bytes.fromhex(SELECT_CSIM),
    bytes.fromhex("002000010831323334FFFFFFFF"),
    update(2, bak_id=SECOND),
    update(3, bak_id=b"\x00\x03"),
    command(DELETE_BAK, objects(*names(bak_id=SECOND))),
)


def states(contents: dict[str, bytes]) -> tuple[list[bytes], list[str]]:
    """Return the records of the two BAK files, and which BAKs the card has."""
    card = TestCard(MemoryStore(contents))
    card.ok(SELECT_CSIM)
    assert card.verify(0x01, "1234").sw == "9000"
    shown = [card.record(fid, 1) for fid in (0x6F63, 0x6F64)]
    return shown, [retrieve(card, bak_id=bytes((0, number))).sw for number in (1, 2, 3)]


@pytest.mark.parametrize("before", [True, False], ids=["write lost", "write kept"])
def test_power_is_cut_at_every_write(before: bool) -> None:
    """Whenever it goes, keys and files together are as after one of the commands."""
    whole = TestCard(MemoryStore(loaded()))
    allowed = [states(loaded())]
    for apdu in SESSION:
        assert whole.send(apdu).sw == "9000"
        allowed.append(states(whole.persistent()))
    cuts = 0
    for cut_at in range(1, 20):
        store = MemoryStore(loaded())
        try:
            card = TestCard(FaultyStore(store, cut_at, before=before))
            for apdu in SESSION:
                card.send(apdu)
        except PowerCut:
            cuts += 1
            assert states(store.load()) in allowed
    assert cuts >= len(SESSION) - 2
