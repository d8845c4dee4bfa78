"""Keys of voice group and broadcast calls (TS 31.102 clause 7.1.1.3, TS 43.020 annex F)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.secret import Secret
from card.domain.errors import KeyNotFound
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable

GROUPS_PREFIX = "group/"
_RAND_SIZE = 16


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A group key V_Ki (16 bytes)."""

    key: Secret


def group_key_name(service_id: bytes, key_id: int) -> str:
    """Return the name under which the key of a voice service (4 bytes) with a number is stored."""
    return f"{service_id.hex()}-{key_id:02X}"


class GroupKeys:
    """The group keys of one application. `make` builds the authentication algorithm for a key."""

    def __init__(self, nv: NonVolatile, application: str, make: Callable[[Secret], AkaAlgorithm]) -> None:
        self._keys = RecordTable(nv, f"{GROUPS_PREFIX}{application}/", GroupKey)
        self._make = make

    def derive_vstk(self, service_id: bytes, key_id: int, rand: bytes) -> Secret:
        """Return VSTK (16 bytes) for VSTK_RAND (1 to 16 bytes). Raises `KeyNotFound`.

        provisional: A8_V is the operator's choice; here it is f3 of the application's own algorithm under V_Ki, with
        VSTK_RAND padded on the left with zeros.
        """
        record = self._keys.get(group_key_name(service_id, key_id))
        if record is None:
            raise KeyNotFound
        return Secret(self._make(record.key).f2345(rand.rjust(_RAND_SIZE, b"\0")).ck)
