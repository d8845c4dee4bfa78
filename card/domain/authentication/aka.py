"""Authentication and key agreement on the card (TS 33.102 clause 6.3, TS 31.102 clause 7.1.1)."""

from __future__ import annotations

from dataclasses import field

from card.crypto.aka_algorithm import AkaAlgorithm, AkaOutputs
from card.crypto.gba import autn_star_mask
from card.crypto.gsm_conversion import derive_kc, derive_sres
from card.crypto.primitives import equal_bytes, xor_bytes
from card.domain.authentication.sqn import SqnMemory
from card.errors import MacMismatch
from card.lean import lean_dataclass

RAND_SIZE = 16
AUTN_SIZE = 16
_RESYNCHRONISATION_AMF = bytes(2)  # AMF* in MAC-S (TS 33.102 clause 6.3.3)


@lean_dataclass(frozen=True, slots=True)
class AkaResult:
    """The network was authenticated: RES (4 to 16 bytes), CK and IK (16 each)."""

    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)


@lean_dataclass(frozen=True, slots=True)
class SynchronisationFailure:
    """The SQN is not fresh; AUTS (14 bytes) tells the network where the card stands."""

    auts: bytes


class Aka:
    """The authentication functions of one application."""

    def __init__(self, algorithm: AkaAlgorithm, sqn: SqnMemory) -> None:
        self._algorithm = algorithm
        self._sqn = sqn

    def authenticate(self, rand: bytes, autn: bytes) -> AkaResult | SynchronisationFailure:
        """Check AUTN (16 bytes) and answer the challenge RAND (16 bytes). Raises `MacMismatch`."""
        outputs = self._algorithm.f2345(rand)
        return self._check(rand, autn, outputs)

    def authenticate_gba(self, rand: bytes, autn_star: bytes) -> AkaResult | SynchronisationFailure:
        """The same for GBA_U, where the MAC in AUTN* is masked with a digest of IK (TS 33.220 clause 5.3.2)."""
        outputs = self._algorithm.f2345(rand)
        mac = xor_bytes(autn_star[8:], autn_star_mask(outputs.ik))
        return self._check(rand, autn_star[:8] + mac, outputs)

    def run_gsm(self, rand: bytes) -> tuple[bytes, bytes]:
        """Return SRES (4 bytes) and Kc (8 bytes) for a GSM challenge (TS 33.102 clause 6.8.1.2)."""
        outputs = self._algorithm.f2345(rand)
        return derive_sres(outputs.res), derive_kc(outputs.ck, outputs.ik)

    def _check(self, rand: bytes, autn: bytes, outputs: AkaOutputs) -> AkaResult | SynchronisationFailure:
        """MAC first, then freshness: a wrong MAC must tell nothing about the card's SQN (TS 33.102 clause 6.3.3)."""
        sqn = xor_bytes(autn[:6], outputs.ak)
        if not equal_bytes(self._algorithm.f1(rand, sqn, autn[6:8]), autn[8:]):
            raise MacMismatch
        number = int.from_bytes(sqn, "big")
        if not self._sqn.is_fresh(number):
            return SynchronisationFailure(self._auts(rand))
        self._sqn.accept(number)
        return AkaResult(outputs.res, outputs.ck, outputs.ik)

    def _auts(self, rand: bytes) -> bytes:
        sqn_ms = self._sqn.highest.to_bytes(6, "big")
        mac_s = self._algorithm.f1_star(rand, sqn_ms, _RESYNCHRONISATION_AMF)
        return xor_bytes(sqn_ms, self._algorithm.f5_star(rand)) + mac_s
