"""Short messages for the card: SMS-PP data download (TS 31.111 clause 7.1)."""

from __future__ import annotations

from typing import Protocol


class DownloadHandler(Protocol):
    """Takes short messages that the network addressed to the card."""

    def receive(self, originator: bytes, tpdu: bytes) -> bytes:
        """Take an SMS-DELIVER TPDU from `originator` (the TP-Originating-Address's service centre, may be empty).

        Returns the user data of the acknowledgement, empty for none. Raises `CardError` to refuse.
        """


class DiscardingHandler:
    """Acknowledges every message and does nothing with it."""

    def receive(self, originator: bytes, tpdu: bytes) -> bytes:  # noqa: ARG002  # the port gives it
        """Return no user data."""
        return b""
