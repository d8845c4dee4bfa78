"""A request to a server while its owner does other things: one at a time, in a thread that holds nobody up."""

from __future__ import annotations

import threading

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.transport import Transport


class BackgroundRequests:
    """Sends requests over a transport, one after the other. It ends with the process, whatever is out."""

    def __init__(self, transport: Transport) -> None:
        """Take the way to the server; nobody else uses it meanwhile."""
        self._transport = transport
        self._came: list[HttpResponse | Exception] = []

    def begin(self, request: HttpRequest) -> None:
        """Send a request. The one before must have been answered."""
        threading.Thread(target=self._exchange, args=(request,), daemon=True).start()

    def answer(self) -> HttpResponse | None:
        """Return the answer once, None while there is none. Raises `TransportError` where none comes."""
        if not self._came:
            return None
        found = self._came.pop()
        if isinstance(found, Exception):
            raise found
        return found

    def _exchange(self, request: HttpRequest) -> None:
        try:
            self._came.append(self._transport.exchange(request))
        except Exception as error:  # it is raised where the answer is taken
            self._came.append(error)
