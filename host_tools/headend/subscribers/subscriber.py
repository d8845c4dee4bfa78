"""The network's record of a subscriber: vectors and resynchronisation (TS 33.102 clause 6.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.milenage import Milenage
from card.crypto.primitives import equal_bytes, xor_bytes
from card.crypto.secret import Secret
from host_tools.headend.errors import HeadendError
from host_tools.headend.subscribers.gba_settings import UICC_BASED_MBMS, GbaSettings
from host_tools.headend.subscribers.sequence import SequenceNumbers

_SQN_SIZE = 6
_AUTS_SIZE = 14
_RESYNCHRONISATION_AMF = bytes(2)  # TS 33.102 clause 6.3.3: the AMF of a resynchronisation is all zeros


@dataclass(frozen=True, slots=True)
class AuthenticationVector:
    """What one authentication needs: RAND and AUTN (16 bytes each), XRES (4 to 16), CK and IK (16 each)."""

    rand: bytes
    autn: bytes
    xres: bytes = field(repr=False)
    ck: Secret
    ik: Secret


class Sequence(Protocol):
    """The sequence number of one subscriber, which must outlive a restart where cards do."""

    def next(self) -> bytes:
        """Return the next SQN (6 bytes). Raises `HeadendError` when none is left."""

    def resynchronise(self, sqn_ms: bytes, /) -> None:
        """Go on behind the highest SQN (6 bytes) the card has accepted."""


class Subscriber:
    """A subscription as the home network knows it. Its keys never show."""

    def __init__(
        self,
        imsi: str,
        impi: str,
        algorithm: AkaAlgorithm,
        amf: bytes,
        sequence: Sequence,
        settings: GbaSettings,
    ) -> None:
        """Take identities, the algorithm with the keys bound in, the AMF (2 bytes), the SQN state, what its GBA is."""
        self.imsi = imsi
        self.impi = impi
        self.settings = settings
        self._algorithm = algorithm
        self._amf = amf
        self._sequence = sequence

    @classmethod
    def milenage(cls, imsi: str, impi: str, k: Secret, opc: Secret, amf: bytes = bytes(2)) -> Subscriber:
        """Return a subscriber of MILENAGE with K and OPc (16 bytes each), a GBA_U card, whose SQN starts at SEQ 1."""
        return cls(imsi, impi, Milenage(k, opc), amf, SequenceNumbers(), UICC_BASED_MBMS)

    def with_settings(self, settings: GbaSettings) -> Subscriber:
        """Return the same subscriber, SQN included, with other GBA settings."""
        return Subscriber(self.imsi, self.impi, self._algorithm, self._amf, self._sequence, settings)

    def __repr__(self) -> str:
        return f"Subscriber({self.imsi})"

    def vector(self, rand: bytes) -> AuthenticationVector:
        """Return an authentication vector for RAND (16 bytes) with a sequence number of its own."""
        sqn = self._sequence.next()
        out = self._algorithm.f2345(rand)
        autn = xor_bytes(sqn, out.ak) + self._amf + self._algorithm.f1(rand, sqn, self._amf)
        return AuthenticationVector(rand, autn, out.res, Secret(out.ck), Secret(out.ik))

    def resynchronise(self, rand: bytes, auts: bytes) -> None:
        """Take over the card's SQN from AUTS (14 bytes), the answer to RAND (TS 33.102 clause 6.3.5).

        Raises `HeadendError` when AUTS has another size or its MAC-S is wrong; then nothing changes.
        """
        if len(auts) != _AUTS_SIZE:
            raise HeadendError(f"AUTS has {_AUTS_SIZE} bytes, not {len(auts)}")
        sqn_ms = xor_bytes(auts[:_SQN_SIZE], self._algorithm.f5_star(rand))
        if not equal_bytes(self._algorithm.f1_star(rand, sqn_ms, _RESYNCHRONISATION_AMF), auts[_SQN_SIZE:]):
            raise HeadendError("the MAC-S in AUTS is wrong, so the sequence number stays as it is")
        self._sequence.resynchronise(sqn_ms)
