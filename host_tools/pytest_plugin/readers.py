"""Readers for a test session: a private pcscd per process, so that parallel test processes do not meet."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from host_tools.links.base import NoReader
from host_tools.links.pcsc import PcscContext, PcscLink
from vpicc_bridge.adapter import VirtualCard
from vpicc_bridge.connection import ABSENCE, Connection
from vpicc_bridge.lines import Dialler
from vpicc_bridge.pcscd import SOCKET_VARIABLE, PrivatePcscd
from vpicc_bridge.slots import Bridge, Slots

_LOOPBACK = "127.0.0.1"
_PATIENCE = 15.0

BridgeMaker = Callable[[int], Bridge]
"""Takes the TCP port of a slot and returns what serves a card there."""


@dataclass(frozen=True, slots=True)
class VirtualReader:
    """A reader that PC/SC lists, with a card in it.

    `name` is the reader's; `environ` is the environment for another process that is to see it.
    """

    name: str
    port: int
    environ: dict[str, str] = field(repr=False)

    def open(self) -> PcscLink:
        """Connect to the card over PC/SC; close the link yourself. Raises `LinkError`."""
        return PcscLink.open(self.name)


@dataclass(frozen=True, slots=True)
class _Slot:
    reader: str
    port: int
    free_at: float = 0.0  # `time.monotonic` seconds from which on pcscd has seen the last card go


class ReaderPool:
    """The readers of one process. A context manager; entering raises `PcscdError` where a package is missing.

    The PC/SC library reads the address of its service once, at a process's first call: nothing else in the process
    may have used PC/SC before.
    """

    def __init__(self, slots: int) -> None:
        self._pcscd = PrivatePcscd(slots)
        self._cards = Slots()
        self._free: deque[_Slot] = deque()
        self._before: str | None = None

    def __enter__(self) -> ReaderPool:
        self._pcscd.__enter__()
        self._free.extend(map(_Slot, self._pcscd.reader_names, self._pcscd.ports))
        self._before = os.environ.get(SOCKET_VARIABLE)
        os.environ[SOCKET_VARIABLE] = str(self._pcscd.socket_path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._cards.close()
        finally:
            if self._before is None:
                os.environ.pop(SOCKET_VARIABLE, None)
            else:
                os.environ[SOCKET_VARIABLE] = self._before
            self._pcscd.__exit__(kind, error, trace)

    def insert(self, card: VirtualCard) -> tuple[VirtualReader, Callable[[], None]]:
        """Put a card into a free reader; return the reader, once PC/SC sees the card, and what takes it out.

        Raises `NoReader` when every slot holds a card, or PC/SC does not show it.
        """
        return self.insert_bridge(lambda port: Connection(Dialler(_LOOPBACK, port), card))

    def insert_bridge(self, make: BridgeMaker) -> tuple[VirtualReader, Callable[[], None]]:
        """Like `insert`, with a bridge made for the port of the slot."""
        if not self._free:
            raise NoReader("Every virtual reader of this process holds a card: set the ini option uicc_slots higher.")
        slot = self._free.popleft()
        # pcscd looks at a slot every 0.4 s: a new card that came sooner would pass for the old one.
        time.sleep(max(0.0, slot.free_at - time.monotonic()))
        inserted = self._cards.insert(make(slot.port))

        def remove() -> None:
            self._cards.remove(inserted)
            self._free.append(_Slot(slot.reader, slot.port, time.monotonic() + ABSENCE))

        try:
            _wait_for_card(slot.reader)
        except BaseException:
            remove()
            raise
        return VirtualReader(slot.reader, slot.port, self._pcscd.environ()), remove


def _wait_for_card(reader: str) -> None:
    context = PcscContext()
    try:
        if reader not in context.readers():
            raise NoReader(
                f"PC/SC does not list “{reader}”: something in this process used PC/SC before the first "
                "virtual_reader, and the PC/SC library looks for its service only once."
            )
        context.wait_for_card(reader, time.monotonic() + _PATIENCE)
    finally:
        context.release()
