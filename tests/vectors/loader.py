"""Reads the vector files beside it.

Byte strings stand as hex in the files; `source` says where the numbers are from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def load(name: str) -> dict[str, Any]:
    """Return the file `name`.json with every lower-case hex string turned into bytes."""
    content = json.loads((_HERE / f"{name}.json").read_text(encoding="utf-8"))
    return {key: value if key == "source" else _decode(value) for key, value in content.items()}


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: item if key == "set" else _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return bytes.fromhex(value) if isinstance(value, str) else value
