"""What can be wrong with an edit."""

from __future__ import annotations

from card.errors import EncodeError


class EditRefused(EncodeError):
    """What should be edited is not on the card, or what should be written does not fit it."""
