"""A subscriber as a home network writes it down: what is needed to make a `Subscriber` of it, keys included."""

from __future__ import annotations

from dataclasses import dataclass

from card.crypto.aka_choice import make_algorithm
from card.crypto.secret import Secret
from host_tools.headend.subscribers.gba_settings import GbaSettings
from host_tools.headend.subscribers.sequence import SequenceNumbers
from host_tools.headend.subscribers.subscriber import Sequence, Subscriber


@dataclass(frozen=True, slots=True)
class SubscriberRecord:
    """Identities, the name of the algorithm, K and OPc (or TOPc, or nothing), AMF, the SEQ used last, GBA settings."""

    imsi: str
    impi: str
    algorithm: str
    k: Secret
    constant: Secret
    amf: bytes
    sequence: int
    ind_bits: int
    settings: GbaSettings

    def made(self, sequence: Sequence | None = None) -> Subscriber:
        """Return the subscriber; its sequence number is in memory unless another is given."""
        algorithm = make_algorithm(self.algorithm, self.k, self.constant)
        counting = sequence or SequenceNumbers(self.sequence, self.ind_bits)
        return Subscriber(self.imsi, self.impi, algorithm, self.amf, counting, self.settings)
