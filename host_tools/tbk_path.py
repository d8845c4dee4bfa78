"""How a terminal asks the permissions issuer for a terminal binding key (TBK): one path, both sides read it.

provisional: the exchange is ours.
"""

from __future__ import annotations

import re

MEDIA_TYPE = "application/octet-stream"
_SERVICE = "tbk"
_PATH = re.compile(rf"/(?:[A-Za-z0-9._~-]+/)*{_SERVICE}/([0-9a-f]{{8}})")


def tbk_path(base: str, key_id: int) -> str:
    """Return the path of a key below the issuer's own path; `key_id` has 32 bits."""
    return f"{base.rstrip('/')}/{_SERVICE}/{key_id:08x}"


def find_key_id(path: str) -> int | None:
    """Return the ID of the key that a path asks for, None for any other path."""
    match = _PATH.fullmatch(path)
    return None if match is None else int(match[1], 16)
