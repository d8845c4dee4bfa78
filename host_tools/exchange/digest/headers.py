"""The three headers of HTTP Digest: challenge, credentials, and what the server says of itself (RFC 7616 clause 3)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from card.errors import DecodeError
from card.lean import lean_dataclass
from host_tools.exchange.digest.compute import Algorithm, Proof, Qop
from host_tools.exchange.digest.parameters import parse_parameters, parse_schemes, quote

_SCHEME = "digest"
_AUTS_SIZE = 14  # TS 33.102 clause 6.3.3
_COUNT = re.compile(r"[0-9A-Fa-f]{1,8}")
_REALM_SEPARATOR = ";"
_ALGORITHMS = {algorithm.value.lower(): algorithm for algorithm in Algorithm}
_QOPS = {qop.value: qop for qop in Qop}


@lean_dataclass(frozen=True, slots=True)
class Challenge:
    """What a server sends with 401 in `WWW-Authenticate`. `qops` is empty where the server names none."""

    realm: str
    nonce: str
    algorithm: Algorithm = Algorithm.MD5
    qops: tuple[Qop, ...] = (Qop.AUTH_INT,)
    opaque: str | None = None
    stale: bool = False

    @property
    def realms(self) -> tuple[str, ...]:
        """The realms: one, or those of a list with ";", which some servers send (no text has such a list)."""
        return tuple(part.strip() for part in self.realm.split(_REALM_SEPARATOR))

    @property
    def qop(self) -> Qop | None:
        """The best protection offered: auth-int before auth (TS 33.246 clause 6.2.1.3)."""
        return next((qop for qop in (Qop.AUTH_INT, Qop.AUTH) if qop in self.qops), None)

    def header_value(self) -> str:
        """Return the header's value. Raises `EncodeError`."""
        qops = ",".join(qop.value for qop in self.qops)
        return _render(
            {
                "realm": quote(self.realm),
                "nonce": quote(self.nonce),
                "algorithm": self.algorithm.value,
                "qop": quote(qops) if qops else None,
                "opaque": _quoted(self.opaque),
                "stale": "true" if self.stale else None,
            }
        )

    @classmethod
    def parse_all(cls, values: Iterable[str]) -> tuple[Challenge, ...]:
        """Read every `WWW-Authenticate` of an answer; each may hold several challenges.

        What cannot be answered is left out: other schemes, unknown algorithms and qops, challenges without realm or
        nonce. Raises `DecodeError` for a malformed header.
        """
        schemes = [scheme for value in values for scheme in parse_schemes(value)]
        read = [cls._read(scheme.parameters) for scheme in schemes if scheme.name == _SCHEME]
        return tuple(challenge for challenge in read if challenge is not None)

    @classmethod
    def _read(cls, found: Mapping[str, str]) -> Challenge | None:
        algorithm = _ALGORITHMS.get(found.get("algorithm", "MD5").lower())
        named = [name.strip().lower() for name in found.get("qop", "").split(",")]
        qops = tuple(_QOPS[name] for name in dict.fromkeys(named) if name in _QOPS)
        if algorithm is None or ("qop" in found and not qops) or not {"realm", "nonce"} <= found.keys():
            return None
        stale = found.get("stale", "").lower() == "true"
        return cls(found["realm"], found["nonce"], algorithm, qops, found.get("opaque"), stale)


