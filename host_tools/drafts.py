"""Names for files that are being written and get their own name when they are whole."""

from __future__ import annotations

import secrets
from pathlib import Path

_SHOWN_NAME = 40  # characters of a name that its draft shares, so that no name becomes too long


def draft_path(file: Path) -> Path:
    """Return a path beside `file` that nobody else's file has, whatever lies in the folder."""
    return file.with_name(f"{file.name[:_SHOWN_NAME]}.{secrets.token_hex(8)}.part")
