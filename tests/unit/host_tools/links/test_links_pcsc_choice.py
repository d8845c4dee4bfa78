"""Which of several readers is meant when a part of a name fits more than one."""

from __future__ import annotations

from typing import Any

import pytest

from host_tools.links import pcsc
from host_tools.links.base import NoReader
from tests.unit.host_tools.links.test_links_pcsc import CHANGED, OK, PRESENT, FakeService


class Readers(FakeService):
    """Two readers, some of which hold a card."""

    def __init__(self, *with_card: str) -> None:
        super().__init__()
        self.with_card = with_card

    def _status_change(self, _context: int, _wait: int, known: list[tuple[str, int]]) -> Any:
        return OK, [(name, CHANGED | (PRESENT if name[-2:] in self.with_card else 0), []) for name, _ in known]


@pytest.mark.parametrize("slot", ["00", "01"])
def test_the_only_one_with_a_card_is_meant(slot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc, "_scard", Readers(slot).module)
    assert pcsc.PcscLink.open("Virtual PCD").name == f"Virtual PCD 00 {slot}"


def test_two_with_a_card_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc, "_scard", Readers("00", "01").module)
    with pytest.raises(NoReader, match=r"fits several readers with a card: “Virtual PCD 00 00”, “Virtual PCD 00 01”"):
        pcsc.PcscLink.open("Virtual PCD")


def test_a_whole_name_is_meant_whatever_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Readers("01")
    service.readers = ["Virtual PCD", "Virtual PCD 00 01"]
    monkeypatch.setattr(pcsc, "_scard", service.module)
    context = pcsc.PcscContext()
    assert context.find("Virtual PCD") == "Virtual PCD"
    context.release()
