"""The RTP stream of a service by its numbers, all from the seed of the scenario."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.headend.bsda.slots import FRAME_MILLISECONDS

_SEQUENCES = 1 << 16


@dataclass(frozen=True, slots=True)
class MediaStream:
    """SSRC (32 bits) of a stream, and the RTP sequence number (16 bits) and timestamp (32) of its first packet."""

    ssrc: int
    first_sequence: int
    first_timestamp: int

    def sequence(self, number: int) -> int:
        """Return the sequence number of the `number`-th packet, counted from 0."""
        return (self.first_sequence + number) % _SEQUENCES

    def wraps_before(self, number: int) -> int:
        """Return how often the sequence number has wrapped when the `number`-th packet goes out."""
        return (self.first_sequence + number) // _SEQUENCES

    def roll_over_counter(self, at: int) -> int:
        """Return how often the sequence number has wrapped when the packet of this moment (milliseconds) goes out."""
        return self.wraps_before(max(at, 0) // FRAME_MILLISECONDS)
