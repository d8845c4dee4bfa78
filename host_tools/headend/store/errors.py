"""What is wrong with a store."""

from __future__ import annotations

from host_tools.headend.errors import HeadendError


class StoreError(HeadendError):
    """A store cannot be opened or read. The message says what to do and holds no secret."""


class StoreUnavailable(StoreError):
    """The machine does not give the store: no server, no room, no right. The file or URL itself may be right."""
