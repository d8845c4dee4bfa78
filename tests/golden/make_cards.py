"""Makes the saved cards of the present schema version: `python -m tests.golden.make_cards`.

Run it once, when a schema version is released; from then on the files are never made again, only opened. Those of
versions 1 and 2 were made in the same way, this module and `past.py` laid over the last sources of each version.

The variants are packed: most of a card file are files, and empty ones.
"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from card import create_card
from card.store.migrations import SCHEMA_VERSION
from card.store.sqlite import SqliteStore
from tests.golden.past import VARIANTS
from tests.support.network import bootstrap, deliver, derive_naf_keys, rand, stkm, vector
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard, lv, pin_bytes

CARDS = Path(__file__).parent / "cards"
NEW_PIN = "4321"


def make(path: Path) -> None:
    """Personalise a card and give it a past: a changed PIN, lost tries, keys, counters and written files."""
    create_card(card_profile(), path).close()
    card = TestCard(SqliteStore(path)).unlocked()
    card.ok("0024000110", pin_bytes("1234"), pin_bytes(NEW_PIN))
    card.send("0020008108", pin_bytes("0000"))
    card.ok("00A4000C026F7B")
    card.ok("00D600000300F110")
    card.ok("0088008122", lv(rand(9), vector(1, rand(9), 1)["autn"]))
    session = bootstrap(card, 2)
    derive_naf_keys(card)
    first = session.ltkm(1)
    deliver(card, first)
    deliver(card, session.ltkm(2, msk_id=bytes.fromhex("00010002")))
    assert card.mbms(2, stkm(first, 5).build()).sw == "9000"
    card.card.close()


def make_variant(name: str, path: Path) -> None:
    """Personalise the card of a variant and give it its past."""
    profile, live = VARIANTS[name]
    create_card(profile(), path).close()
    card = TestCard(SqliteStore(path))
    live(card)
    card.card.close()


def packed(version: int, name: str) -> Path:
    """Return where the saved card of a variant is."""
    return CARDS / f"v{version}-{name}.card.gz"


def _make_all() -> None:
    make(CARDS / f"v{SCHEMA_VERSION}.card")
    for name in VARIANTS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "made.card"
            make_variant(name, path)
            packed(SCHEMA_VERSION, name).write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    _make_all()
