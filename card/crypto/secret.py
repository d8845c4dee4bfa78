"""A wrapper that keeps key bytes out of reprs, logs and pickles."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Key material. Compare with `==` (constant time); read with `reveal()`, only where it is used.

    The wrapper guards against accidents (a repr in a traceback, a log line, a dataclass printed by a test), not against
    code that asks for the bytes.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """Return the bytes."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        # Equal secrets must hash alike; the length is all that may be told about them.
        return hash((Secret, len(self._value)))

    def __repr__(self) -> str:
        return f"Secret({len(self._value)} bytes)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")
