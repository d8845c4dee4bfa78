"""MILENAGE (TS 35.206): f1 to f5* from AES-128."""

from __future__ import annotations

from card.crypto.aka_algorithm import AkaOutputs, require_sizes
from card.crypto.primitives import BLOCK_SIZE, AesBlock, xor_bytes
from card.crypto.secret import Secret
from card.lean import lean_dataclass

_BITS = 8 * BLOCK_SIZE
_MASK = (1 << _BITS) - 1


@lean_dataclass(frozen=True, slots=True)
class MilenageConstants:
    """What an operator may choose beside OP (TS 35.206 clause 5.3).

    `c` holds c1 to c5 as 128-bit numbers, `r` holds r1 to r5, rotations to the left in bits. The defaults are
    those of TS 35.206 clause 4.1. Raises `ValueError` for another number of constants or one out of range.
    """

    c: tuple[int, ...] = (0, 1, 2, 4, 8)
    r: tuple[int, ...] = (64, 0, 32, 64, 96)

    def __post_init__(self) -> None:
        if len(self.c) != 5 or not all(0 <= value <= _MASK for value in self.c):
            raise ValueError("MILENAGE takes five constants c of 128 bits")
        if len(self.r) != 5 or not all(0 <= value < _BITS for value in self.r):
            raise ValueError("MILENAGE takes five rotations r of 0 to 127 bits")


STANDARD_CONSTANTS = MilenageConstants()


class Milenage:
    """MILENAGE for one subscriber (an `AkaAlgorithm`)."""

    __slots__ = ("_aes", "_constants", "_last_rand", "_last_temp", "_opc")

    def __init__(self, k: Secret, opc: Secret, constants: MilenageConstants = STANDARD_CONSTANTS) -> None:
        if len(k) != BLOCK_SIZE or len(opc) != BLOCK_SIZE:
            raise ValueError("K and OPc have 16 bytes")
        self._aes = AesBlock(k.reveal())
        self._opc = int.from_bytes(opc.reveal(), "big")
        self._constants = constants
        self._last_rand: bytes | None = None
        self._last_temp = 0

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A (8 bytes)."""
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S (8 bytes)."""
        return self._out1(rand, sqn, amf)[8:]

    def f2345(self, rand: bytes) -> AkaOutputs:
        """Return RES (8 bytes), CK, IK (16 each) and AK (6), from four AES blocks."""
        out2, out3, out4 = self._outputs(self._temp(rand), 1, 2, 3)
        return AkaOutputs(res=out2[8:], ck=out3, ik=out4, ak=out2[:6])

    def f5_star(self, rand: bytes) -> bytes:
        """Return AK* (6 bytes)."""
        (out5,) = self._outputs(self._temp(rand), 4)
        return out5[:6]

    def _temp(self, rand: bytes) -> int:
        """Return TEMP, which all functions share; an authentication asks for that of one RAND twice."""
        if rand != self._last_rand:
            require_sizes(rand)
            self._last_rand, self._last_temp = rand, self._encrypt(int.from_bytes(rand, "big") ^ self._opc)
        return self._last_temp

    def _out1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        require_sizes(rand, sqn, amf)
        in1 = int.from_bytes((sqn + amf) * 2, "big")
        rotated = _rotate(in1 ^ self._opc, self._constants.r[0]) ^ self._constants.c[0]
        return (self._encrypt(self._temp(rand) ^ rotated) ^ self._opc).to_bytes(BLOCK_SIZE, "big")

    def _outputs(self, temp: int, *indices: int) -> list[bytes]:
        """Return OUT(i + 1) for every index i, all encrypted in one call."""
        masked, r, c = temp ^ self._opc, self._constants.r, self._constants.c
        blocks = b"".join([(_rotate(masked, r[index]) ^ c[index]).to_bytes(BLOCK_SIZE, "big") for index in indices])
        encrypted = self._aes.encrypt(blocks)
        return [
            (int.from_bytes(encrypted[start : start + BLOCK_SIZE], "big") ^ self._opc).to_bytes(BLOCK_SIZE, "big")
            for start in range(0, len(encrypted), BLOCK_SIZE)
        ]

    def _encrypt(self, block: int) -> int:
        return int.from_bytes(self._aes.encrypt(block.to_bytes(BLOCK_SIZE, "big")), "big")


def derive_opc(k: Secret, op: Secret) -> Secret:
    """Return OPc (16 bytes) from K and OP, 16 bytes each (TS 35.206 clause 4.1)."""
    return Secret(xor_bytes(AesBlock(k.reveal()).encrypt(op.reveal()), op.reveal()))


def _rotate(value: int, bits: int) -> int:
    """Rotate a 128-bit number to the left."""
    return (value << bits | value >> (_BITS - bits)) & _MASK
