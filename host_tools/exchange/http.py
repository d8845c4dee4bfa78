"""HTTP requests and answers as plain values, and their octets on a wire (RFC 7230), whole messages only.

Header texts are ISO 8859-1, one character an octet. A server of the network reads and writes the same values through a
library; the octets here are what the in-process transport carries, so that nothing but octets crosses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from http import HTTPStatus

from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

LARGEST_BODY = 65_536
"""Octets of a body that either end reads; ours."""
_LARGEST_HEAD = 16_384
_MOST_HEADERS = 64
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_TARGET = re.compile(r"[!-~]{1,2048}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_STATUS = re.compile(r"HTTP/1\.1 ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]{0,128}))?")
_LENGTH = re.compile(r"[0-9]{1,8}")
_REASONS = {int(status): status.phrase for status in HTTPStatus}

Headers = tuple[tuple[str, str], ...]
"""Names and values, in the order in which they stand in the message."""


@lean_dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request; `target` is what stands in the request line. Headers and body stay out of the repr."""

    method: str
    target: str
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def all(self, name: str) -> tuple[str, ...]:
        """Return the values of a header, in order."""
        return _all(self.headers, name)

    def one(self, name: str) -> str | None:
        """Return the value of a header, None when it is missing. Raises `DecodeError` when it stands twice."""
        return _one(self.headers, name)

    def encode(self) -> bytes:
        """Return the octets of the request. Raises `EncodeError`."""
        if not _TOKEN.fullmatch(self.method) or not _TARGET.fullmatch(self.target):
            raise EncodeError("the method or the target of a request holds what HTTP does not allow")
        return _encode(f"{self.method} {self.target} HTTP/1.1", self.headers, self.body)

    @classmethod
    def decode(cls, raw: bytes) -> HttpRequest:
        """Read one whole request. Raises `DecodeError`."""
        line, headers, body = _decode(raw)
        parts = line.split(" ")
        if len(parts) != 3 or parts[2] != "HTTP/1.1":
            raise DecodeError("the first line is no request line of HTTP/1.1")
        if not _TOKEN.fullmatch(parts[0]) or not _TARGET.fullmatch(parts[1]):
            raise DecodeError("the method or the target of a request holds what HTTP does not allow")
        return cls(parts[0], parts[1], headers, body)


@lean_dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer. `reason` is the text behind the status; nobody decides anything by it."""

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    reason: str = ""

    def all(self, name: str) -> tuple[str, ...]:
        """Return the values of a header, in order."""
        return _all(self.headers, name)

    def one(self, name: str) -> str | None:
        """Return the value of a header, None when it is missing. Raises `DecodeError` when it stands twice."""
        return _one(self.headers, name)

    def encode(self) -> bytes:
        """Return the octets of the answer. Raises `EncodeError`."""
        line = f"HTTP/1.1 {self.status} {self.reason or reason_of(self.status)}"
        if not _STATUS.fullmatch(line):
            raise EncodeError("the status line holds what HTTP does not allow")
        return _encode(line, self.headers, self.body)

    @classmethod
    def decode(cls, raw: bytes) -> HttpResponse:
        """Read one whole answer. Raises `DecodeError`."""
        line, headers, body = _decode(raw)
        found = _STATUS.fullmatch(line)
        if found is None:
            raise DecodeError("the first line is no status line of HTTP/1.1")
        return cls(int(found[1]), headers, body, found[2] or "")


def reason_of(status: int) -> str:
    """Return the usual text of a status."""
    return _REASONS.get(status, "Unknown")


def media_type(value: str | None) -> str:
    """Return a media type in lower case and without parameters; "" for none."""
    return (value or "").partition(";")[0].strip().lower()


def _all(headers: Headers, name: str) -> tuple[str, ...]:
    wanted = name.lower()
    return tuple(value for found, value in headers if found.lower() == wanted)


def _one(headers: Headers, name: str) -> str | None:
    values = _all(headers, name)
    if len(values) > 1:
        raise DecodeError(f"the header {name} stands {len(values)} times")
    return values[0] if values else None


def _encode(line: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    lines = [line]
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise EncodeError(f"the header {name[:64]!r} holds what HTTP does not allow")
        if name.lower() != "content-length":
            lines.append(f"{name}: {value}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _decode(raw: bytes) -> tuple[str, Headers, bytes]:
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator or len(head) > _LARGEST_HEAD:
        raise DecodeError(f"a message has a head of at most {_LARGEST_HEAD} octets and an empty line behind it")
    line, *rest = head.decode("latin-1").split("\r\n")
    if len(rest) > _MOST_HEADERS:
        raise DecodeError(f"a message has at most {_MOST_HEADERS} headers, not {len(rest)}")
    headers = tuple(_header(text) for text in rest)
    if _all(headers, "Transfer-Encoding"):
        raise DecodeError("a whole message is wanted, not one in pieces")
    length = _one(headers, "Content-Length") or "0"
    if not _LENGTH.fullmatch(length) or int(length) != len(body):
        raise DecodeError("Content-Length is not that of the body")
    if len(body) > LARGEST_BODY:
        raise DecodeError(f"the body has {len(body)} octets, more than {LARGEST_BODY}")
    kept = tuple(header for header in headers if header[0].lower() != "content-length")
    return line, kept, body


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise DecodeError("a header line is malformed")
    return name, value
