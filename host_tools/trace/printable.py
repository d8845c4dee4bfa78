"""Text from outside, made fit for a screen: what a card, a reader or a file holds must not steer a terminal."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    r"""Return text with each character that is not printable as an escape (`\n`, `\x1b`, `\u202e`), but for `keep`.

    What comes out stays as it is when it goes in again.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
