"""Opens a copy of a saved card, or a card made now with the same past."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from card.store.migrations import SCHEMA_VERSION
from card.store.sqlite import SqliteStore
from tests.golden.make_cards import make_variant, packed
from tests.support.testcard import TestCard

MADE_NOW = SCHEMA_VERSION + 1
VERSIONS = tuple(range(1, MADE_NOW + 1))
AS_THE_TEXTS_SAY = 3
"""The schema version from which on the card followed the 3GPP texts."""
COUNTERS_REMEMBERED = 2
"""The schema version from which on the counters of keys that were gone were remembered."""


@dataclass(frozen=True)
class Saved:
    """A card under test, and the schema version it was saved with."""

    card: TestCard
    version: int

    @property
    def conformed(self) -> bool:
        """True for a card that was saved by sources that followed the texts."""
        return self.version >= AS_THE_TEXTS_SAY


def unpack(name: str, version: int, path: Path) -> None:
    """Write a saved card to a file, or make one (`MADE_NOW`)."""
    if version == MADE_NOW:
        make_variant(name, path)
    else:
        path.write_bytes(gzip.decompress(packed(version, name).read_bytes()))


@contextmanager
def opened(name: str, version: int, folder: Path) -> Iterator[Saved]:
    """Open a variant of a version; it is powered, nothing is selected."""
    path = folder / "opened.card"
    unpack(name, version, path)
    card = TestCard(SqliteStore(path))
    try:
        yield Saved(card, version)
    finally:
        card.card.close()


def version_name(version: int) -> str:
    """Return how a version is called in the names of tests."""
    return "made now" if version == MADE_NOW else f"v{version}"
