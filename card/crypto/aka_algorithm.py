"""What every authentication and key agreement algorithm offers to the card (TS 33.102 clause 6.3)."""

from __future__ import annotations

from dataclasses import field
from typing import Protocol

from card.lean import lean_dataclass


@lean_dataclass(frozen=True, slots=True)
class AkaOutputs:
    """The outputs of f2 to f5: RES (4 to 16 bytes), CK and IK (16 each), AK (6). All stay out of the repr."""

    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)
    ak: bytes = field(repr=False)


class AkaAlgorithm(Protocol):
    """The functions f1 to f5* of one subscriber, who is bound in by the constructor.

    RAND has 16 bytes, SQN 6, AMF 2, the MACs 8 and the anonymity keys 6. A wrong size is a `ValueError`: the
    caller has checked what came from outside.
    """

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A."""

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S, the MAC of a resynchronisation."""

    def f2345(self, rand: bytes) -> AkaOutputs:
        """Return RES, CK, IK and AK."""

    def f5_star(self, rand: bytes) -> bytes:
        """Return AK*, the anonymity key of a resynchronisation."""


def require_sizes(rand: bytes, sqn: bytes = bytes(6), amf: bytes = bytes(2)) -> None:
    """Raise `ValueError` unless RAND, SQN and AMF have 16, 6 and 2 bytes."""
    if (len(rand), len(sqn), len(amf)) != (16, 6, 2):
        raise ValueError("RAND, SQN and AMF have 16, 6 and 2 bytes")
