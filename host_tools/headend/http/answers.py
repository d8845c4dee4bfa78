"""How the servers of the head-end answer."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus

from card.lean import lean_dataclass
from host_tools.exchange.http import Headers, HttpResponse, reason_of

RETRY_SECONDS = 10
"""What `Retry-After` says when the server is at fault; ours."""


@lean_dataclass(frozen=True, slots=True)
class KeptAnswer(HttpResponse):
    """An answer whose status is that of an error, though what its request wrote down is kept."""

    @classmethod
    def of(cls, answered: HttpResponse, reason: str = "") -> KeptAnswer:
        """Return an answer as one of this kind, with another reason phrase if one is given."""
        return cls(answered.status, answered.headers, answered.body, reason or answered.reason)


def answer(status: int, body: bytes = b"", media_type: str = "", headers: Headers = ()) -> HttpResponse:
    """Return an answer that nobody may store."""
    typed: Headers = (("Content-Type", media_type),) if media_type else ()
    return HttpResponse(int(status), (*typed, ("Cache-Control", "no-store"), *headers), body)


def failure(status: int, words: str = "", headers: Headers = ()) -> HttpResponse:
    """Return an answer that says what is wrong, for a person."""
    text = (words or reason_of(status)) + "\n"
    return answer(status, text.encode(errors="backslashreplace"), "text/plain; charset=utf-8", headers)


def out_of_order(headers: Headers = ()) -> HttpResponse:
    """Return the answer of a server that met an error of its own: 503, as MBMS uses no 500 (TS 33.246 clause G.2.4)."""
    return failure(HTTPStatus.SERVICE_UNAVAILABLE, headers=(("Retry-After", str(RETRY_SECONDS)), *headers))


def http_date(moment: datetime) -> str:
    """Return a moment in UTC as HTTP writes it."""
    return format_datetime(moment, usegmt=True)
