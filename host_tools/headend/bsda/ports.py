"""What the BSD/A needs of others."""

from __future__ import annotations

from typing import Protocol

from card.crypto.secret import Secret
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.service_keys import KeyTerm


class TrafficKeys(Protocol):
    """Where the BSD/A's own keys come from."""

    def traffic_key(self, term: KeyTerm, mtk_id: int, /) -> TrafficKey:
        """Return TEK and salt of one crypto period, the same each time it is asked for."""

    def binding_key(self, key_id: int, /) -> Secret:
        """Return the terminal binding key (16 bytes) of this ID."""
