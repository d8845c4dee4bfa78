"""Where packets go: to listeners one by one, or to the multicast groups of their services.

To one listener all services go to one address, so each has ports of its own: counted from the listener's port, four for
a service. The first is its media, the second is free for RTCP, the third its STKMs. That is ours.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from host_tools.exchange.errors import TransportError
from host_tools.exchange.transport import Endpoint
from host_tools.headend.scenario.model import Scenario

DEFAULT_LISTENER = Endpoint("127.0.0.2", 5004)
"""Who hears a broadcast when nobody else is named: the address that a terminal has by default."""
MULTICAST_INTERFACE = "127.0.0.1"
_PORTS_OF_A_SERVICE = 4
_STKMS = 2
_SEND_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class ServicePlace:
    """Where the media and the STKMs of one service go."""

    media: Endpoint
    stkms: Endpoint


Places = Mapping[str, ServicePlace]
"""By service."""


def unicast_places(scenario: Scenario, listener: Endpoint) -> Places:
    """Return where the services of a scenario go to reach one listener. Raises `ValueError` beyond port 65535."""
    if listener.port + _PORTS_OF_A_SERVICE * len(scenario.services) > 65_536:
        raise ValueError(f"{len(scenario.services)} services need four ports each from {listener.port} on")
    return {
        service.id: ServicePlace(
            Endpoint(listener.address, listener.port + number * _PORTS_OF_A_SERVICE),
            Endpoint(listener.address, listener.port + number * _PORTS_OF_A_SERVICE + _STKMS),
        )
        for number, service in enumerate(scenario.services)
    }


def multicast_places(scenario: Scenario) -> Places:
    """Return the groups and ports that the scenario names."""
    return {
        service.id: ServicePlace(Endpoint(service.address, service.port), Endpoint(service.address, scenario.stkm.port))
        for service in scenario.services
    }


class UdpOutlet:
    """Sends packets over one socket. `refused` counts those that the system did not take, by service and kind."""

    def __init__(self, targets: Sequence[Places], *, multicast: bool) -> None:
        """Take where each packet goes: once to each of the targets. Raises `TransportError`."""
        services = {service for places in targets for service in places}
        self._media = {service: _ends(places[service].media for places in targets) for service in services}
        self._stkms = {service: _ends(places[service].stkms for places in targets) for service in services}
        self.refused: Counter[tuple[str, str]] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            if multicast:
                # Nothing may leave this computer: a broadcast that does is a matter of the network's own.
                self._socket.setsockopt(
                    socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(MULTICAST_INTERFACE)
                )
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        except OSError as error:
            self._socket.close()
            raise TransportError(f"the broadcast has no socket: {error.strerror}") from None

    def send(self, service: str, payload: bytes, *, is_stkm: bool) -> None:
        """Send a packet of a service to everybody. What the system does not take is lost, as datagrams may be."""
        for end in (self._stkms if is_stkm else self._media)[service]:
            try:
                self._socket.sendto(payload, end)
            except OSError:
                self.refused[service, "stkm" if is_stkm else "media"] += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _ends(places: Iterable[Endpoint]) -> tuple[tuple[str, int], ...]:
    return tuple((place.address, place.port) for place in places)
