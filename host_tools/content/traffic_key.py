"""A traffic key as content is protected with it."""

from __future__ import annotations

from dataclasses import dataclass

from card.crypto.secret import Secret


@dataclass(frozen=True, slots=True)
class TrafficKey:
    """What one crypto period is protected with: TEK, and the salt where there is one. Sizes are the protection's."""

    tek: Secret
    salt: Secret | None = None
