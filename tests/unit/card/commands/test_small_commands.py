"""GET CHALLENGE and TERMINAL CAPABILITY."""

from __future__ import annotations

import pytest

from tests.support.platform_cards import platform_card


@pytest.mark.parametrize(("le", "count"), [("01", 1), ("10", 16), ("00", 256)])
def test_challenges_have_the_length_asked_for(le: str, count: int) -> None:
    card = platform_card()
    first, second = card.ok("00840000" + le), card.ok("00840000" + le)
    assert len(first) == len(second) == count
    assert count < 8 or first != second


@pytest.mark.parametrize(
    ("sw", "command"),
    [("6700", "00840000"), ("6A86", "0084010008"), ("6A86", "0084000108"), ("6700", "0084000004AABBCCDD08")],
)
def test_challenge_refused(sw: str, command: str) -> None:
    platform_card().refused(sw, command)


@pytest.mark.parametrize("data", ["A900", "A9058001FF8100", "A903820107"])
def test_capabilities_are_taken(data: str) -> None:
    platform_card().ok("80AA0000", f"{len(data) // 2:02X}", data)


@pytest.mark.parametrize(
    ("sw", "command"),
    [
        ("6A80", "80AA000002A800"),
        ("6A80", "80AA000004A9028101"),
        ("6A80", "80AA000006A90481008100"),
        ("6700", "80AA0000"),
        ("6A86", "80AA010002A900"),
    ],
)
def test_capability_refused(sw: str, command: str) -> None:
    platform_card().refused(sw, command)
