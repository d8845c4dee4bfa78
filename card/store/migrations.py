"""Steps that bring the contents of an old card file to the present schema version.

`MIGRATIONS[n]` turns contents of version n into contents of version n + 1 and is never edited after a release; a saved
card of every released version is kept in `tests/golden/cards` and must still open.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from card.errors import StoreError

Contents = dict[str, bytes]


def _part_keys_from_counters(contents: Contents) -> Contents:
    """Version 2: what was heard under an MSK stands in a record of its own, named by a fingerprint of the key."""
    migrated = dict(contents)
    for name, raw in contents.items():
        if not name.startswith("msk/"):
            continue
        try:
            record = json.loads(raw)
            heard = {field: record.pop(field) for field in ("counter", "last_mtk", "assumed")}
            fingerprint = hashlib.sha256(bytes.fromhex(record["key"])).digest()[:8].hex()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise StoreError(f"card file: record {name} cannot be read") from None
        migrated[name] = json.dumps(record).encode()
        migrated[f"heard/{name.removeprefix('msk/')}-{fingerprint}"] = json.dumps(heard).encode()
    return migrated


SCHEMA_VERSION = 2
MIGRATIONS: Mapping[int, Callable[[Contents], Contents]] = {1: _part_keys_from_counters}


def migrate(contents: Contents, version: int) -> Contents:
    """Return `contents` of schema `version` in the present schema. Raises `StoreError` when it is unknown."""
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreError(f"card file has schema version {version}, this release reads 1 to {SCHEMA_VERSION}")
    for step in range(version, SCHEMA_VERSION):
        contents = MIGRATIONS[step](contents)
    return contents
