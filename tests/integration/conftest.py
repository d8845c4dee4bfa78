"""A private pcscd for the session, and cards to put into its readers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.bench.echo import LOOPBACK
from tests.integration.pcsc_client import Client
from vpicc_bridge.adapter import VirtualCard
from vpicc_bridge.connection import Connection
from vpicc_bridge.lines import Dialler
from vpicc_bridge.notices import Notice
from vpicc_bridge.pcscd import SOCKET_VARIABLE, PrivatePcscd
from vpicc_bridge.slots import Bridge, InsertedCard, Slots

SLOTS = 4


@pytest.fixture(scope="session")
def private_pcscd() -> Iterator[PrivatePcscd]:
    """A pcscd of our own with four slots. libpcsclite reads its address once, so there is one per test process."""
    with PrivatePcscd(slots=SLOTS) as pcscd:
        before = os.environ.get(SOCKET_VARIABLE)
        os.environ[SOCKET_VARIABLE] = str(pcscd.socket_path)
        try:
            yield pcscd
        finally:
            if before is None:
                del os.environ[SOCKET_VARIABLE]
            else:
                os.environ[SOCKET_VARIABLE] = before


@pytest.fixture
def client(private_pcscd: PrivatePcscd) -> Iterator[Client]:
    """A PC/SC client of the private pcscd."""
    made = Client()
    yield made
    made.close()


@dataclass
class Notebook:
    """An observer that keeps what it is told."""

    notices: list[Notice] = field(default_factory=list)

    def notice(self, notice: Notice, /) -> None:
        self.notices.append(notice)


class Desk:
    """Puts cards into free readers and waits until the client sees them."""

    def __init__(self, pcscd: PrivatePcscd, client: Client) -> None:
        self._client = client
        self._free = list(zip(pcscd.reader_names, pcscd.ports, strict=True))
        self._used: dict[str, InsertedCard] = {}
        self._slots = Slots()

    def __call__(self, card: VirtualCard, observer: Notebook | None = None, *, quickack: bool = True) -> str:
        """Insert a card; return the name of its reader."""
        return self.insert_bridge(lambda port: Connection(Dialler(LOOPBACK, port), card, observer, quickack=quickack))

    def insert_bridge(self, make: Callable[[int], Bridge]) -> str:
        """Insert a card by a bridge made for the given port; return the name of its reader."""
        reader, port = self._free.pop(0)
        self._used[reader] = self._slots.insert(make(port))
        self._client.wait_present(reader)
        return reader

    def remove(self, reader: str) -> None:
        """Take a card out and wait until the client sees it gone."""
        self._slots.remove(self._used.pop(reader))
        self._client.wait_empty(reader)

    def release(self, reader: str) -> None:
        """Take a card out without waiting: another one may follow at once."""
        self._slots.remove(self._used.pop(reader))

    def port(self, reader: str) -> int:
        """The port of a reader in use."""
        return int(self._used[reader].bridge.peer.rpartition(":")[2])

    def close(self) -> None:
        self._slots.close()
        for reader in self._used:
            self._client.wait_empty(reader)


@pytest.fixture
def insert(private_pcscd: PrivatePcscd, client: Client) -> Iterator[Desk]:
    """Insert cards: `reader = insert(card)`. All of them are out again when the test ends."""
    desk = Desk(private_pcscd, client)
    yield desk
    desk.close()
