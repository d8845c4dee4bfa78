"""The client's side of HTTP Digest: what it must remember between two requests.

One `DigestClient` belongs to one user name at one server. It answers ahead with the nonce it knows, counts its uses,
follows `nextnonce`, and checks that the server knows the password too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.digest.compute import Asked, Proof, Qop, digest, is_digest
from host_tools.exchange.digest.headers import AuthenticationInfo, Challenge, Credentials
from host_tools.exchange.errors import ServerNotAuthenticError
from host_tools.exchange.ports import Rng

_CNONCE_SIZE = 8
_LAST_COUNT = 0xFFFF_FFFF


class Passwords(Protocol):
    """Where the password comes from; with a card behind it, it is another for each nonce."""

    def password(self, challenge: Challenge, /) -> Secret:
        """Return the password for this challenge. Raises the error of its owner."""


class FixedPassword:
    """One password for every challenge."""

    def __init__(self, password: Secret) -> None:
        self._password = password

    def password(self, challenge: Challenge) -> Secret:
        """Return the password."""
        del challenge
        return self._password


def answer(
    challenge: Challenge,
    username: str,
    password: Secret,
    asked: Asked,
    cnonce: str,
    *,
    realm: str | None = None,
    nc: int = 1,
    auts: bytes | None = None,
) -> Credentials:
    """Return the credentials for one request; `realm` is the one taken where the challenge names several."""
    taken = challenge.realm if realm is None else realm
    proof = Proof(challenge.algorithm, username, taken, challenge.nonce, challenge.qop, nc, cnonce)
    response = digest(proof, password, asked)
    return Credentials(
        username=username,
        realm=taken,
        nonce=challenge.nonce,
        uri=asked.uri,
        response=response,
        algorithm=challenge.algorithm,
        qop=challenge.qop,
        nc=nc,
        cnonce=cnonce,
        opaque=challenge.opaque,
        auts=auts,
    )


def choose(challenges: Iterable[Challenge], realms: Iterable[str]) -> tuple[Challenge, str] | None:
    """Return the challenge to answer and the realm in it: the first of `realms` that is offered, auth-int if possible.

    Realms hold names of hosts, so capitals do not count; the realm that is returned is as the server spells it. None
    when no challenge has such a realm.
    """
    offered = sorted(challenges, key=lambda challenge: challenge.qop is not Qop.AUTH_INT)
    for realm in realms:
        for challenge in offered:
            spelt = next((one for one in challenge.realms if one.lower() == realm.lower()), None)
            if spelt is not None:
                return challenge, spelt
    return None


class DigestClient:
    """Answers the challenges of one server for one user name."""

    def __init__(self, username: str, passwords: Passwords, rng: Rng) -> None:
        """Take the user name, where passwords come from, and where cnonces do."""
        self.username = username
        self._passwords = passwords
        self._rng = rng
        self._challenge: Challenge | None = None
        self._realm = ""
        self._password: Secret | None = None
        self._count = 0

    @property
    def can_answer(self) -> bool:
        """True when a nonce is known, so that a request may go out with credentials at once."""
        return self._challenge is not None and self._count < _LAST_COUNT

    def challenged(self, challenge: Challenge, realm: str) -> None:
        """Take a challenge, in place of the one before."""
        self._challenge, self._realm, self._count = challenge, realm, 0
        self._password = None

    def authorise(self, asked: Asked) -> Credentials:
        """Return credentials for a request, with the next count of the nonce. `can_answer` must be true.

        Raises what the owner of the password raises.
        """
        if self._challenge is None:
            raise ValueError("there is no challenge to answer")
        if self._password is None:
            self._password = self._passwords.password(self._challenge)
        self._count += 1
        cnonce = self._rng.random_bytes(_CNONCE_SIZE).hex()
        return answer(self._challenge, self.username, self._password, asked, cnonce, realm=self._realm, nc=self._count)

    def check(self, sent: Credentials, headers: Iterable[str], body: bytes) -> bool:
        """Check what the server says with its answer to `sent`, and go over to its next nonce, if it names one.

        `sent` is what `authorise` returned last: one request goes out at a time.
        `headers` are the values of `Authentication-Info`. Returns whether the server has shown that it knows the
        password: it may leave that out. Raises `ServerNotAuthenticError` when what it shows is wrong or malformed.
        """
        if self._password is None:
            raise ValueError("there is no password to check an answer with")
        info = check_info(sent, self._password, headers, body)
        if info.rspauth is not None and info.nextnonce:
            self._follow(info.nextnonce)
        return info.rspauth is not None

    def _follow(self, nonce: str) -> None:
        """Use another nonce from now on. Nothing signs it: only a server that was authentic is followed."""
        before = self._challenge
        if before is None or nonce == before.nonce:
            return
        after = Challenge(before.realm, nonce, before.algorithm, before.qops, before.opaque)
        self.challenged(after, self._realm)


def check_info(sent: Credentials, password: Secret, headers: Iterable[str], body: bytes) -> AuthenticationInfo:
    """Read `Authentication-Info` of an answer to `sent` and check it against the body.

    Where the server repeats cnonce and nc they must be those sent. Raises `ServerNotAuthenticError`.
    """
    values = list(headers)
    if len(values) > 1:
        raise ServerNotAuthenticError("the server says Authentication-Info twice")
    try:
        info = AuthenticationInfo.parse(values[0]) if values else AuthenticationInfo()
    except DecodeError as error:
        raise ServerNotAuthenticError(f"Authentication-Info cannot be read: {error}") from None
    if info.rspauth is None:
        return info
    if info.cnonce not in (None, sent.cnonce) or info.nc not in (None, sent.nc):
        raise ServerNotAuthenticError("the server's answer is about another request")
    if sent.qop is Qop.AUTH_INT and info.qop is Qop.AUTH:
        raise ServerNotAuthenticError("the server does not protect the body of its answer")
    if not is_digest(info.rspauth, sent.proof, password, Asked("", sent.uri, body)):
        raise ServerNotAuthenticError(
            "rspauth is wrong: the password is not known to the server, or the body was changed"
        )
    return info
