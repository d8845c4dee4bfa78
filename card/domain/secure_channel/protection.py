"""What protects a command that did not come in clear."""

from __future__ import annotations

from card.lean import lean_dataclass


@lean_dataclass(frozen=True, slots=True)
class Protection:
    """The endpoint that a protected channel ends at: an application's AID, or empty for the card as a whole."""

    endpoint: bytes = b""

    def covers(self, aid: bytes) -> bool:
        """Tell whether the keys of the application with this AID may be used and handed out in here."""
        return not self.endpoint or self.endpoint == aid
