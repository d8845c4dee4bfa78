"""The XOR algorithm of test USIMs (TS 34.108 clause 8.1.2).

It protects nothing; it makes test calls predictable.
"""

from __future__ import annotations

from card.crypto.aka_algorithm import AkaOutputs, require_sizes
from card.crypto.primitives import xor_bytes
from card.crypto.secret import Secret


class XorTest:
    """The test algorithm for one K of 16 bytes (an `AkaAlgorithm`). RES has `res_size` bytes, 4 to 16."""

    __slots__ = ("_k", "_res_size")

    def __init__(self, k: Secret, res_size: int = 16) -> None:
        if len(k) != 16 or not 4 <= res_size <= 16:
            raise ValueError("K has 16 bytes, RES has 4 to 16")
        self._k, self._res_size = k, res_size

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A (8 bytes)."""
        require_sizes(rand, sqn, amf)
        return xor_bytes(self._xdout(rand)[:8], sqn + amf)

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S (8 bytes): the same function as f1."""
        return self.f1(rand, sqn, amf)

    def f2345(self, rand: bytes) -> AkaOutputs:
        """Return RES, CK, IK and AK (6 bytes)."""
        out = self._xdout(rand)
        return AkaOutputs(res=out[: self._res_size], ck=out[1:] + out[:1], ik=out[2:] + out[:2], ak=out[3:9])

    def f5_star(self, rand: bytes) -> bytes:
        """Return AK* (6 bytes). provisional: the same as AK; no source read says otherwise."""
        return self._xdout(rand)[3:9]

    def _xdout(self, rand: bytes) -> bytes:
        require_sizes(rand)
        return xor_bytes(self._k.reveal(), rand)
