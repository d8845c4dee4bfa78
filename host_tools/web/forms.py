"""Forms: read within bounds, and the token in each, which shows that this server made the form for this visitor.

The token is also the name of what the form asks for: sent twice it is the same request, and acts once.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from card.crypto.secret import Secret
from host_tools.exchange.http import HttpRequest, media_type
from host_tools.exchange.ports import Clock, Rng
from host_tools.wire.visitors import VisitRefusedError

FORM_TYPE = "application/x-www-form-urlencoded"
_LARGEST = 16_384
_MOST_FIELDS = 64
_LIFE = 12 * 3600
_NAME_SIZE, _MAC_LENGTH = 12, 32
_TOKEN = re.compile(rf"([0-9]{{1,12}})\.([0-9a-f]{{{2 * _NAME_SIZE}}})\.([0-9a-f]{{{_MAC_LENGTH}}})")


class FormTokens:
    """Makes and checks tokens."""

    def __init__(self, rng: Rng, clock: Clock) -> None:
        """Take randomness, also for the secret behind the tokens, and the time."""
        self._secret = Secret(rng.random_bytes(32))
        self._rng = rng
        self._clock = clock

    def make(self, visitor: str) -> str:
        """Return a token for a form that is shown to a visitor (a cookie, an identity)."""
        made = f"{int(self._clock.now().timestamp())}.{self._rng.random_bytes(_NAME_SIZE).hex()}"
        return f"{made}.{self._mac(visitor, made)}"

    def check(self, visitor: str, token: str) -> str:
        """Return the name of the request that a form with this token is. Raises `VisitRefusedError`."""
        found = _TOKEN.fullmatch(token)
        right = found is not None and hmac.compare_digest(self._mac(visitor, f"{found[1]}.{found[2]}"), found[3])
        if found is None or not right:
            raise VisitRefusedError(HTTPStatus.FORBIDDEN, "the form is none that this page showed you: open it again")
        if self._clock.now().timestamp() - int(found[1]) > _LIFE:
            raise VisitRefusedError(HTTPStatus.FORBIDDEN, "the form is too old: open the page again")
        return found[2]

    def _mac(self, visitor: str, made: str) -> str:
        text = f"{len(visitor)} {visitor} {made}".encode()
        return hmac.digest(self._secret.reveal(), text, "sha256").hex()[:_MAC_LENGTH]


def read_form(request: HttpRequest) -> Mapping[str, str]:
    """Return the fields of a form, each once. Raises `VisitRefusedError`."""
    if media_type(request.one("Content-Type")) != FORM_TYPE:
        raise VisitRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a form of a page is wanted")
    if len(request.body) > _LARGEST:
        raise VisitRefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form is too large")
    return _fields(request.body.decode("latin-1"))


def read_query(query: str) -> Mapping[str, str]:
    """Return the parameters of an address, each once. Raises `VisitRefusedError`."""
    return _fields(query)


def _fields(text: str) -> Mapping[str, str]:
    try:
        found = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise VisitRefusedError(HTTPStatus.BAD_REQUEST, "the fields cannot be read") from None
    if not all(part.isprintable() for field in found for part in field):  # not every database can hold the others
        raise VisitRefusedError(HTTPStatus.BAD_REQUEST, "a field holds a control character")
    fields = dict(found)
    if len(fields) != len(found):
        raise VisitRefusedError(HTTPStatus.BAD_REQUEST, "a field stands twice")
    return fields
