"""TUAK (TS 35.231): f1 to f5* from Keccak-f[1600]."""

from __future__ import annotations

from dataclasses import dataclass

from card.crypto.aka_algorithm import AkaOutputs, require_sizes
from card.crypto.keccak import STATE_SIZE, keccak_f1600
from card.crypto.secret import Secret

_NAME = b"TUAK1.0"
_TOP_SIZE = 32
_KEY_SIZES = (16, 32)
_RATE = 136  # bytes of the state that hold input and padding


@dataclass(frozen=True, slots=True)
class TuakSizes:
    """Sizes an operator chooses, in bytes (TS 35.231), and the number of Keccak permutations.

    The USIM of TS 31.102 carries an 8-byte MAC, a RES of at most 16 bytes and 16-byte CK and IK; the
    algorithm knows more. Raises `ValueError` for a size that TUAK does not have.
    """

    mac: int = 8
    res: int = 8
    ck: int = 16
    ik: int = 16
    iterations: int = 1

    def __post_init__(self) -> None:
        known = self.mac in (8, 16, 32) and self.res in (4, 8, 16, 32) and {self.ck, self.ik} <= {16, 32}
        if not known or self.iterations < 1:
            raise ValueError("TUAK has MACs of 8, 16, 32, RES of 4, 8, 16, 32, CK and IK of 16 or 32 bytes")


USIM_SIZES = TuakSizes()


class Tuak:
    """TUAK for one subscriber (an `AkaAlgorithm`). K has 16 or 32 bytes, TOPc 32."""

    __slots__ = ("_k", "_sizes", "_topc")

    def __init__(self, k: Secret, topc: Secret, sizes: TuakSizes = USIM_SIZES) -> None:
        if len(k) not in _KEY_SIZES or len(topc) != _TOP_SIZE:
            raise ValueError("K has 16 or 32 bytes, TOPc has 32")
        self._k, self._topc, self._sizes = k, topc, sizes

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A (8 bytes unless the sizes say otherwise)."""
        return self._mac(0x00, rand, sqn, amf)

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S (8 bytes unless the sizes say otherwise)."""
        return self._mac(0x80, rand, sqn, amf)

    def f2345(self, rand: bytes) -> AkaOutputs:
        """Return RES, CK, IK and AK (6 bytes), from one permutation."""
        require_sizes(rand)
        sizes = self._sizes
        # RES sizes 8, 16 and 32 are their own codes as in `_mac`; 4 is coded 00.
        instance = 0x40 | (sizes.res if sizes.res > 4 else 0)
        instance |= (0x04 if sizes.ck == 32 else 0) | (0x02 if sizes.ik == 32 else 0)
        out = self._run(instance, rand)
        return AkaOutputs(
            res=_field(out, 0, sizes.res),
            ck=_field(out, 32, sizes.ck),
            ik=_field(out, 64, sizes.ik),
            ak=_field(out, 96, 6),
        )

    def f5_star(self, rand: bytes) -> bytes:
        """Return AK* (6 bytes)."""
        require_sizes(rand)
        return _field(self._run(0xC0, rand), 96, 6)

    def _mac(self, function: int, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        require_sizes(rand, sqn, amf)
        # The size in bytes is also its code: 08, 10 or 20.
        return _field(self._run(function | self._sizes.mac, rand, sqn, amf), 0, self._sizes.mac)

    def _run(self, instance: int, rand: bytes, sqn: bytes = bytes(6), amf: bytes = bytes(2)) -> bytes:
        return _permute(self._topc, instance, rand, sqn, amf, self._k, self._sizes.iterations)


def derive_topc(k: Secret, top: Secret, iterations: int = 1) -> Secret:
    """Return TOPc (32 bytes) from K (16 or 32 bytes) and TOP (32 bytes) (TS 35.231)."""
    if len(k) not in _KEY_SIZES or len(top) != _TOP_SIZE:
        raise ValueError("K has 16 or 32 bytes, TOP has 32")
    return Secret(_field(_permute(top, 0x00, bytes(16), bytes(6), bytes(2), k, iterations), 0, _TOP_SIZE))


def _permute(top: Secret, instance: int, rand: bytes, sqn: bytes, amf: bytes, k: Secret, iterations: int) -> bytes:
    """Fill the state as TS 35.231 says and permute it. Every field enters last byte first."""
    key = k.reveal()
    fields = (top.reveal(), bytes((instance | (len(key) == 32),)), _NAME, rand, amf, sqn)
    data = b"".join(field[::-1] for field in fields) + key[::-1].ljust(32, b"\0")
    state = (data + b"\x1f").ljust(_RATE - 1, b"\0") + b"\x80"
    state = state.ljust(STATE_SIZE, b"\0")
    for _ in range(iterations):
        state = keccak_f1600(state)
    return state


def _field(state: bytes, start: int, size: int) -> bytes:
    return state[start : start + size][::-1]
