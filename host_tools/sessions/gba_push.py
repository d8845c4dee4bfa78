"""Gives the card a GBA push message from a file (TS 33.223)."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from card.disk.kinds import GBA_PUSH
from card.disk.reading import read_bytes
from host_tools.sessions.errors import SessionError, Trouble

_VERSIONS = range(0x10, 0x20)  # of the first byte: version 1, which no text begins with (TS 33.223 clause 5.3.5)


def read_message(path: Path) -> bytes:
    """Return a message from a file of its bytes, or of hex or base64 text. Raises `UnusableFile`, `SessionError`."""
    content = read_bytes(path, GBA_PUSH)
    if content[:1] and content[0] in _VERSIONS:
        return content
    text = b"".join(content.split())
    for decode in (bytes.fromhex, _from_base64):
        try:
            return decode(text.decode("ascii"))
        except ValueError:
            continue
    neither = "neither a GBA push message (its first byte is 10 or 11) nor hex or base64 text"
    raise SessionError(f"{path}: {neither}", Trouble.INPUT)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
