"""Which MTK messages of plain MBMS keys the card need not see: those that were sent before (TS 33.246 clause 6.4.6.2).

A broadcast sends every MTK message many times, and since SEQl rises to the MTK ID a card refuses each but the first
(clause 6.5.4). The terminal knows T and MTK ID by itself: it reads EF_MSK once and after each LTKM, and not for each
message. Keys under policies of OMA BCAST are left alone: their STKMs mean something to the card also when they come
again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from card.codec.mikey import MbmsKeyIds, is_newer
from host_tools.apdu.response import StatusError
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.key_files import MskEntry, msk_key
from host_tools.terminal.key_source import StkmView

_MOST_MSKS = 4096  # an EF has at most 254 records of two MSKs; the rest is what old keys leave


class Stale(Enum):
    """Why an MTK message is discarded. The value is what a person reads."""

    COUNTER = "its T is not newer than that of the last MTK message under this key"
    MTK_ID = "its MTK ID is not above the one in use"


class MskFile(Protocol):
    """Where the counters of the card's MSKs are read."""

    def read_msks(self) -> Sequence[MskEntry]:
        """Return the MSKs with the T of the last MTK message under each."""


class MtkGate:
    """Keeps T and MTK ID of the last MTK message under each MSK. Only plain MBMS messages may be asked about."""

    def __init__(self, file: MskFile) -> None:
        self._file = file
        self._counters: dict[bytes, int] = {}
        self._mtk_ids: dict[bytes, int] = {}
        self._exempt: set[bytes] = set()
        self._is_current = False

    def keys_changed(self) -> None:
        """The card's MSKs may be others now: read EF_MSK before the next judgement."""
        self._is_current = False

    def why_stale(self, view: StkmView) -> str | None:
        """Say why the card need not see an STKM, None when it must. Raises as `judge`."""
        if view.is_bcast or not isinstance(view, CardStkmView):
            return None
        stale = self.judge(view.ids, view.timestamp)
        return None if stale is None else stale.value

    def note(self, view: StkmView, *, is_bcast: bool) -> None:
        """An STKM gave its TEK."""
        if isinstance(view, CardStkmView):
            self.took(view.ids, view.timestamp, is_bcast=is_bcast)

    def judge(self, ids: MbmsKeyIds, counter: int) -> Stale | None:
        """Say why an MTK message with these key IDs and this T is discarded, None when the card shall see it.

        Raises `LinkError`, `MalformedAnswerError`. An EF_MSK that cannot be read leaves what is known.
        """
        self._refresh()
        name = msk_key(ids)
        if name in self._exempt:
            return None
        # EF_MSK shows 00000000 for a key that no MTK message came under yet: any T is new then, that of a server that
        # counts NTP seconds as well, which is above 80000000 today.
        last = self._counters.get(name)
        if last and not is_newer(counter, last):
            return Stale.COUNTER
        if _number(ids) <= self._mtk_ids.get(name, -1):
            return Stale.MTK_ID
        return None

    def took(self, ids: MbmsKeyIds, counter: int, *, is_bcast: bool = False) -> None:
        """Note that the card gave the MTK of a message; `is_bcast`: its answer tells a key under BCAST policies."""
        name = msk_key(ids)
        if is_bcast and len(self._exempt) < _MOST_MSKS:
            self._exempt.add(name)
        self._counters[name] = counter
        self._mtk_ids[name] = _number(ids)
        if len(self._mtk_ids) > _MOST_MSKS:
            self._mtk_ids.pop(next(iter(self._mtk_ids)))

    def _refresh(self) -> None:
        if self._is_current:
            return
        with contextlib.suppress(StatusError):
            self._counters = {entry.key_domain_id + entry.msk_id: entry.counter for entry in self._file.read_msks()}
        self._is_current = True
        self._mtk_ids = {name: number for name, number in self._mtk_ids.items() if name in self._counters}


def _number(ids: MbmsKeyIds) -> int:
    return int.from_bytes(ids.mtk_id or b"", "big")
