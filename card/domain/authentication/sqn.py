"""Sequence numbers of authentication on the card (TS 33.102 annex C).

SQN = SEQ || IND, 48 bits. The card keeps the highest SEQ it accepted for each value of IND.
"""

from __future__ import annotations

from card.lean import lean_dataclass
from card.state.nonvolatile import NonVolatile

_SQN_SIZE = 6


@lean_dataclass(frozen=True, slots=True)
class SqnScheme:
    """How SQN is read and judged: bits of IND, the widest jump allowed, and the age limit (0: none), both in SEQ."""

    ind_bits: int = 5
    delta: int = 1 << 28
    age_limit: int = 0


class SqnMemory:
    """The SQN values of one application: one slot for each IND, and in front of them the highest of all.

    All in one stored value, so that an authentication costs one write.
    """

    def __init__(self, nv: NonVolatile, application: str, scheme: SqnScheme) -> None:
        self._nv = nv
        self._scheme = scheme
        self._key = f"sqn/{application}"

    @property
    def highest(self) -> int:
        """SQN_MS: the highest SQN accepted, with its IND."""
        return _read(self._stored(), 0)

    def is_fresh(self, sqn: int) -> bool:
        """Judge an SQN by annex C.2: newer than its slot, not too far ahead, not too old."""
        scheme, stored = self._scheme, self._stored()
        bits = scheme.ind_bits
        seq, highest = sqn >> bits, _read(stored, 0) >> bits
        if seq <= _read(stored, self._slot(sqn)) >> bits or seq - highest > scheme.delta:
            return False
        return not scheme.age_limit or highest - seq < scheme.age_limit

    def accept(self, sqn: int) -> None:
        """Store an SQN that was used."""
        values, bits = bytearray(self._stored()), self._scheme.ind_bits
        _write(values, self._slot(sqn), sqn)
        if sqn >> bits > _read(values, 0) >> bits:
            _write(values, 0, sqn)
        self._nv.put(self._key, bytes(values))

    def begin_at(self, seq: int) -> None:
        """Let a new card behave as if `seq` had been seen in every slot."""
        for ind in range(1 << self._scheme.ind_bits):
            self.accept(seq << self._scheme.ind_bits | ind)

    def _slot(self, sqn: int) -> int:
        return 1 + (sqn & ((1 << self._scheme.ind_bits) - 1))

    def _stored(self) -> bytes:
        return self._nv.get(self._key) or bytes(_SQN_SIZE * (1 + (1 << self._scheme.ind_bits)))


def _read(values: bytes | bytearray, slot: int) -> int:
    return int.from_bytes(values[_SQN_SIZE * slot : _SQN_SIZE * (slot + 1)], "big")


def _write(values: bytearray, slot: int, sqn: int) -> None:
    values[_SQN_SIZE * slot : _SQN_SIZE * (slot + 1)] = sqn.to_bytes(_SQN_SIZE, "big")
