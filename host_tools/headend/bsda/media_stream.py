"""The RTP stream of a service by its numbers, all from the seed of the scenario."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.content.rtp import SEQUENCES
from host_tools.headend.bsda.slots import FRAME_MILLISECONDS


@dataclass(frozen=True, slots=True)
class MediaStream:
    """SSRC (32 bits) of a stream, and the RTP sequence number (16 bits) and timestamp (32) of its first packet."""

    ssrc: int
    first_sequence: int
    first_timestamp: int

    def roll_over_counter(self, at: int) -> int:
        """Return how often the sequence number has wrapped when the packet of this moment (milliseconds) goes out."""
        return (self.first_sequence + max(at, 0) // FRAME_MILLISECONDS) // SEQUENCES
