"""A scenario on the air of this computer, for terminals that listen: sent by the clock, to one address each."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.content.captures.pcap import CaptureReader, Datagram
from host_tools.exchange.transport import Endpoint
from host_tools.guide.sdp import KeyStream, MediaStream, SessionDescription
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.sessions.events import Event, LiveProgressed, Tuned
from host_tools.sessions.keys import subscribe
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.programme import Programme
from tests.support.free_ports import free_ports

PIN = CardProfile.demo().pins.pin1.value
STKM_PORT = 2269
_QUIET = 3
"""Looks at the ports that find nothing new. They are counted: a computer that stood still has not looked meanwhile."""


def card(network: UsimNetwork | None) -> TerminalMiddleware:
    """Return a connected card, with all keys of a network where one is given."""
    middleware = TerminalMiddleware(InProcessLink(memory_card(CardProfile.demo(), strict=True)), tables=P1)
    middleware.connect(Secret(PIN.reveal()))
    if network is not None:
        delivery, _ = subscribe(middleware, network)
        delivery.deliver_until(float("inf"))
    return middleware


def network_of(scenario: Scenario) -> UsimNetwork:
    return UsimNetwork(scenario, subscriber_of(CardProfile.demo()), tables=P1)


@dataclass
class Air:
    """Where the services of a scenario go to reach one address: four ports each, media first, STKMs third."""

    scenario: Scenario
    address: str
    first: int = 0
    pcap: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        self.first = self.first or free_ports(self.address, 4 * len(self.scenario.services))
        self.pcap = self.pcap or network_of(self.scenario).recording().pcap

    @property
    def datagrams(self) -> list[Datagram]:
        return list(CaptureReader(io.BytesIO(self.pcap)))

    @property
    def programmes(self) -> tuple[Programme, ...]:
        return tuple(
            Programme(
                service.id,
                SessionDescription(
                    service.id,
                    (MediaStream("audio", self.address, self._port(number), service.payload_type, "PCMU/8000"),),
                    (KeyStream(self.address, self._port(number) + 2, 1),),
                ),
            )
            for number, service in enumerate(self.scenario.services)
        )

    @property
    def places(self) -> tuple[Endpoint, ...]:
        """All ports."""
        count = len(self.scenario.services)
        return tuple(Endpoint(self.address, self._port(n) + more) for n in range(count) for more in (0, 2))

    def place(self, datagram: Datagram) -> Endpoint:
        """Return where a datagram of the capture goes."""
        hosts = [service.address for service in self.scenario.services]
        port = self._port(hosts.index(datagram.destination.host))
        return Endpoint(self.address, port + 2 if datagram.destination.port == STKM_PORT else port)

    def _port(self, number: int) -> int:
        return self.first + 4 * number


class Sender:
    """Sends a scenario by an absolute schedule from when every terminal listens; `ended` is set when all is sent."""

    def __init__(self, airs: Sequence[Air], speed: float, ways: Mapping[Endpoint, Endpoint] | None = None) -> None:
        self.ended = threading.Event()
        self.sent = 0
        self._airs = airs
        self._speed = speed
        self._ways = ways or {}
        self._stop = threading.Event()
        self._go = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for _ in self._airs:
            self._go.release()
        self._thread.join()

    def listens(self) -> None:
        """One terminal listens; when all do, the programme begins."""
        self._go.release()

    def _run(self) -> None:
        datagrams = self._airs[0].datagrams
        for _ in self._airs:
            self._go.acquire()
        began, first = time.monotonic(), datagrams[0].timestamp
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for datagram in datagrams:
                wait = began + (datagram.timestamp - first) / self._speed - time.monotonic()
                if wait > 0 and self._stop.wait(wait):
                    return
                for air in self._airs:
                    place = air.place(datagram)
                    way = self._ways.get(place, place)
                    out.sendto(datagram.payload, (way.address, way.port))
                self.sent += 1
        self.ended.set()


class UntilQuiet:
    """Controls that press keys when so many packets came, and end when all was sent and nothing comes any more.

    `is_still` tells whether what was sent is no longer on its way through somebody else's hands.
    """

    def __init__(
        self, sender: Sender, keys: Mapping[int, str] | None = None, is_still: Callable[[], bool] = lambda: True
    ) -> None:
        self.events: list[Event] = []
        self._sender = sender
        self._keys = dict(keys or {})
        self._is_still = is_still
        self._seen = -1
        self._listens = False
        self._quiet = 0

    def emit(self, event: Event, /) -> None:
        self.events.append(event)
        if isinstance(event, Tuned) and not self._listens:
            self._listens = True
            self._sender.listens()
        if isinstance(event, LiveProgressed):
            seen = event.statistics.packets_seen + event.statistics.stkms_seen
            is_all_sent = self._sender.ended.is_set() and self._is_still()
            self._quiet = self._quiet + 1 if is_all_sent and seen == self._seen else 0
            self._seen = seen

    def poll(self) -> str | None:
        for count in [count for count in self._keys if self._seen >= count]:
            return self._keys.pop(count)
        return "q" if self._quiet >= _QUIET else None
