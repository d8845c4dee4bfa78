"""The RTP stream of a service by its numbers, all from the seed of the scenario."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.headend.scenario import Scenario, Service
from host_tools.headend.schedule import FRAME_MILLISECONDS
from host_tools.headend.seeded import Seeded

_FIRST_SEQUENCE_BITS = 15  # RFC 3711 clause 3.3.1 advises to start low, so that the first wrap is far away
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

    def roll_over_counter(self, at: int) -> int:
        """Return how often the sequence number has wrapped when the packet of this moment (milliseconds) goes out."""
        return (self.first_sequence + max(at, 0) // FRAME_MILLISECONDS) // _SEQUENCES


def media_stream(scenario: Scenario, service: Service) -> MediaStream:
    """Return the stream of a service."""
    seeded = Seeded(scenario.seed)
    first = service.first_sequence
    return MediaStream(
        ssrc=seeded.derive_int(32, "ssrc", service.id),
        first_sequence=seeded.derive_int(_FIRST_SEQUENCE_BITS, "sequence", service.id) if first is None else first,
        first_timestamp=seeded.derive_int(32, "rtp timestamp", service.id),
    )
