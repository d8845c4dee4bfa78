"""The in-process link powers a card on, carries APDUs and lets go."""

from __future__ import annotations

import pytest

from host_tools.links.base import ReaderGone, TransmissionProtocol
from host_tools.links.inprocess import InProcessLink


class FakeCard:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def power_on(self) -> bytes:
        self.calls.append("power_on")
        return b"\x3b\x01"

    def power_off(self) -> None:
        self.calls.append("power_off")

    def reset(self) -> bytes:
        self.calls.append("reset")
        return b"\x3b\x02"

    def transmit(self, apdu: bytes) -> bytes:
        return apdu[::-1]

    def close(self) -> None:
        self.calls.append("close")


def test_life_of_a_link() -> None:
    card = FakeCard()
    link = InProcessLink(card, "lab")
    assert (link.name, link.atr, link.protocol) == ("lab", b"\x3b\x01", TransmissionProtocol.DIRECT)
    assert link.transmit(b"\x01\x02") == b"\x02\x01"
    assert link.reset() == link.atr == b"\x3b\x02"
    link.close()
    link.close()
    assert card.calls == ["power_on", "reset", "power_off", "close"]


def test_a_closed_link_says_so() -> None:
    link = InProcessLink(FakeCard())
    link.close()
    with pytest.raises(ReaderGone, match="was closed"):
        link.transmit(b"\x00\xa4\x00\x00")
    with pytest.raises(ReaderGone):
        link.reset()
