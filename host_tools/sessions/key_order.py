"""Which LTKMs a terminal that is behind a broadcast may take before their turn.

A card keeps two MSKs of a key group (TS 31.102 clause 4.2.80): a third one pushes out the oldest. So an LTKM waits for
its place in the stream of media and STKMs. It may come earlier where that costs nothing: the key is missing, or the
newest that the card took is in use already, so that the oldest is not. Otherwise the BSM, which sends one LTKM after
the other, would wait as long as the terminal is behind, for each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from host_tools.exchange.messages.msk import MskName

_MSKS_OF_A_GROUP = 2
_MOST_GROUPS = 64
_Group = tuple[bytes, bytes]


class KeyOrder:
    """What the card took of each key group since the terminal listens, and which key the stream has got to."""

    def __init__(self) -> None:
        self._taken: OrderedDict[_Group, tuple[MskName, ...]] = OrderedDict()
        self._heard: MskName | None = None
        self.missing: MskName | None = None

    def took(self, keys: Iterable[MskName]) -> None:
        """The card took these keys."""
        for key in keys:
            others = tuple(one for one in self._taken.pop(_group(key), ()) if one != key)
            self._taken[_group(key)] = (*others, key)[-_MSKS_OF_A_GROUP:]
            if len(self._taken) > _MOST_GROUPS:
                self._taken.popitem(last=False)
            if key == self.missing:
                self.missing = None

    def heard(self, key: MskName) -> None:
        """The stream has got to STKMs under this key, and the card has it."""
        self._heard = key

    def may_come_early(self, key: MskName) -> bool:
        """Tell whether an LTKM with this key need not wait for its turn."""
        if key == self.missing:
            return True
        taken = self._taken.get(_group(key), ())
        return key in taken or (len(taken) == _MSKS_OF_A_GROUP and taken[-1] == self._heard)


def _group(key: MskName) -> _Group:
    return key.key_domain_id, key.key_group