@lean_dataclass(frozen=True, slots=True)
class Credentials:
    """What a client sends in `Authorization`. `auts` has 14 bytes (RFC 3310 clause 3.4).

    Before it has a challenge a client names itself with an empty nonce and an empty response (TS 24.109 clause 4.2).
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str = field(repr=False)
    algorithm: Algorithm = Algorithm.MD5
    qop: Qop | None = Qop.AUTH_INT
    nc: int = 1
    cnonce: str = ""
    opaque: str | None = None
    auts: bytes | None = None

    @classmethod
    def introduction(cls, username: str, realm: str, uri: str) -> Credentials:
        """Return credentials that say who asks and prove nothing."""
        return cls(username, realm, "", uri, "", qop=None)

    @property
    def is_introduction(self) -> bool:
        """True when there is no answer to a challenge in it."""
        return not self.nonce and not self.response

    @property
    def proof(self) -> Proof:
        """What the response is bound to."""
        return Proof(self.algorithm, self.username, self.realm, self.nonce, self.qop, self.nc, self.cnonce)

    def header_value(self) -> str:
        """Return the header's value. Raises `EncodeError`."""
        counted = self.qop is not None
        plain_algorithm = not self.is_introduction
        return _render(
            {
                "username": quote(self.username),
                "realm": quote(self.realm),
                "nonce": quote(self.nonce),
                "uri": quote(self.uri),
                "response": quote(self.response),
                "algorithm": self.algorithm.value if plain_algorithm else None,
                "qop": self.qop.value if self.qop else None,
                "nc": f"{self.nc:08x}" if counted else None,
                "cnonce": quote(self.cnonce) if counted else None,
                "opaque": _quoted(self.opaque),
                "auts": None if self.auts is None else quote(base64.b64encode(self.auts).decode()),
            }
        )

    @staticmethod
    def are_shown(value: str) -> bool:
        """Tell whether a header shows credentials of Digest; by another scheme there are none for us."""
        return value.partition(" ")[0].strip().lower() == _SCHEME

    @classmethod
    def parse(cls, value: str) -> Credentials:
        """Read the header's value. Raises `DecodeError` for anything but one set of Digest credentials."""
        schemes = parse_schemes(value)
        if [scheme.name for scheme in schemes] != [_SCHEME]:
            raise DecodeError("Authorization is not by Digest, or by more than one scheme")
        found = schemes[0].parameters
        algorithm = _ALGORITHMS.get(found.get("algorithm", "MD5").lower())
        if algorithm is None:
            raise DecodeError("the algorithm of the credentials is not known")
        qop = _qop(found)
        return cls(
            username=_need(found, "username"),
            realm=_need(found, "realm"),
            nonce=_need(found, "nonce"),
            uri=_need(found, "uri"),
            response=_need(found, "response"),
            algorithm=algorithm,
            qop=qop,
            nc=_count(_need(found, "nc")) if qop else 1,
            cnonce=_need(found, "cnonce") if qop else found.get("cnonce", ""),
            opaque=found.get("opaque"),
            auts=_auts(found["auts"]) if "auts" in found else None,
        )


@lean_dataclass(frozen=True, slots=True)
class AuthenticationInfo:
    """What a server says with an answer to authenticated requests; each part may be missing (RFC 7616 clause 3.5)."""

    rspauth: str | None = field(default=None, repr=False)
    qop: Qop | None = None
    cnonce: str | None = None
    nc: int | None = None
    nextnonce: str | None = None

    def header_value(self) -> str:
        """Return the header's value. Raises `EncodeError`."""
        parts = {
            "qop": self.qop.value if self.qop else None,
            "rspauth": _quoted(self.rspauth),
            "cnonce": _quoted(self.cnonce),
            "nc": None if self.nc is None else f"{self.nc:08x}",
            "nextnonce": _quoted(self.nextnonce),
        }
        return _join(parts)

    @classmethod
    def parse(cls, value: str) -> AuthenticationInfo:
        """Read the header's value; unknown parameters are passed over. Raises `DecodeError`."""
        found = parse_parameters(value)
        count = found.get("nc")
        return cls(
            rspauth=found.get("rspauth"),
            qop=_qop(found),
            cnonce=found.get("cnonce"),
            nc=None if count is None else _count(count),
            nextnonce=found.get("nextnonce"),
        )


def _render(parts: Mapping[str, str | None]) -> str:
    return "Digest " + _join(parts)


def _join(parts: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parts.items() if value is not None)


def _quoted(value: str | None) -> str | None:
    return None if value is None else quote(value)


def _need(found: Mapping[str, str], name: str) -> str:
    if name not in found:
        raise DecodeError(f"the parameter {name} is missing")
    return found[name]


def _qop(found: Mapping[str, str]) -> Qop | None:
    if "qop" not in found:
        return None
    qop = _QOPS.get(found["qop"].strip().lower())
    if qop is None:
        raise DecodeError("the qop is neither auth nor auth-int")
    return qop


def _count(text: str) -> int:
    if _COUNT.fullmatch(text) is None or int(text, 16) == 0:
        raise DecodeError("nc is not a count from 1 on, of at most eight hex digits")
    return int(text, 16)


def _auts(text: str) -> bytes:
    try:
        auts = base64.b64decode(text.encode("latin-1"), validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("auts is not base64") from None
    if len(auts) != _AUTS_SIZE:
        raise DecodeError(f"auts has {len(auts)} bytes, not {_AUTS_SIZE}")
    return auts
