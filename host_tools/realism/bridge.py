"""Serves a card that faults pull out of its reader, and puts it back (`vpicc_bridge.slots.Bridge`)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from host_tools.links.base import ReaderGone
from host_tools.realism.wrapped import WrappedCard
from vpicc_bridge.adapter import SW_INTERNAL_ERROR
from vpicc_bridge.connection import ABSENCE
from vpicc_bridge.slots import Bridge


class ReturningBridge:
    """Makes one bridge after the other for the same card; between them the reader is empty."""

    def __init__(self, make: Callable[[], Bridge]) -> None:
        self._make = make
        self._bridge = make()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._back_after: float | None = None

    @property
    def peer(self) -> str:
        """The address of the slot."""
        return self._bridge.peer

    def run(self) -> None:
        """Serve the card; return after `stop`."""
        while True:
            self._bridge.run()
            with self._lock:
                if self._back_after is None or self._stopping.is_set():
                    return
                absence, self._back_after = max(self._back_after, ABSENCE), None
            if self._stopping.wait(absence):
                return
            with self._lock:
                if self._stopping.is_set():
                    return
                self._bridge = self._make()

    def pull(self, back_after: float) -> None:
        """Take the card out; it is back after so many seconds, and not before pcscd has seen it go."""
        with self._lock:
            self._back_after = back_after
            self._bridge.stop()

    def stop(self) -> None:
        """Make `run` return soon; callable from any thread."""
        self._stopping.set()
        with self._lock:
            self._bridge.stop()


class PulledCard(WrappedCard):
    """Wraps a card that is pulled out while it answers.

    The line is broken by then: what the card answers reaches nobody, and nothing has failed.
    """

    def transmit(self, apdu: bytes) -> bytes:
        """Answer a command; 6F00 into the broken line when the card was pulled out."""
        try:
            return self._card.transmit(apdu)
        except ReaderGone:
            return SW_INTERNAL_ERROR
