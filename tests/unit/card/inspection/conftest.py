"""Card files to look into: one fresh from the test profile, one that went through GBA and an MSK update."""

from __future__ import annotations

from pathlib import Path

import pytest

from card import create_card
from card.store.sqlite import SqliteStore
from tests.support import network
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    path = tmp_path / "fresh.card"
    create_card(card_profile(), path).close()
    return path


@pytest.fixture
def used(tmp_path: Path) -> Path:
    path = tmp_path / "used.card"
    create_card(card_profile(), path).close()
    store = SqliteStore(path)
    try:
        card = TestCard(store).ready()
        session = network.bootstrap(card)
        network.derive_naf_keys(card)
        network.deliver(card, session.ltkm())
    finally:
        store.close()
    return path


def contents(path: Path) -> dict[str, bytes]:
    """Return everything in a card file."""
    store = SqliteStore(path)
    try:
        return store.load()
    finally:
        store.close()


def plant(path: Path, **changes: bytes | None) -> None:
    """Write records behind the card's back; double underscores stand for slashes."""
    store = SqliteStore(path)
    try:
        store.commit({key.replace("__", "/"): value for key, value in changes.items()})
    finally:
        store.close()
