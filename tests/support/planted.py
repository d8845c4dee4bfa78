"""A value that is planted where secrets are, and the search for it in whatever form it may show."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from card.codec.apdu import CommandApdu
from card.spec.aids import APPLICATIONS
from card.spec.files.catalogue import all_files
from card.spec.files.rows import EfRow
from card.spec.ins import INS

PLANT = bytes.fromhex("C0FFEE1DDEADBEA7A55E7F1EC0DEBA5E")
_PIECE = 4
SECRET_FILES: tuple[tuple[str, EfRow], ...] = tuple((path, row) for path, row in all_files() if row.secret)
EXTENDED_FROM = 4
"""The first logical channel that only the second coding of the class byte can name."""


def planted(size: int) -> bytes:
    """Return so many bytes of the value, again and again."""
    return (PLANT * (size // len(PLANT) + 1))[:size]


def pieces() -> Iterator[bytes]:
    around = planted(len(PLANT) + _PIECE - 1)
    for at in range(len(PLANT)):
        yield around[at : at + _PIECE]


_DIGITS = {piece.hex().encode() for piece in pieces()}
_RAW = set(pieces()) | {repr(piece)[2:-1].encode() for piece in pieces()}
_BASE64 = {base64.b64encode(PLANT[at:])[:12] for at in range(3)}
_NUMBERS = {", ".join(map(str, piece)).encode() for piece in pieces()}


def shows_plant(said: str | bytes) -> bool:
    """Tell whether four bytes of the value stand anywhere, in hex, raw, as a repr, as numbers or in base64."""
    text = said.encode() if isinstance(said, str) else said
    digits = re.sub(rb"[^0-9a-f]", b"", text.lower())
    return any(form in digits for form in _DIGITS) or any(form in text for form in _RAW | _BASE64 | _NUMBERS)


def on_channel(command: bytes, channel: int) -> bytes:
    """Return a command with the class byte of a logical channel, 0 to 19."""
    cla = command[0] | channel if channel < EXTENDED_FROM else command[0] | 0x40 | (channel - EXTENDED_FROM)
    return bytes((cla,)) + command[1:]


def extended(command: bytes) -> bytes:
    """Return a command with length fields of the extended form."""
    apdu = CommandApdu.decode(command)
    return CommandApdu(apdu.cla, apdu.ins, apdu.p1, apdu.p2, apdu.data, apdu.le, extended=True).encode()


def selection(path: str, cla: int = 0) -> list[bytes]:
    """Return the commands that select a declared file, one step at a time."""
    root, *steps = path.split("/")
    aid = {name: prefix for prefix, name in APPLICATIONS.items()}.get(root)
    first = CommandApdu(cla, INS.SELECT, 0x04, 0x0C, aid) if aid else CommandApdu(cla, INS.SELECT, 0, 0x0C, b"\x3f\x00")
    return [first.encode(), *(CommandApdu(cla, INS.SELECT, 0, 0x0C, bytes.fromhex(step)).encode() for step in steps)]


def touching(row: EfRow, *, by_sfi: bool = False, cla: int = 0, least: int = 0) -> list[bytes]:
    """Return commands that write the value into a file that is current, search for it and read it.

    They are of the file's size; `least` is for cards that take more.
    """
    size = max(row.size, least)
    if row.structure.has_records:
        p2 = (row.sfi << 3 if by_sfi else 0) | 4
        return [
            CommandApdu(cla, INS.UPDATE_RECORD, 1, p2, planted(size)).encode(),
            CommandApdu(cla, INS.SEARCH_RECORD, 1, p2, planted(size), le=256).encode(),
            CommandApdu(cla, INS.READ_RECORD, 1, p2, le=size).encode(),
        ]
    p1 = 0x80 | row.sfi if by_sfi else 0
    return [
        CommandApdu(cla, INS.UPDATE_BINARY, p1, 0, planted(size)).encode(),
        CommandApdu(cla, INS.READ_BINARY, p1, 0, le=size).encode(),
    ]
