"""Makes the saved card of the present schema version: `python -m tests.golden.make_cards`.

Run it once, when a schema version is released; from then on the file is never made again, only opened.
"""

from __future__ import annotations

from pathlib import Path

from card import create_card
from card.store.migrations import SCHEMA_VERSION
from card.store.sqlite import SqliteStore
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


if __name__ == "__main__":
    make(CARDS / f"v{SCHEMA_VERSION}.card")
