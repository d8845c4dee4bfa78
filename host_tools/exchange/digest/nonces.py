"""Nonces that a server knows again without keeping any: RAND, the time, and a MAC over both.

A nonce is base64 of 32 bytes: 16 random ones, then the seconds since 1970 (4 bytes) and 12 bytes of BLAKE2b under the
server's secret (RFC 7693), which takes a tenth of the time of an HMAC. Cut in two halves it is RAND and challenge for
the card of a CSIM (`one_time`), so one form serves both kinds of subscriber. The secret belongs to one process and is
never stored: after a restart, and at another process, a nonce is foreign, as nobody there knows how often it was used.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, auto
from hashlib import blake2b

from card.crypto.primitives import equal_bytes
from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.digest.one_time import CHALLENGE_SIZE, RAND_SIZE, join_nonce, split_nonce
from host_tools.exchange.ports import Clock, Rng

NONCE_LIFE = timedelta(seconds=300)
"""How long a nonce is good; ours."""
SECRET_SIZE = 32
_TIME_SIZE = 4
_MAC_SIZE = CHALLENGE_SIZE - _TIME_SIZE


class NonceState(Enum):
    """What a server makes of a nonce."""

    LIVE = auto()
    EXPIRED = auto()
    FOREIGN = auto()


class Nonces:
    """Makes nonces and knows them again."""

    def __init__(self, secret: Secret, rng: Rng, clock: Clock, life: timedelta = NONCE_LIFE) -> None:
        """Take the secret (32 bytes) of this process, randomness, the time, and how long a nonce is good."""
        self._secret = secret
        self._rng = rng
        self._clock = clock
        self._life = int(life.total_seconds())

    def fresh(self) -> str:
        """Return a nonce that nobody has seen."""
        rand, made = self._rng.random_bytes(RAND_SIZE), self._seconds().to_bytes(_TIME_SIZE, "big")
        return join_nonce(rand, made + self._mac(rand, made))

    def state(self, nonce: str) -> NonceState:
        """Tell whether a nonce is one of ours and still good."""
        try:
            rand, challenge = split_nonce(nonce)
        except DecodeError:
            return NonceState.FOREIGN
        made = challenge[:_TIME_SIZE]
        if not equal_bytes(challenge[_TIME_SIZE:], self._mac(rand, made)):
            return NonceState.FOREIGN
        age = self._seconds() - int.from_bytes(made, "big")
        return NonceState.LIVE if 0 <= age <= self._life else NonceState.EXPIRED

    def made_at(self, nonce: str) -> int:
        """Return the second since 1970 in which a nonce of ours was made. Raises `DecodeError` for what is no nonce."""
        return int.from_bytes(split_nonce(nonce)[1][:_TIME_SIZE], "big")

    @property
    def oldest(self) -> int:
        """The second since 1970 in which the oldest nonce was made that may still be good."""
        return self._seconds() - self._life

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())

    def _mac(self, rand: bytes, made: bytes) -> bytes:
        return blake2b(rand + made, key=self._secret.reveal(), digest_size=_MAC_SIZE, person=b"nonce").digest()
