"""What `diff_cards` tells about two cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from card import Difference, Edit, diff_cards, edit_card, snapshot_card
from card.errors import StoreError
from tests.support.profiles import card_profile
from tests.unit.card.inspection.conftest import contents, plant


def test_equal_cards_do_not_differ(used: Path, tmp_path: Path) -> None:
    snapshot_card(used, tmp_path / "copy.card")
    assert diff_cards(used, tmp_path / "copy.card") == []


def test_a_card_fresh_from_its_profile_does_not_differ_from_it(fresh: Path) -> None:
    assert diff_cards(card_profile(), fresh) == []


def test_a_changed_file_is_told_with_its_name_in_bytes_and_in_words(fresh: Path, tmp_path: Path) -> None:
    snapshot_card(fresh, tmp_path / "before.card")
    edit_card(fresh, "EF_IMSI", Edit(value="001010000000042"))
    before, after = "080910101032547698", "080910100000000024"
    place = ("files", "ADF.USIM/6F07")
    assert diff_cards(tmp_path / "before.card", fresh) == [
        Difference((*place, "content"), before, after, "EF_IMSI"),
        Difference((*place, "value"), "001010123456789", "001010000000042", "EF_IMSI"),
    ]


def test_records_only_one_card_has_are_told_one_by_one(fresh: Path, used: Path) -> None:
    found = {difference.place: difference for difference in diff_cards(fresh, used)}
    muk = found["MUKs", "USIM", "01"]
    assert muk.left is None
    assert isinstance(muk.right, dict)
    assert muk.right["key"] == "hidden (32 bytes)"
    reverse = {difference.place: difference for difference in diff_cards(used, fresh)}
    assert reverse["MUKs", "USIM", "01"].left == muk.right


def test_that_a_key_differs_is_told_and_the_key_is_not(used: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.card"
    snapshot_card(used, other)
    plant(other, app__USIM=contents(used)["app/USIM"].replace(b"465b5ce8", b"ffffffff"))
    (difference,) = diff_cards(used, other)
    assert difference == Difference(("applications", "USIM", "k"), "hidden (16 bytes)", "hidden (16 bytes)")
    (revealed,) = diff_cards(used, other, reveal=True)
    assert str(revealed.right).startswith("FFFFFFFF")


def test_a_file_only_one_card_has_is_one_difference(fresh: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.card"
    snapshot_card(fresh, other)
    gone = next(key for key, value in contents(fresh).items() if key.startswith("fs/") and b"2F62" in value)
    plant(other, **{gone: None})
    (difference,) = diff_cards(fresh, other)
    assert (difference.place, difference.name, difference.right) == (("files", "3F00/2F62"), "EF_2F62", None)


def test_a_file_that_is_no_card_is_named(fresh: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.bin"
    foreign.write_bytes(b"no card at all" * 100)
    with pytest.raises(StoreError, match=r"foreign\.bin"):
        diff_cards(fresh, foreign)
