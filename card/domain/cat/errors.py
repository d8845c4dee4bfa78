"""Why the proactive engine refuses."""

from __future__ import annotations

from card.errors import CardError


class NothingToFetch(CardError):
    """No proactive command waits."""


class UnexpectedResponse(CardError):
    """The response does not belong to the command that was fetched."""
