"""Which HTTP status says what in the procedures of MBMS, and what a terminal does about it (TS 33.246 clause G.2.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from types import MappingProxyType

from card.errors import DecodeError
from card.spec.refs import Confidence, Ref
from host_tools.exchange.http import HttpResponse, reason_of

_SECONDS = re.compile(r"[0-9]{1,6}")
_LONGEST_WAIT = 999_999
_CODE = re.compile(r"\s*([0-9]{3})(?![0-9])")
DEFAULT_RETRY_SECONDS = 60
"""How long a terminal waits after 503 where `Retry-After` is missing; ours."""


class Reaction(Enum):
    """What a terminal does about a status."""

    READ_ITEMS = "look at the code of each item"
    AUTHENTICATE = "ask again with credentials, or bootstrap"
    WAIT = "ask again after Retry-After"
    REPORT = "do not repeat it, and tell the user"


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A status, its meaning, what follows, and where that stands."""

    status: int
    meaning: str
    reaction: Reaction
    ref: Ref


_REF = Ref("TS 33.246", "G.2.4", Confidence.SOURCED)

STATUS_ROWS = (
    StatusRow(HTTPStatus.OK, "processed; each item has a code of its own", Reaction.READ_ITEMS, _REF),
    StatusRow(HTTPStatus.BAD_REQUEST, "something is missing or malformed", Reaction.REPORT, _REF),
    StatusRow(HTTPStatus.UNAUTHORIZED, "credentials are wanted", Reaction.AUTHENTICATE, _REF),
    StatusRow(HTTPStatus.FORBIDDEN, "understood and refused", Reaction.REPORT, _REF),
    StatusRow(HTTPStatus.NOT_FOUND, "the request URI is malformed", Reaction.REPORT, _REF),
    StatusRow(HTTPStatus.METHOD_NOT_ALLOWED, "not this method", Reaction.REPORT, _REF),
    StatusRow(HTTPStatus.NOT_IMPLEMENTED, "the procedure is not supported", Reaction.REPORT, _REF),
    StatusRow(HTTPStatus.SERVICE_UNAVAILABLE, "busy", Reaction.WAIT, _REF),
    StatusRow(HTTPStatus.GATEWAY_TIMEOUT, "no answer over Zn", Reaction.REPORT, _REF),
    StatusRow(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "not this version of HTTP", Reaction.REPORT, _REF),
)
_BY_STATUS: Mapping[int, StatusRow] = MappingProxyType({row.status: row for row in STATUS_ROWS})


def reaction_to(status: int) -> Reaction:
    """Return what a terminal does about a status; one that MBMS does not use is as 400 (ours)."""
    if is_success(status):
        return Reaction.READ_ITEMS
    row = _BY_STATUS.get(status)
    return Reaction.REPORT if row is None else row.reaction


def is_success(status: int) -> bool:
    """Tell whether a status, also that of an item, says that it was done: any 2xx (TS 33.246 clause 6.3.2.4)."""
    return 200 <= status <= 299


def is_used(status: int) -> bool:
    """Tell whether the procedures of MBMS use a status."""
    return status in _BY_STATUS or is_success(status)


def retry_after(response: HttpResponse) -> int | None:
    """Return in how many seconds a server wants to be asked again; None where that is not said or not understood.

    A date in `Retry-After` counts from `Date`, so the own clock does not matter (RFC 7231 clause 7.1.3).
    """
    said = response.all("Retry-After")
    if not said:
        return None
    if _SECONDS.fullmatch(said[0]):
        return int(said[0])
    try:
        then, now = (parsedate_to_datetime(text) for text in (said[0], (*response.all("Date"), "")[0]))
        wait = int((then - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0), _LONGEST_WAIT)


def item_text(status: int) -> str:
    """Return the code of an item as text: number and reason, as `200 OK` (TS 26.346 clause 11.5)."""
    return f"{int(status)} {reason_of(status)}"


def parse_item(text: str) -> int:
    """Read the code of an item: its first three digits count (TS 26.346 clause 11.5). Raises `DecodeError`."""
    found = _CODE.match(text)
    if found is None:
        raise DecodeError("the code of an item does not begin with three digits")
    return int(found[1])
