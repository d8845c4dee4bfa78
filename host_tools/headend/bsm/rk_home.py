"""The home of CSIM subscribers: SMK and SRK from the registration key, BCMCS key delivery, and HTTP authentication.

provisional: SMK = TK for the RAND of the LTKM, SRK = Auth-Key for the RAND of a challenge, the NAI as user name, and
the response to a challenge as one-time password. The nonce of the HTTP challenge carries RAND and challenge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from card.crypto.secret import Secret
from host_tools.exchange.digest.compute import Asked, is_digest
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.digest.one_time import (
    CHALLENGE_SIZE,
    RAND_SIZE,
    join_nonce,
    one_time_password,
    split_nonce,
)
from host_tools.exchange.ports import Rng
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.errors import HeadendError
from host_tools.headend.subscribers.memory import MOST_SUBSCRIBERS
from host_tools.headend.subscribers.ports import Subscribers


@dataclass(frozen=True, slots=True)
class BakDelivery:
    """What Update BAK takes: names and end of the BAK, TK_RAND (16 bytes), the BAK under the TK."""

    flow_id: bytes
    bak_id: bytes
    expires: bytes
    tk_rand: bytes
    encrypted: bytes


class AuthKeys(Protocol):
    """The Auth-Key of the last challenge that each CSIM answered, by NAI."""

    def auth_key(self, nai: str, /) -> Secret | None:
        """Return it, None when no challenge was answered."""

    def keep_auth_key(self, nai: str, auth_key: Secret, /) -> None:
        """Keep it in the place of the one before."""


class MemoryAuthKeys:
    """Auth-Keys in memory."""

    def __init__(self) -> None:
        self._keys: BoundedTable[str, Secret] = BoundedTable(1, MOST_SUBSCRIBERS)

    def auth_key(self, nai: str) -> Secret | None:
        """Return the Auth-Key of the last answered challenge, None when there is none."""
        return self._keys.get(nai)

    def keep_auth_key(self, nai: str, auth_key: Secret) -> None:
        """Keep it in the place of the one before."""
        self._keys.put(nai, nai, auth_key)


class RkHome:
    """Knows the keys of subscribers, by NAI."""

    def __init__(self, subscribers: Subscribers, realm: str, rng: Rng, auth_keys: AuthKeys | None = None) -> None:
        """Take the subscribers, the realm of HTTP authentication, where RANDs and challenges come from.

        Auth-Keys are kept in memory unless it is said where.
        """
        self._subscribers = subscribers
        self._realm = realm
        self._rng = rng
        self._waiting: Challenge | None = None
        self._auth_keys = auth_keys or MemoryAuthKeys()

    # --- keys of OMA BCAST

    def smk(self, nai: str, naf_id: bytes, rand: bytes) -> Secret:
        """Return the TK for the RAND of an LTKM, whoever sends it. Raises `HeadendError` for an unknown NAI."""
        del naf_id
        return self._subscribers.by_nai(nai).root.derive_tk(rand)

    def srk(self, nai: str, naf_id: bytes) -> Secret:
        """Return the Auth-Key of the last answered challenge. Raises `HeadendError` when none was answered."""
        del naf_id
        auth_key = self._auth_keys.auth_key(self._subscribers.by_nai(nai).nai)
        if auth_key is None:
            raise HeadendError(f"{nai} has not answered a challenge yet")
        return auth_key

    def expires(self, nai: str, naf_id: bytes) -> datetime | None:
        """Return None: keys from RK have no end. Raises `HeadendError` for an unknown NAI."""
        del naf_id
        self._subscribers.by_nai(nai)
        return None

    def identity(self, nai: str, naf_id: bytes) -> str:
        """Return the NAI. Raises `HeadendError` for an unknown one."""
        del naf_id
        return self._subscribers.by_nai(nai).nai

    # --- HTTP authentication

    def demand(self) -> Challenge:
        """Return a fresh challenge; the one before is void."""
        rand, challenge = self._rng.random_bytes(RAND_SIZE), self._rng.random_bytes(CHALLENGE_SIZE)
        self._waiting = Challenge(self._realm, join_nonce(rand, challenge))
        return self._waiting

    def admit(self, answer: Credentials, asked: Asked) -> None:
        """Check the answer to the last challenge, which can be answered once. Raises `HeadendError`."""
        challenge, self._waiting = self._waiting, None
        if challenge is None:
            raise HeadendError("no challenge is waiting for an answer")
        rand, demanded = split_nonce(challenge.nonce)
        password = self.http_password(answer.username, rand, demanded)
        asked_for = (challenge.realm, challenge.nonce, challenge.algorithm, challenge.qop)
        answered = (answer.realm, answer.nonce, answer.algorithm, answer.qop)
        if answered != asked_for or not is_digest(answer.response, answer.proof, password, asked):
            raise HeadendError(f"the answer of {answer.username} is wrong: its card does not hold the registration key")
        self.note_answered(answer.username, rand)

    def http_password(self, nai: str, rand: bytes, demanded: bytes) -> Secret:
        """Return the password that the card of `nai` makes of RAND and challenge. Raises `HeadendError`."""
        return one_time_password(self._subscribers.by_nai(nai).root.respond(rand, demanded))

    def note_answered(self, nai: str, rand: bytes) -> None:
        """Take the Auth-Key of this RAND as SRK, as its challenge was answered. Raises `HeadendError`."""
        self._auth_keys.keep_auth_key(nai, self._subscribers.by_nai(nai).root.derive_auth_key(rand))

    # --- native BCMCS

    def deliver_bak(self, nai: str, flow_id: bytes, bak_id: bytes, expires: bytes, bak: Secret) -> BakDelivery:
        """Return the delivery of a BAK (16 bytes) to the card of `nai` under a fresh TK. Raises `HeadendError`."""
        root = self._subscribers.by_nai(nai).root
        tk_rand = self._rng.random_bytes(RAND_SIZE)
        sealed = root.functions.seal_bak(root.derive_tk(tk_rand), bak)
        return BakDelivery(flow_id, bak_id, expires, tk_rand, sealed)
