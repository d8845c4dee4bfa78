"""The home of a CSIM subscriber: SMK and SRK from the registration key, BCMCS key delivery, and HTTP authentication.

provisional: SMK = TK for the RAND of the LTKM, SRK = Auth-Key for the RAND of a challenge, the NAI as user name, and
the response to a challenge as one-time password. The nonce of the HTTP challenge carries RAND and challenge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from card.crypto.secret import Secret
from host_tools.headend.errors import HeadendError
from host_tools.headend.seeded import SeededRng
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.http_digest import DigestAnswer, DigestChallenge, is_right
from host_tools.rk_nonce import CHALLENGE_SIZE, RAND_SIZE, join_nonce, one_time_password, split_nonce


@dataclass(frozen=True, slots=True)
class BakDelivery:
    """What Update BAK takes: names and end of the BAK, TK_RAND (16 bytes), the BAK under the TK."""

    flow_id: bytes
    bak_id: bytes
    expires: bytes
    tk_rand: bytes
    encrypted: bytes


class RkHome:
    """Knows the keys of one subscriber, by NAI."""

    def __init__(self, subscriber: RkSubscriber, realm: str, rng: SeededRng) -> None:
        """Take the subscriber, the realm of HTTP authentication, and where RANDs and challenges come from."""
        self._subscriber = subscriber
        self._realm = realm
        self._rng = rng
        self._waiting: DigestChallenge | None = None
        self._auth_key: Secret | None = None

    # --- keys of OMA BCAST

    def smk(self, nai: str, naf_id: bytes, rand: bytes) -> Secret:
        """Return the TK for the RAND of an LTKM, whoever sends it. Raises `HeadendError` for an unknown NAI."""
        del naf_id
        return self._find(nai).root.derive_tk(rand)

    def srk(self, nai: str, naf_id: bytes) -> Secret:
        """Return the Auth-Key of the last answered challenge. Raises `HeadendError` when none was answered."""
        del naf_id
        self._find(nai)
        if self._auth_key is None:
            raise HeadendError(f"{nai} has not answered a challenge yet")
        return self._auth_key

    def expires(self, nai: str, naf_id: bytes) -> datetime | None:
        """Return None: keys from RK have no end. Raises `HeadendError` for an unknown NAI."""
        del naf_id
        self._find(nai)
        return None

    def identity(self, nai: str, naf_id: bytes) -> str:
        """Return the NAI. Raises `HeadendError` for an unknown one."""
        del naf_id
        return self._find(nai).nai

    # --- HTTP authentication

    def demand(self) -> DigestChallenge:
        """Return a fresh challenge; the one before is void."""
        rand, challenge = self._rng.random_bytes(RAND_SIZE), self._rng.random_bytes(CHALLENGE_SIZE)
        self._waiting = DigestChallenge(self._realm, join_nonce(rand, challenge))
        return self._waiting

    def admit(self, answer: DigestAnswer, method: str) -> None:
        """Check the answer to the last challenge, which can be answered once. Raises `HeadendError`."""
        challenge, self._waiting = self._waiting, None
        if challenge is None:
            raise HeadendError("no challenge is waiting for an answer")
        root = self._find(answer.username).root
        rand, demanded = split_nonce(challenge.nonce)
        password = one_time_password(root.respond(rand, demanded))
        if not is_right(answer, challenge, password, method):
            raise HeadendError(f"the answer of {answer.username} is wrong: its card does not hold the registration key")
        self._auth_key = root.derive_auth_key(rand)

    # --- native BCMCS

    def deliver_bak(self, flow_id: bytes, bak_id: bytes, expires: bytes, bak: Secret) -> BakDelivery:
        """Return the delivery of a BAK (16 bytes) under a fresh TK."""
        tk_rand = self._rng.random_bytes(RAND_SIZE)
        root = self._subscriber.root
        sealed = root.functions.seal_bak(root.derive_tk(tk_rand), bak)
        return BakDelivery(flow_id, bak_id, expires, tk_rand, sealed)

    def _find(self, nai: str) -> RkSubscriber:
        if nai != self._subscriber.nai:
            raise HeadendError(f"no subscriber has the NAI {nai}")
        return self._subscriber
