"""How many MTKs a terminal keeps: the two newest of each session, and none when it is over (TS 33.246 clause 6.5.4).

A session (an RTP session) has MSKs of one key group of its own (clause 4.2), so that is its name here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from card.codec.mikey import MbmsKeyIds

_KEPT = 2
_Session = tuple[bytes, bytes]  # key domain and key group


@dataclass(frozen=True, slots=True)
class _Mtk:
    msk_id: bytes
    name: bytes


class SessionKeys:
    """The MTKs in use, by the names that their key source gives them."""

    def __init__(self) -> None:
        self._held: dict[_Session, deque[_Mtk]] = {}

    def add(self, ids: MbmsKeyIds, name: bytes) -> tuple[bytes, ...]:
        """Take a new MTK; return the names of those that go for it."""
        held, mtk = self._held.setdefault(_session(ids), deque()), _Mtk(ids.msk_id, name)
        if mtk in held:
            return ()
        held.append(mtk)
        return tuple(held.popleft().name for _ in range(len(held) - _KEPT))

    def drop_msk(self, ids: MbmsKeyIds) -> tuple[bytes, ...]:
        """The card has this MSK no longer: forget its MTKs and return their names."""
        held = self._held.get(_session(ids), deque())
        self._held[_session(ids)] = deque(mtk for mtk in held if mtk.msk_id != ids.msk_id)
        return tuple(mtk.name for mtk in held if mtk.msk_id == ids.msk_id)

    def end(self) -> tuple[bytes, ...]:
        """All sessions are over: forget their MTKs and return their names."""
        held, self._held = self._held, {}
        return tuple(mtk.name for mtks in held.values() for mtk in mtks)


def _session(ids: MbmsKeyIds) -> _Session:
    return ids.key_domain_id, ids.key_group
