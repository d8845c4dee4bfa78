"""A card saved by every schema version still opens, with all its past."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from card.store.migrations import SCHEMA_VERSION
from card.store.sqlite import SqliteStore
from tests.golden.make_cards import CARDS, NEW_PIN, make
from tests.support.network import BM_SC, FQDN, KEY_DOMAIN, Bootstrap, deliver, rand, stkm, vector
from tests.support.testcard import SELECT_USIM, Answer, TestCard, lv, tlv

SAVED = [f"v{version}.card" for version in range(1, SCHEMA_VERSION + 1)]
TEK_AND_SALT = Answer("DB" + bytes(range(0xB0, 0xCE)).hex().upper(), "9000")


@pytest.fixture(params=[*SAVED, "made now"])
def card(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestCard]:
    """Open a copy of a saved card, and one made by the present code in the same way."""
    path = tmp_path / "opened.card"
    if request.param == "made now":
        make(path)
    else:
        shutil.copy(CARDS / request.param, path)
    card = TestCard(SqliteStore(path))
    yield card
    card.card.close()


def test_pins(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    assert [card.send(f"002000{reference}").sw for reference in ("01", "81", "0A")] == ["63C3", "63C2", "63CA"]
    assert card.verify(0x01, "1234").sw == "63C2"
    assert card.verify(0x01, NEW_PIN).sw == "9000"


def test_files(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.verify(0x01, NEW_PIN)
    assert card.read(0x6F7B)[:6] == bytes.fromhex("00F110FFFFFF")
    assert tlv(0x82, FQDN) in card.record(0x6FD8, 1)
    pairs = bytes.fromhex("00010002 00000000 00010001 00000005")
    assert card.record(0x6FD7, 1) == KEY_DOMAIN + b"\x02" + pairs
    assert BM_SC in card.record(0x6FDA, 1)


def test_sequence_numbers(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.verify(0x01, NEW_PIN)
    assert card.ok("0088008122", lv(rand(8), vector(1, rand(8), 1)["autn"]))[:1] == b"\xdc"
    assert card.ok("0088008122", lv(rand(8), vector(3, rand(8), 1)["autn"]))[:1] == b"\xdb"


def test_keys(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.verify(0x01, NEW_PIN)
    made = vector(2, rand(2))
    session = Bootstrap(made["f3"] + made["f4"], rand(2))
    assert card.mbms(2, stkm(session.ltkm(1), 5).build()).sw == "9865"
    assert card.mbms(2, stkm(session.ltkm(1), 6).build()) == TEK_AND_SALT
    assert card.mbms(1, session.ltkm(2).build()).sw == "9862"
    deliver(card, session.ltkm(3))
