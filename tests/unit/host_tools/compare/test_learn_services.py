"""A card that announces services against TS 31.102 clause 4.2.8 gives a profile that can be loaded all the same."""

from __future__ import annotations

import re
from pathlib import Path

import card
from card import CardProfile, memory_card
from card.crypto.secret import Secret
from host_tools.compare.explore import FoundCard, explore
from host_tools.compare.learn import propose_profile
from host_tools.links.inprocess import InProcessLink

DEMO = (Path(card.__file__).parent / "profile" / "demo" / "usim.toml").read_text()


def found(text: str) -> FoundCard:
    link = InProcessLink(memory_card(CardProfile.parse(text, "test")))
    try:
        return explore(link, Secret(b"1234"))
    finally:
        link.close()


def announcing(*services: int) -> str:
    """Return the demo profile with a service table of these services, whatever the rules say."""
    table = bytearray(17)
    for service in services:
        table[(service - 1) // 8] |= 1 << (service - 1) % 8
    return DEMO + f'\n[[files]]\npath = "ADF.USIM/6F38"\nhex = "{table.hex()}"\n'


def extra(learned: str) -> set[int]:
    line = re.search(r"^extra = \[(.*)\]$", learned, re.MULTILINE)
    assert line is not None
    return {int(number) for number in line[1].split(", ") if number}


def test_operator_plmns_without_a_name_are_not_asked_for() -> None:
    learned = propose_profile(found(announcing(1, 33, 46, 130)), found)
    assert (46 in extra(learned), 130 in extra(learned)) == (False, True)
    CardProfile.parse(learned, "learned")
    assert {45, 46} <= extra(propose_profile(found(announcing(33, 45, 46)), found))


def test_what_an_isim_excludes_is_not_asked_for_beside_one() -> None:
    assert CardProfile.parse(DEMO, "demo").isim is not None
    assert extra(propose_profile(found(announcing(33, 95, 99, 115, 130)), found)) == {130}
