"""Steps that bring the contents of an old card file to the present schema version.

`MIGRATIONS[n]` turns contents of version n into contents of version n + 1 and is never edited after a release; a saved
card of every released version is kept in `tests/golden/cards` and must still open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from card.errors import StoreError

Contents = dict[str, bytes]

SCHEMA_VERSION = 1
MIGRATIONS: Mapping[int, Callable[[Contents], Contents]] = {}


def migrate(contents: Contents, version: int) -> Contents:
    """Return `contents` of schema `version` in the present schema. Raises `StoreError` when it is unknown."""
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreError(f"card file has schema version {version}, this release reads 1 to {SCHEMA_VERSION}")
    for step in range(version, SCHEMA_VERSION):
        contents = MIGRATIONS[step](contents)
    return contents
