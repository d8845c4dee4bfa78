"""Reads the vector files beside it.

Byte strings stand as hex in the files; `source` says where the numbers are from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_AS_IT_STANDS = ("source", "set")


def load(name: str) -> dict[str, Any]:
    """Return the file `name`.json with every lower-case hex string turned into bytes."""
    content: dict[str, Any] = _decode(load_text(name))
    return content


def load_text(name: str) -> dict[str, Any]:
    """Return the file `name`.json as it stands, for what is text by itself (HTTP)."""
    content: dict[str, Any] = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return content


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item if key in _AS_IT_STANDS else _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return bytes.fromhex(value) if isinstance(value, str) else value
