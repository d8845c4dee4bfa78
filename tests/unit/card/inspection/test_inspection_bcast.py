"""The BCAST tables of a card file, read without a running card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from card import CardProfile, bcast_tables, create_card
from card.errors import CardFileLocked, StoreError
from card.profile.bcast import BcastProfile, TableSet
from card.spec.bcast.p1 import P1
from card.spec.bcast.x2 import X2

DEMO = CardProfile.demo()


def test_what_the_profile_said_is_in_the_file(tmp_path: Path) -> None:
    own = BcastProfile(TableSet.X2, secure_channel=True)
    create_card(replace(DEMO, bcast=own), tmp_path / "x2.card").close()
    create_card(DEMO, tmp_path / "p1.card").close()
    assert bcast_tables(tmp_path / "x2.card") == replace(X2, secure_channel=True)
    assert bcast_tables(tmp_path / "p1.card") == P1


def test_a_card_in_use(tmp_path: Path) -> None:
    card = create_card(DEMO, tmp_path / "my.card")
    with pytest.raises(CardFileLocked):
        bcast_tables(tmp_path / "my.card")
    card.close()
    assert bcast_tables(tmp_path / "my.card") == P1


def test_no_card_file(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no card")
    for name in ("text", "missing"):
        with pytest.raises(StoreError, match=name):
            bcast_tables(tmp_path / name)
