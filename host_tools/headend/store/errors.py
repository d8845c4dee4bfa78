"""What is wrong with a store."""

from __future__ import annotations

from host_tools.headend.errors import HeadendError


class StoreError(HeadendError):
    """A store cannot be opened or read. The message says what to do and holds no secret."""
