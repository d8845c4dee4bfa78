"""The limits of a long-term key as time, by the STKMs that were heard."""

from __future__ import annotations

import pytest

from host_tools.chronicle.chronicler import Chronicler
from host_tools.chronicle.model import Counted, Stkm, StkmFate, Validity
from host_tools.chronicle.page.timeline import timeline
from host_tools.chronicle.validity import moments

KEY, OTHER = "00010001", "00010002"


def stkm(at: float, mtk_id: int, timestamp: int, key: str = KEY, fate: StkmFate = StkmFate.NEW) -> Stkm:
    return Stkm(at, f"{key}/{mtk_id:04x}", timestamp, fate)


def of_mtk(low: int, high: int) -> Validity:
    return Validity(Counted.MTK_ID, low, high)


HEARD = [stkm(1.5, 4, 40), stkm(4.0, 5, 42), stkm(8.0, 6, 46), stkm(9.0, 6, 47), stkm(8.5, 6, 46, fate=StkmFate.STALE)]
"""Crypto periods of 4 s; somebody begins to listen in the middle of the one with MTK ID 4."""


@pytest.mark.parametrize(
    ("validity", "expected"),
    [
        (of_mtk(5, 6), (4.0, 12.0)),
        (of_mtk(4, 4), (0.0, 4.0)),
        (of_mtk(1, 0xFFFE), (-12.0, 8.0 + 4 * (0xFFFF - 6))),
        (Validity(Counted.TIMESTAMP, 42, 46), (4.0, 9.0)),
        (Validity(Counted.TIMESTAMP, 48, 48), (10.0, 11.0)),
    ],
)
def test_numbers_become_moments(validity: Validity, expected: tuple[float, float]) -> None:
    assert moments(validity, KEY, HEARD) == pytest.approx(expected)


def test_a_key_that_nothing_was_heard_of_goes_by_the_others() -> None:
    assert moments(of_mtk(9, 10), OTHER, HEARD) == pytest.approx((20.0, 28.0))


def test_mtk_ids_that_begin_again_belong_to_their_keys() -> None:
    heard = [stkm(0.0, 65, 1), stkm(2.0, 66, 2), stkm(4.0, 1, 3, OTHER), stkm(6.0, 2, 4, OTHER), stkm(8.0, 3, 5, OTHER)]
    assert moments(of_mtk(65, 66), KEY, heard) == pytest.approx((0.0, 4.0))
    assert moments(of_mtk(1, 3), OTHER, heard) == pytest.approx((4.0, 10.0))


def test_what_tells_nothing() -> None:
    assert moments(of_mtk(1, 2), KEY, []) is None
    assert moments(of_mtk(1, 2), KEY, HEARD[:1]) is None
    assert (
        moments(of_mtk(1, 2), KEY, [Stkm(0.0, "a name", 1, StkmFate.NEW), Stkm(1.0, "another", 2, StkmFate.NEW)])
        is None
    )
    same = [stkm(3.0, 1, 1), stkm(3.0, 2, 2)]
    assert moments(of_mtk(1, 2), KEY, same) is None


def test_it_is_drawn_as_far_as_the_picture_goes() -> None:
    chronicler = Chronicler()
    for one in HEARD[:4]:
        chronicler.stkm(100 + one.at, "239.1.1.1", "news", one, f"00f110{KEY}", one.key.encode())
    for _ in range(2):
        chronicler.valid(f"00f110{KEY}", of_mtk(5, 0xFFFE))
    chronicler.valid(f"00f110{KEY}", Validity(Counted.TIMESTAMP, 40, 41, "live"))
    chronicler.valid(f"00f110{OTHER}", of_mtk(7, 9))
    made = chronicler.finish("one")
    (key,) = made.services[0].long_term_keys
    assert list(map(str, key.valid)) == ["MTK ID 5 to 65534", "T 40 to 41 (live)"]
    drawn = "".join(timeline(made))
    # The first STKM is at 0:00 of the picture.
    assert f"0:02.5 on SEK or PEK 00f110{KEY}: valid for MTK ID 5 to 65534" in drawn
    assert f"0:00.5 to 0:02.5 SEK or PEK 00f110{KEY}: valid for T 40 to 41 (live)" in drawn
    assert drawn.count('class="valid"') == 2
