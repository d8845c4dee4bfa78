"""What the chaos of one test came to, in numbers: it fills one, the end of the run adds all of them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from tests.support.chaos.books import Books

PROPERTY = "chaos"
"""Under this name the numbers of a test travel with its report, between processes, too."""


@dataclass
class Sheet:
    """Counts; money is in hundredths."""

    balances: int = 0
    """How often the books of card, store and journal were struck and had to agree."""
    cuts: int = 0
    deaths: int = 0
    """Terminals that died at a port."""
    kills: int = 0
    """Processes that got SIGKILL."""
    failures: int = 0
    """Statements and commits of the database that failed."""
    requests: int = 0
    """Orders on the wire with credentials, each time one crossed."""
    resent: int = 0
    """Of these, those that had crossed before."""
    lost_datagrams: int = 0
    doubled_datagrams: int = 0
    ltkms: int = 0
    """Key messages that the head-end sent."""
    again: int = 0
    """Of these, those that went out again."""
    verified: int = 0
    """Key messages of which the verification message was right."""
    believed: int = 0
    reminted: int = 0
    hostile: int = 0
    """Hostile requests and datagrams."""
    defects: int = 0
    """Exceptions that nobody expected."""
    orders: int = 0
    """Purchases that came as far as the journal or the wire."""
    owed: int = 0
    charged: int = 0
    tokens_owed: int = 0
    tokens_granted: int = 0
    tokens_held: int = 0
    """Tokens in the purses of the card."""
    lost: int = 0
    """Orders, hundredths and tokens that somebody should have and has not."""
    twice: int = 0
    """The same, of which somebody has more than was bought."""

    def strike(self, found: Books, orders: int, owed: int, tokens: int) -> None:
        """Note what was bought against what the books say at the end."""
        charged = int(found.spent * 100)
        self.orders += orders
        self.owed += owed
        self.charged += charged
        self.tokens_owed += tokens
        self.tokens_granted += found.granted
        self.tokens_held += found.purses
        for due, has in ((owed, charged), (tokens, found.granted), (tokens, found.purses)):
            self.lost += max(due - has, 0)
            self.twice += max(has - due, 0)

    def add(self, other: Self) -> None:
        """Add the counts of another one."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def plain(self) -> dict[str, int]:
        """Return the counts as they travel and are written."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Return the sheet of such counts."""
        return cls(**plain)
