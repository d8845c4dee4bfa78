"""The server's side of HTTP Digest: challenges, checks credentials, signs answers.

It keeps only how often live nonces were used. Who the user is and what the password is, its owner says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from card.crypto.secret import Secret
from host_tools.exchange.digest.compute import Algorithm, Asked, Qop, digest, is_digest
from host_tools.exchange.digest.counts import NonceCounts
from host_tools.exchange.digest.headers import AuthenticationInfo, Challenge, Credentials
from host_tools.exchange.digest.nonces import Nonces, NonceState


class Verdict(Enum):
    """What came of credentials."""

    RIGHT = auto()
    STALE = auto()
    """The password is right and the nonce is not: the client may ask again with the new one."""
    REPLAYED = auto()
    """As `STALE`: the nonce is good and this count of it was used before."""
    WRONG = auto()


@dataclass(frozen=True, slots=True)
class DigestPolicy:
    """What a server demands: one algorithm and one qop. MBMS: MD5 and auth-int (TS 33.246 clause 6.2.1.3)."""

    algorithm: Algorithm = Algorithm.MD5
    qop: Qop = Qop.AUTH_INT


class DigestServer:
    """Checks the credentials of all users of a server."""

    def __init__(self, nonces: Nonces, counts: NonceCounts, policy: DigestPolicy | None = None) -> None:
        """Take where nonces come from, where their uses are noted, and what is demanded."""
        self._nonces = nonces
        self._counts = counts
        self._policy = policy or DigestPolicy()

    def challenge(self, realm: str, *, stale: bool = False) -> Challenge:
        """Return a challenge with a fresh nonce."""
        policy = self._policy
        return Challenge(realm, self._nonces.fresh(), policy.algorithm, (policy.qop,), stale=stale)

    def check(self, credentials: Credentials, password: Secret, asked: Asked) -> Verdict:
        """Check credentials for a request; `asked.uri` is the one that was hashed.

        A nonce that is not good any more is told from a wrong password, and only to one who has the password
        (RFC 2617 clause 3.2.1).
        """
        if (credentials.algorithm, credentials.qop) != (self._policy.algorithm, self._policy.qop):
            return Verdict.WRONG
        if not is_digest(credentials.response, credentials.proof, password, asked):
            return Verdict.WRONG
        name, nonce = credentials.username, credentials.nonce
        if self._nonces.state(nonce) is not NonceState.LIVE:
            return Verdict.STALE
        fresh = self._counts.use(name, nonce, self._nonces.made_at(nonce), credentials.nc, self._nonces.oldest)
        return Verdict.RIGHT if fresh else Verdict.REPLAYED

    def info(self, credentials: Credentials, password: Secret, body: bytes) -> AuthenticationInfo:
        """Return what goes with the answer to right credentials, with a nonce for the next request."""
        return sign(credentials, password, body, self._nonces.fresh())


def sign(credentials: Credentials, password: Secret, body: bytes, nextnonce: str | None = None) -> AuthenticationInfo:
    """Return `Authentication-Info` for an answer with this body."""
    rspauth = digest(credentials.proof, password, Asked("", credentials.uri, body))
    return AuthenticationInfo(rspauth, credentials.qop, credentials.cnonce, credentials.nc, nextnonce)


class Mistake(Enum):
    """Mistakes of clients that were met in the wild; the value is for the log of a laboratory."""

    EMPTY_BODY = "the hash is that of an empty body"
    QOP_AUTH = "the hash is that of qop auth"
    RAW_KEY = "the password is the key itself and not its base64 text"
    HEX_KEY = "the password is the hex text of the key and not its base64 text"


def find_mistake(credentials: Credentials, password: Secret, key: Secret, asked: Asked) -> Mistake | None:
    """Return which known mistake makes wrong credentials come out as they do; None for none of them.

    `password` is the right one, `key` the key whose base64 text it is.
    """
    proof, shown = credentials.proof, credentials.response
    without_body = Asked(asked.method, asked.uri)
    plain = replace(proof, qop=Qop.AUTH)
    tries = (
        (Mistake.EMPTY_BODY, proof, password, without_body),
        (Mistake.QOP_AUTH, plain, password, asked),
        (Mistake.RAW_KEY, proof, key, asked),
        (Mistake.HEX_KEY, proof, Secret(key.reveal().hex().encode()), asked),
    )
    for mistake, bound, secret, covered in tries:
        if is_digest(shown, bound, secret, covered):
            return mistake
    return None
