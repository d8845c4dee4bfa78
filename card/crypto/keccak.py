"""The permutation Keccak-f[1600] (FIPS 202 clause 3), which hashlib does not offer bare."""

from __future__ import annotations

STATE_SIZE = 200

_ROUNDS = 24
_LANES = 25
_LANE_MASK = (1 << 64) - 1


def keccak_f1600(state: bytes) -> bytes:
    """Return the permutation of `state` (200 bytes; lanes little-endian, in the order of FIPS 202)."""
    if len(state) != STATE_SIZE:
        raise ValueError(f"Keccak-f[1600] permutes {STATE_SIZE} bytes")
    lanes = [int.from_bytes(state[8 * index : 8 * index + 8], "little") for index in range(_LANES)]
    for constant in _ROUND_CONSTANTS:
        lanes = _chi(_rho_pi(_theta(lanes)))
        lanes[0] ^= constant
    return b"".join(lane.to_bytes(8, "little") for lane in lanes)


def _theta(lanes: list[int]) -> list[int]:
    parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
    effect = [parity[x - 1] ^ _rotate(parity[(x + 1) % 5], 1) for x in range(5)]
    return [lane ^ effect[index % 5] for index, lane in enumerate(lanes)]


def _rho_pi(lanes: list[int]) -> list[int]:
    moved = [0] * _LANES
    for source, (target, offset) in enumerate(_MOVES):
        moved[target] = _rotate(lanes[source], offset)
    return moved


def _chi(lanes: list[int]) -> list[int]:
    return [
        lanes[row + x] ^ (~lanes[row + (x + 1) % 5] & lanes[row + (x + 2) % 5])
        for row in range(0, _LANES, 5)
        for x in range(5)
    ]


def _rotate(lane: int, bits: int) -> int:
    return (lane << bits | lane >> (64 - bits)) & _LANE_MASK


def _moves() -> tuple[tuple[int, int], ...]:
    """Return for each lane where pi puts it and how far rho rotates it (FIPS 202 clauses 3.2.2 and 3.2.3)."""
    offsets = [0] * _LANES
    x, y = 1, 0
    for step in range(_ROUNDS):
        offsets[x + 5 * y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return tuple((y + 5 * ((2 * x + 3 * y) % 5), offsets[x + 5 * y]) for y in range(5) for x in range(5))


def _round_constants() -> tuple[int, ...]:
    """Return the 24 constants of iota, made by its shift register (FIPS 202 clause 3.2.5)."""
    constants = []
    register = 1
    for _ in range(_ROUNDS):
        constant = 0
        for power in range(7):
            constant |= (register & 1) << ((1 << power) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


_MOVES = _moves()
_ROUND_CONSTANTS = _round_constants()
