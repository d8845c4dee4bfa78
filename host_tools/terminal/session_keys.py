"""How many MTKs a terminal keeps: the two newest of each session, and none when it is over (TS 33.246 clause 6.5.4).

A session (an RTP session) has MSKs of one key group of its own (clause 4.2), so that is its name here.
"""

from __future__ import annotations

from collections import deque

from card.codec.mikey import MbmsKeyIds
from host_tools.content.traffic_key import mki_of

_KEPT = 2
_Session = tuple[bytes, bytes]  # key domain and key group


class SessionKeys:
    """The MTKs in use, by their MKI (6 bytes: MSK ID and MTK ID)."""

    def __init__(self) -> None:
        self._held: dict[_Session, deque[bytes]] = {}

    def add(self, ids: MbmsKeyIds) -> tuple[bytes, ...]:
        """Take a new MTK; return the MKIs of those that go for it."""
        held = self._held.setdefault(_session(ids), deque())
        mki = mki_of(ids.msk_id, ids.mtk_id or b"")
        if mki in held:
            return ()
        held.append(mki)
        return tuple(held.popleft() for _ in range(len(held) - _KEPT))

    def drop_msk(self, ids: MbmsKeyIds) -> tuple[bytes, ...]:
        """The card has this MSK no longer: forget its MTKs and return their MKIs."""
        held = self._held.get(_session(ids), deque())
        gone = tuple(mki for mki in held if mki.startswith(ids.msk_id))
        self._held[_session(ids)] = deque(mki for mki in held if mki not in gone)
        return gone

    def end(self) -> tuple[bytes, ...]:
        """All sessions are over: forget their MTKs and return their MKIs."""
        held, self._held = self._held, {}
        return tuple(mki for mkis in held.values() for mki in mkis)


def _session(ids: MbmsKeyIds) -> _Session:
    return ids.key_domain_id, ids.key_group
