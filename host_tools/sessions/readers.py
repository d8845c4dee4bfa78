"""Readers of one process: a private pcscd, so that processes beside each other do not meet, and cards put into it."""

from __future__ import annotations

import gc
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from host_tools.links.base import NoReader
from host_tools.links.pcsc import PcscContext
from host_tools.realism.traced import TracedCard
from host_tools.trace.events import TraceSink
from host_tools.trace.tracer import Tracer
from vpicc_bridge.adapter import VirtualCard
from vpicc_bridge.connection import ABSENCE, Connection
from vpicc_bridge.lines import Dialler
from vpicc_bridge.pcscd import SOCKET_VARIABLE, PrivatePcscd
from vpicc_bridge.slots import Slots

_LOOPBACK = "127.0.0.1"
_PATIENCE = 15.0
_CONNECTIONS = "smartcard.pcsc.PCSCCardConnection"


@dataclass(frozen=True, slots=True)
class OccupiedReader:
    """A reader that PC/SC lists, with a card in it; `remove` takes the card out.

    `name` is the reader's; `environ` is the environment for another process that is to see it.
    """

    name: str
    port: int
    environ: dict[str, str] = field(repr=False)
    remove: Callable[[], None] = field(repr=False)


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

    def __init__(self, slots: int, advice: str) -> None:
        """Take how many readers there are, and what somebody should do who wants more."""
        self._advice = advice
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
        _disconnect_left_overs()
        try:
            self._cards.close()
        finally:
            if self._before is None:
                os.environ.pop(SOCKET_VARIABLE, None)
            else:
                os.environ[SOCKET_VARIABLE] = self._before
            self._pcscd.__exit__(kind, error, trace)

    def insert(self, card: VirtualCard, make_sink: Callable[[str], TraceSink]) -> OccupiedReader:
        """Put a card into a free reader and return that, once PC/SC sees the card.

        `make_sink` gets the reader's name and returns what hears all that the card is asked and answers, by whomever.

        Raises `NoReader` when every slot holds a card, or PC/SC does not show it.
        """
        if not self._free:
            raise NoReader(f"Every virtual reader of this process holds a card: {self._advice}.")
        slot = self._free.popleft()
        # pcscd looks at a slot every 0.4 s: a new card that came sooner would pass for the old one.
        time.sleep(max(0.0, slot.free_at - time.monotonic()))
        recorded = TracedCard(card, Tracer(slot.reader, [make_sink(slot.reader)]))
        inserted = self._cards.insert(Connection(Dialler(_LOOPBACK, slot.port), recorded))

        def remove() -> None:
            self._cards.remove(inserted)
            self._free.append(_Slot(slot.reader, slot.port, time.monotonic() + ABSENCE))

        try:
            _wait_for_card(slot.reader)
        except BaseException:
            remove()
            raise
        return OccupiedReader(slot.reader, slot.port, self._pcscd.environ(), remove)


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


def _disconnect_left_overs() -> None:
    """Close the pyscard connections that tests left open: closed behind the service's end, they would complain.

    pyscard may not be imported in here, so they are known by the name of their module.
    """
    for item in gc.get_objects():
        if type(item).__module__ == _CONNECTIONS and hasattr(item, "disconnect"):
            with suppress(Exception):  # whatever pyscard says: it was left open
                item.disconnect()
