"""Values inside the documents: base64, dateTime, anyURI, numbers."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta

from card.errors import DecodeError

_SPACE = re.compile(r"\s+")
_LONGEST_URI = 1024
LONGEST_SERVICE_ID = 2 * _LONGEST_URI
"""Characters of a serviceID: a GlobalPurchaseItemID, and a PurchaseDataID directly behind it."""
_LONGEST_TIME = 40
_END_OF_DAY = "24:00:00"
_NTP = re.compile(r"[0-9]{1,10}")
_NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,12})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def to_base64(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode()


def from_base64(text: str, what: str, *sizes: int) -> bytes:
    """Read base64, with any space inside; the bytes must have one of `sizes`. Raises `DecodeError`."""
    try:
        data = base64.b64decode(_SPACE.sub("", text).encode(), validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError(f"{what} is not base64") from None
    if sizes and len(data) not in sizes:
        wanted = " or ".join(str(size) for size in sizes)
        raise DecodeError(f"{what} has {len(data)} bytes, not {wanted}")
    return data


def to_date_time(text: str) -> datetime:
    """Read a dateTime; without a zone it is UTC. Raises `DecodeError`."""
    found = _DATE_TIME.fullmatch(text.strip()) if len(text) <= _LONGEST_TIME else None
    try:
        if found is not None:
            day, at = found[1].split("T")
            is_midnight = at == _END_OF_DAY  # that of the next day (XML Schema part 2, 3.2.7)
            moment = datetime.fromisoformat(f"{day}T{'00:00:00' if is_midnight else at}{found[3] or 'Z'}")
            return moment.astimezone(UTC) + timedelta(days=is_midnight)
    except (ValueError, OverflowError):
        pass
    raise DecodeError("a dateTime is malformed")


def from_date_time(moment: datetime) -> str:
    """Return a moment, with its zone, as dateTime in UTC to the second; the year always has four digits."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def uri(text: str, what: str, most: int = _LONGEST_URI) -> str:
    """Return the text of an anyURI. Raises `DecodeError` for an empty one, one with spaces, or one that is too long."""
    if not 0 < len(text) <= most or _SPACE.search(text):
        raise DecodeError(f"{what} is no URI of 1 to {most} characters without spaces")
    return text


def service_uri(text: str, what: str) -> str:
    """Return the text of a serviceID. Raises `DecodeError` as `uri`."""
    return uri(text, what, LONGEST_SERVICE_ID)


def to_moment(text: str) -> datetime:
    """Read an xs:dateTime, or the seconds since 1900 of NTP (RFC 5905 clause 6, era 0). Raises `DecodeError`."""
    if _NTP.fullmatch(text.strip()):
        return _NTP_EPOCH + timedelta(seconds=int(text))
    return to_date_time(text)


def boolean(text: str, what: str) -> bool:
    """Read an xs:boolean. Raises `DecodeError`."""
    match text.strip():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise DecodeError(f"{what} is neither true nor false")


def number(text: str, what: str, most: int) -> int:
    """Read a decimal number from 0 to `most`. Raises `DecodeError`."""
    if not re.fullmatch(r"[0-9]{1,20}", text.strip(), re.ASCII) or int(text) > most:
        raise DecodeError(f"{what} is no number from 0 to {most}")
    return int(text)
