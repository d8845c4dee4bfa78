"""Where a terminal holds the keys of MBMS itself (GBA_ME): a card of this project in this process, kept as a file.

It is a card of the shipped profile by its code, and no card by what it is for: nobody uses its K, and its MUK comes
from the terminal. So MSKs, counters and policies are kept and checked as in a card, and outlive the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.links.inprocess import InProcessLink
from host_tools.sessions.cards import used_card_file
from host_tools.sessions.events import CardMade, Events
from host_tools.terminal.middleware import TerminalMiddleware

if TYPE_CHECKING:
    from card import Card
    from card.spec.bcast.tables import BcastTables


@dataclass(frozen=True, slots=True)
class KeyStore:
    """The key store of a terminal, with its USIM selected."""

    card: Card
    middleware: TerminalMiddleware


@contextmanager
def key_store(path: Path, tables: BcastTables, events: Events) -> Iterator[KeyStore]:
    """Open the key store in a file, or make it, for the length of the block. Raises `SessionError`, `CardError`."""
    from card import CardProfile, create_card, open_card

    profile = CardProfile.demo()
    if path.exists():
        with used_card_file(path, events):
            card = open_card(path)
    else:
        card = create_card(profile, path)
        events.emit(CardMade(path, Path("usim")))
    link = InProcessLink(card, "the terminal's own keys")
    try:
        middleware = TerminalMiddleware(link, tables=tables)
        middleware.connect(profile.pins.pin1.value)
        yield KeyStore(card, middleware)
    finally:
        link.close()
