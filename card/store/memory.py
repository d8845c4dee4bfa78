"""A store that lives as long as the process: for tests and throw-away cards."""

from __future__ import annotations

from collections.abc import Mapping


class MemoryStore:
    """Implements `card.ports.Store` in a dictionary."""

    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        self._contents = dict(contents or {})

    def load(self) -> dict[str, bytes]:
        """Return a copy of everything stored."""
        return dict(self._contents)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Apply all changes."""
        for key, value in changes.items():
            if value is None:
                self._contents.pop(key, None)
            else:
                self._contents[key] = value

    def close(self) -> None:
        """Nothing to release."""
