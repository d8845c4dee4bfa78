"""Sequence numbers of the network's vectors (TS 33.102 annex C)."""

from __future__ import annotations

from host_tools.headend.errors import HeadendError

SQN_SIZE = 6
SQN_BITS = 8 * SQN_SIZE


class SequenceNumbers:
    """Makes sequence numbers SQN = SEQ || IND, both counting up (TS 33.102 annex C)."""

    def __init__(self, sequence: int = 0, ind_bits: int = 5) -> None:
        """Take the SEQ that was used last, and how many low bits of SQN are IND."""
        self._sequence = sequence
        self._index = -1
        self._ind_bits = ind_bits

    def next(self) -> bytes:
        """Return the next SQN (6 bytes). Raises `HeadendError` when none is left."""
        self._sequence += 1
        self._index = (self._index + 1) % (1 << self._ind_bits)
        if self._sequence >> SQN_BITS - self._ind_bits:
            raise HeadendError("the sequence numbers of this subscriber are used up")
        return (self._sequence << self._ind_bits | self._index).to_bytes(SQN_SIZE, "big")

    def resynchronise(self, sqn_ms: bytes) -> None:
        """Go on behind the highest SQN the card has accepted."""
        self._sequence = int.from_bytes(sqn_ms, "big") >> self._ind_bits
