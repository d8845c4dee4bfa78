"""The one table of a card file, and how it is read from a file that anybody may have made.

Each row is a key, a value, and a check value over both, so that a bit that flipped in either is noticed. Files of
releases before had no check value; they are brought to this layout when they are loaded.

Nothing is queried before the schema is known to be one of these: SQL in a file can be a program that never ends. The
rows must come in the order of their keys, or a tree of pages that leads back into itself would give rows without end.
The pages must fit together: a bit that flipped in the number of rows of a page would take rows away without a word.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping

LAYOUT = "CREATE TABLE nv (key TEXT PRIMARY KEY, value BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID"
FIRST_LAYOUT = "CREATE TABLE nv (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
_LAYOUTS: Mapping[tuple[bytes, bytes, bytes], str] = {
    (b"table", b"nv", layout.encode()): layout for layout in (LAYOUT, FIRST_LAYOUT)
}
_SELECTS = {LAYOUT: "SELECT key, value, crc FROM nv", FIRST_LAYOUT: "SELECT key, value, NULL FROM nv"}
_LONGEST_VALUE = 1 << 24
_MOST_BYTES = 1 << 26  # of all values


class DamagedFile(Exception):
    """What stands in a file cannot be a card. The message says why and shows no value."""


def check_value(key: str, value: bytes) -> int:
    """Return the check value of a row: a CRC-32 over key and value."""
    return zlib.crc32(value, zlib.crc32(key.encode()))


def bound(database: sqlite3.Connection) -> None:
    """Bound what SQLite takes for one value, in whatever a file claims and in what is written."""
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)


def layout_of(database: sqlite3.Connection) -> str:
    """Return which layout a file has. Raises `DamagedFile`, `sqlite3.Error`."""
    database.text_factory = bytes  # what stands there need not be text
    try:
        found = database.execute("SELECT type, name, sql FROM sqlite_master LIMIT 2").fetchall()
    finally:
        database.text_factory = str
    layout = _LAYOUTS.get(found[0]) if len(found) == 1 else None
    if layout is None:
        raise DamagedFile("its table is not that of a card")
    return layout


def require_whole(database: sqlite3.Connection) -> None:
    """Look whether the pages of a file fit together (0.4 ms for a card). Raises `DamagedFile`, `sqlite3.Error`."""
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DamagedFile("its pages do not fit together")


def read_rows(database: sqlite3.Connection, layout: str) -> Iterator[tuple[str, bytes]]:
    """Yield key and value of every row. Raises `DamagedFile`, `sqlite3.Error`."""
    last, size = "", 0
    for key, value, crc in database.execute(_SELECTS[layout]):
        if not isinstance(key, str) or not isinstance(value, bytes):
            raise DamagedFile("a value of the wrong type")
        if last and key <= last:
            raise DamagedFile("its rows are out of order")
        if layout != FIRST_LAYOUT and crc != check_value(key, value):
            raise DamagedFile("a value was changed from outside, or the disk lost a bit")
        last, size = key, size + len(value)
        if size > _MOST_BYTES:
            raise DamagedFile(f"more than {_MOST_BYTES} bytes")
        yield key, value


def row_of(key: str, value: bytes) -> tuple[str, bytes, int]:
    """Return what is written for a key and a value."""
    return key, value, check_value(key, value)


def rewrite(database: sqlite3.Connection, contents: Mapping[str, bytes], version: int) -> None:
    """Make the whole file anew in the present layout; to be done in a transaction. Raises `sqlite3.Error`."""
    database.execute("DROP TABLE nv")
    database.execute(LAYOUT)
    database.executemany("INSERT INTO nv VALUES (?,?,?)", (row_of(*item) for item in contents.items()))
    database.execute(f"PRAGMA user_version={version}")
