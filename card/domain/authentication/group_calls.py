"""Keys of voice group and broadcast calls (TS 31.102 clause 7.1.1.3, TS 43.020 annex F)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from card.codec.group_call import HIGHEST_GROUP, VoiceCall, VoiceService, encode_groups
from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.secret import Secret
from card.domain.errors import KeyNotFound
from card.domain.services import VBS, VBS_SECURITY, VGCS, VGCS_SECURITY
from card.lean import lean_dataclass
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

GROUPS_PREFIX = "group/"
VSTK_RAND_SIZE = 5
"""VSTK_RAND has 36 bits, which stand left-aligned in 5 bytes (TS 31.102 clause 7.1.2.2)."""

SERVICES: Mapping[VoiceCall, tuple[int, int]] = {
    VoiceCall.VGCS: (VGCS, VGCS_SECURITY),
    VoiceCall.VBS: (VBS, VBS_SECURITY),
}
"""The services that a call needs."""

_UNUSED_BITS = 0x0F
_RAND_SIZE = 16


@lean_dataclass(frozen=True, slots=True)
class GroupKey:
    """A group key V_Ki (16 bytes)."""

    key: Secret


def group_key_name(service: VoiceService, key_id: int) -> str:
    """Return the name of a key's record: it belongs to group, number and kind of call (TS 43.020 clause F.4.1)."""
    return f"{service.encode().hex()}-{key_id:02X}"


class GroupKeys:
    """The group keys of one application.

    `make` builds the authentication algorithm for a key; `lists` read the files with the groups of each kind of call.
    """

    def __init__(
        self,
        nv: NonVolatile,
        application: str,
        make: Callable[[Secret], AkaAlgorithm],
        lists: Mapping[VoiceCall, Callable[[], bytes]],
    ) -> None:
        self._keys = StoredTable(nv, f"{GROUPS_PREFIX}{application}/", GroupKey)
        self._make = make
        self._lists = lists

    def derive_vstk(self, service: VoiceService, key_id: int, rand: bytes) -> Secret:
        """Return VSTK (16 bytes) for VSTK_RAND (36 bits in 5 bytes).

        First the group must be listed, then it must have the key. Raises `KeyNotFound`. A8_V is the operator's own
        (TS 43.020 clause F.4.4.1). Ours is f3 of the application's algorithm under V_Ki; its RAND ends with the 5 bytes
        of VSTK_RAND.
        """
        record = self._keys.get(group_key_name(service, key_id)) if self._is_listed(service) else None
        if record is None:
            raise KeyNotFound
        challenge = rand[:-1] + bytes((rand[-1] & ~_UNUSED_BITS,))
        return Secret(self._make(record.key).f2345(challenge.rjust(_RAND_SIZE, b"\0")).ck)

    def _is_listed(self, service: VoiceService) -> bool:
        """Tell whether the file of this kind of call lists the group; 27 bits hold more than 8 digits can name."""
        if service.group > HIGHEST_GROUP:
            return False
        entry, listed = encode_groups([str(service.group)]), self._lists[service.call]()
        return any(listed[start : start + len(entry)] == entry for start in range(0, len(listed), len(entry)))
