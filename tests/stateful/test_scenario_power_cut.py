"""Power cuts in the scenarios that ship with the head-end, played live and again: at the write of every LTKM and STKM.

Every key message writes once; the first LTKM under a new SMK takes that up beforehand, in a write of its own (TS 31.102
clause 7.1.1.6). Power fails before a write or behind the last one; in the first case the message can be sent again and
leads to the same card, in the second an LTKM is known already, and nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from card.card import Card
from card.personalisation.personalise import personalise
from card.spec.bcast.p1 import P1
from card.store.memory import MemoryStore
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.middleware import TerminalMiddleware
from tests.support.ports import FakeClock, SeededRng
from tests.support.stage import PIN, PROFILE, Stage

SCENARIOS = ["subscribe", "renew", "pay_per_view", "pay_per_time", "counted_playback", "recorded", "parental",
             "terminal_binding", "withdrawal"]  # fmt: skip
_AUTHENTICATE, _MBMS_CONTEXT = 0x89, 0x85
_FIRST, _NEXT = 0x80, 0x00
_LTKM = 0x01


@dataclass
class Message:
    """A key message: its command blocks, and what the card remembered before and after, when it wrote."""

    blocks: list[bytes]
    writes: list[tuple[dict[str, bytes], dict[str, bytes]]] = field(default_factory=list)

    @property
    def is_ltkm(self) -> bool:
        """Tell whether it is one; the mode stands behind tag and length of the data object."""
        data = self.blocks[0][5:]
        return data[2 + max(0, data[1] - 0x80)] == _LTKM


class Witness(InProcessLink):
    """A link to a card of its own that notes the key messages and their writes."""

    def __init__(self, store: MemoryStore) -> None:
        self.messages: list[Message] = []
        self._store = store
        self._listening = False
        super().__init__(Card(self, rng=SeededRng(), clock=FakeClock(), strict=True))

    def transmit(self, apdu: bytes, /) -> bytes:
        """Pass an APDU on."""
        self._listening = apdu[1] == _AUTHENTICATE and apdu[3] == _MBMS_CONTEXT and apdu[2] in (_FIRST, _NEXT)
        if self._listening and apdu[2] == _FIRST:
            self.messages.append(Message([apdu]))
        elif self._listening:
            self.messages[-1].blocks.append(apdu)
        return super().transmit(apdu)

    def load(self) -> dict[str, bytes]:
        """Return everything stored."""
        return self._store.load()

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Write, and note what was before and after."""
        before = self._store.load()
        self._store.commit(changes)
        if self._listening:
            self.messages[-1].writes.append((before, self._store.load()))


def again(contents: dict[str, bytes], message: Message) -> dict[str, bytes]:
    """Send a message to a card that was switched on with these contents; return what it remembers then."""
    witness = Witness(MemoryStore(contents))
    TerminalMiddleware(witness, tables=P1).connect(PIN)
    assert witness.load() == contents, "switching on leaves no trace"
    for block in message.blocks:
        witness.transmit(block)
    return witness.load()


def only_takes_up(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """Tell whether nothing changed but a MUK, and that its NAF key was used."""
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return all(name.startswith(("muk/", "naf/")) for name in changed)


@pytest.mark.parametrize("name", SCENARIOS)
def test_power_cut_at_every_key_message(name: str) -> None:
    store = MemoryStore()
    personalise(PROFILE, store)
    witness = Witness(store)
    stage = Stage(name, witness)
    stage.play(None, stage.purchase())
    stage.play()  # once more, as from a recording
    points = 0
    for message in witness.messages:
        taken_up = message.writes[:-1]
        assert len(taken_up) <= message.is_ltkm
        assert all(only_takes_up(*write) for write in taken_up)
        for before, _ in message.writes:
            assert again(before, message) == message.writes[-1][1], "what was lost can be sent again"
            points += 1
        if message.writes:
            if message.is_ltkm:
                after = message.writes[-1][1]
                assert again(after, message) == after, "what was kept does not count twice"
            points += 1
    print(f"{name}: {points} cut points")
    assert points >= 6
