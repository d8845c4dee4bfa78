"""Reads the text form of decoded file contents: what `card show` prints is what `card edit --value` takes.

A value is written like the example in the file's row (`card.codec.ef.format_value`).
"""

from __future__ import annotations

from card.codec.ef import format_value
from card.inspection.errors import EditRefused

_MOST_NUMBER = 0xFFFF


def parse_value(text: str, like: object) -> object:
    """Read a value written like the example `like`. Raises `EditRefused`."""
    try:
        return _parse(text.strip(), like)
    except ValueError:
        raise EditRefused(f'the value cannot be read; it is written like "{format_value(like)}"') from None


def _parse(text: str, like: object) -> object:
    match like:
        case str():
            return text
        case int() if not isinstance(like, bool):
            number = int(text)
            if not 0 <= number <= _MOST_NUMBER:
                raise ValueError("out of range")
            return number
        case bytes():
            return bytes.fromhex(text)
        case [first, *_] if isinstance(like, list):
            return [_parse(part.strip(), first) for part in text.split(",")] if text else []
        case tuple():
            parts = text.split(",", len(like) - 1)
            return tuple(_parse(part.strip(), each) for part, each in zip(parts, like, strict=True))
        case _:
            raise EditRefused("values of this file have no text form; give its bytes")
