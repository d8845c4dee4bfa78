"""The half-done business of a logical channel, kept apart by how it came.

A response object that a protected command left waiting must not be fetched in clear, and no clear command may finish
what a protected one began. So both sides see their own only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from card.state.session import Channel, IncomingObject


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What waits for GET RESPONSE, what arrives and what goes out in blocks. The defaults are a clean channel."""

    pending: bytes = field(default=b"", repr=False)
    pending_status: int = 0x9000
    incoming: IncomingObject | None = None
    outgoing: bytes = field(default=b"", repr=False)
    outgoing_ins: int = 0
    outgoing_started: bool = False

    @classmethod
    def of(cls, channel: Channel) -> Unfinished:
        """Return the business of a channel."""
        if not (channel.pending or channel.incoming or channel.outgoing):
            return NOTHING
        return cls(
            channel.pending,
            channel.pending_status,
            channel.incoming,
            channel.outgoing,
            channel.outgoing_ins,
            channel.outgoing_started,
        )

    def put_into(self, channel: Channel) -> Channel:
        """Return the channel with this business in place of its own."""
        return replace(
            channel,
            pending=self.pending,
            pending_status=self.pending_status,
            incoming=self.incoming,
            outgoing=self.outgoing,
            outgoing_ins=self.outgoing_ins,
            outgoing_started=self.outgoing_started,
        )


NOTHING = Unfinished()
