"""Several cards on several vpcd slots in one process: one blocking thread per card."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol


class Bridge(Protocol):
    """Something that serves one card until it is told to stop: `Connection` or `vicc_os.ViccBridge`."""

    @property
    def peer(self) -> str:
        """The address of the slot, for people."""

    def run(self) -> None:
        """Serve the card; return after `stop`."""

    def stop(self) -> None:
        """Make `run` return soon; callable from any thread."""


@dataclass(frozen=True, slots=True, eq=False)
class InsertedCard:
    """A card in a slot, served by its own thread."""

    bridge: Bridge
    thread: threading.Thread

    @property
    def serving(self) -> bool:
        """Whether the card's thread is alive."""
        return self.thread.is_alive()


class Slots:
    """The cards of one process. A context manager that takes all of them out at the end."""

    def __init__(self) -> None:
        self._inserted: list[InsertedCard] = []

    @property
    def cards(self) -> tuple[InsertedCard, ...]:
        """The cards in their slots, in the order of their insertion."""
        return tuple(self._inserted)

    def insert(self, bridge: Bridge) -> InsertedCard:
        """Start serving a card; returns at once, while the reader shows the card within about 0.4 s."""
        thread = threading.Thread(target=bridge.run, name=f"card at {bridge.peer}", daemon=True)
        inserted = InsertedCard(bridge, thread)
        self._inserted.append(inserted)
        thread.start()
        return inserted

    def remove(self, inserted: InsertedCard) -> None:
        """Take one card out and wait for its thread; the card is powered off when this returns."""
        inserted.bridge.stop()
        inserted.thread.join()
        self._inserted.remove(inserted)

    def close(self) -> None:
        """Take every card out. Closing twice is harmless."""
        for inserted in self._inserted:
            inserted.bridge.stop()
        while self._inserted:
            self._inserted.pop().thread.join()

    def __len__(self) -> int:
        return len(self._inserted)

    def __enter__(self) -> Slots:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
