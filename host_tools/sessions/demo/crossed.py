"""What crossed which wire: requests and answers over HTTP, datagrams over UDP, commands to the card."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.transport import Transport
from host_tools.links.base import Link
from host_tools.links.wrapped import WrappedLink


@dataclass(slots=True)
class Crossed:
    """Counts of one run. `requests` has server, request line without its version, and status; `ways` words for each."""

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    datagrams: Counter[str] = field(default_factory=Counter)
    commands: int = 0

    def lines(self) -> list[tuple[str, str]]:
        """Return each wire with what crossed it, in words."""
        statuses: dict[tuple[str, str], list[str]] = {}
        for (server, line, status), count in self.requests.items():
            times = "" if count == 1 else f" ({count} times)"
            statuses.setdefault((server, line), []).append(f"{status}{times}")
        rows = [(f"Over HTTP, {server}", f"{line}: {', '.join(found)}") for (server, line), found in statuses.items()]
        rows += [("Over UDP", f"{count} {what}") for what, count in self.datagrams.items() if count]
        if self.commands:
            rows.append(("To the card", f"{self.commands} commands"))
        return rows

    def as_dict(self) -> dict[str, object]:
        """Return the same for machines."""
        return {
            "http": [
                {"server": server, "request": line, "status": status, "count": count}
                for (server, line, status), count in self.requests.items()
            ],
            "udp": dict(self.datagrams),
            "commands": self.commands,
        }


class WatchedTransport:
    """A way to a server that notes each request and the status of its answer."""

    def __init__(self, transport: Transport, server: str, crossed: Crossed) -> None:
        """Take the way, what the server is called, and where to note it."""
        self._transport = transport
        self._server = server
        self._crossed = crossed

    def exchange(self, request: HttpRequest) -> HttpResponse:
        """Send a request and return the answer. Raises `TransportError`."""
        response = self._transport.exchange(request)
        self._crossed.requests[self._server, f"{request.method} {request.target}", response.status] += 1
        return response


class WatchedLink(WrappedLink):
    """A link that counts commands."""

    def __init__(self, link: Link, crossed: Crossed) -> None:
        """Take the link and where to count."""
        super().__init__(link)
        self._crossed = crossed

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU and return data and status word. Raises `LinkError`."""
        self._crossed.commands += 1
        return super().transmit(apdu)
