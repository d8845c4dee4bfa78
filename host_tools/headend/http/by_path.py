"""Several servers on one port, told apart by the begin of the path."""

from __future__ import annotations

from collections.abc import Mapping

from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.procedures import Target
from host_tools.exchange.transport import Peer, Server


class ByPath:
    """Hands a request to the server of its path, and any other to the `usual` one."""

    def __init__(self, usual: Server, servers: Mapping[str, Server]) -> None:
        """Take the servers by the begin of their paths."""
        self._usual = usual
        self._servers = dict(servers)

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer a request."""
        try:
            path = Target.parse(request.target).path
        except DecodeError:
            path = ""  # the usual server says what is wrong
        found = next((server for begin, server in self._servers.items() if path.startswith(begin)), self._usual)
        return found.handle(request, peer)
