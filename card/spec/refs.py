"""Where a fact comes from, and how far it can be trusted."""

from __future__ import annotations

from enum import Enum

from card.lean import lean_dataclass


class Confidence(Enum):
    """How a fact was established."""

    SOURCED = "sourced"  # read in a text, a table or code that can be named
    RECALLED = "recalled"  # recalled from the specification with confidence, not read
    UNSURE = "unsure"  # recalled weakly: provisional
    OURS = "ours"  # nothing found: our choice, provisional


@lean_dataclass(frozen=True, slots=True)
class Ref:
    """A document, its clause and the confidence in what we say about it."""

    document: str
    clause: str
    confidence: Confidence = Confidence.RECALLED

    @property
    def provisional(self) -> bool:
        """True when no source confirms the fact: it must never be called conformant."""
        return self.confidence in (Confidence.UNSURE, Confidence.OURS)

    def __str__(self) -> str:
        mark = f" (provisional: {self.confidence.value})" if self.provisional else ""
        return f"{self.document} {self.clause}{mark}"
