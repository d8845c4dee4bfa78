"""Sequence numbers of authentication on the card (TS 33.102 annex C).

SQN = SEQ || IND, 48 bits. The card keeps the highest SEQ it accepted for each value of IND.
"""

from __future__ import annotations

from dataclasses import dataclass

from card.state.nonvolatile import NonVolatile

SQN_BITS = 48


@dataclass(frozen=True, slots=True)
class SqnScheme:
    """How SQN is read and judged: bits of IND, the widest jump allowed, and the age limit (0: none), both in SEQ."""

    ind_bits: int = 5
    delta: int = 1 << 28
    age_limit: int = 0


class SqnMemory:
    """The SEQ values of one application, one slot for each IND."""

    def __init__(self, nv: NonVolatile, application: str, scheme: SqnScheme) -> None:
        self._nv = nv
        self._scheme = scheme
        self._prefix = f"sqn/{application}/"
        # The highest SEQ is wanted at every authentication; looking through all slots each time would cost more than
        # the authentication itself, so its slot is stored beside them.
        self._highest_key = f"{self._prefix}highest"

    @property
    def highest(self) -> int:
        """SQN_MS: the highest SQN accepted, with its IND."""
        stored = self._nv.get(self._highest_key)
        return int.from_bytes(stored, "big") if stored else 0

    def is_fresh(self, sqn: int) -> bool:
        """Judge an SQN by annex C.2: newer than its slot, not too far ahead, not too old."""
        seq, ind = self._split(sqn)
        highest, _ = self._split(self.highest)
        if seq <= self._seq(ind) or seq - highest > self._scheme.delta:
            return False
        return not self._scheme.age_limit or highest - seq < self._scheme.age_limit

    def begin_at(self, seq: int) -> None:
        """Let a new card behave as if `seq` had been seen in every slot."""
        for ind in range(1 << self._scheme.ind_bits):
            self.accept(seq << self._scheme.ind_bits | ind)

    def accept(self, sqn: int) -> None:
        """Store an SQN that was used."""
        _, ind = self._split(sqn)
        self._nv.put(f"{self._prefix}{ind:X}", sqn.to_bytes(6, "big"))
        if sqn >> self._scheme.ind_bits > self.highest >> self._scheme.ind_bits:
            self._nv.put(self._highest_key, sqn.to_bytes(6, "big"))

    def _seq(self, ind: int) -> int:
        stored = self._nv.get(f"{self._prefix}{ind:X}")
        return int.from_bytes(stored, "big") >> self._scheme.ind_bits if stored else 0

    def _split(self, sqn: int) -> tuple[int, int]:
        return sqn >> self._scheme.ind_bits, sqn & ((1 << self._scheme.ind_bits) - 1)
