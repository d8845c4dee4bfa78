"""A shop in a browser, bought from in the name of the card: a portal on this computer, until it is told to stop.

While it is open the terminal takes the keys that a purchase brings. Card, pages and keys take turns: one at a time.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from host_tools.exchange.errors import TransportError
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import Events, PortalOpened
from host_tools.sessions.online.asking import new_request_id
from host_tools.sessions.online.opening import Online
from host_tools.terminal.client.events import Wanted
from host_tools.terminal.client.wishes import TakeStock
from host_tools.terminal.http.portal import Portal
from host_tools.terminal.online import OnlineTerminal
from host_tools.wire.http_server import HttpSite
from host_tools.wire.metrics import Traffic
from host_tools.wire.system import SystemRng
from host_tools.wire.visitors import KEY_PARAMETER, Visitors

_LOOPBACK = "127.0.0.1"
_TURN, _REST = 0.001, 0.03
"""Seconds for key messages, and for pages, by turns."""


class _Books:
    """Has the terminal look up what an order in the browser brought: to it, that is a purchase as any other."""

    def __init__(self, terminal: OnlineTerminal) -> None:
        self._terminal = terminal
        self._is_due = False

    def begin(self) -> None:
        """Note what the account has before an order. Raises `TransportError` while the BSM is waited for."""
        if self._terminal.is_busy:
            raise TransportError("the terminal waits for the BSM; try again later")
        self._terminal.ask(TakeStock(new_request_id(), before=True))

    def done(self) -> None:
        """Note that it is to be looked up."""
        self._is_due = True

    def look_up(self) -> None:
        """Look it up, if that is due. Raises `LinkError`, `UnwritableFile`."""
        if self._is_due and not self._terminal.is_busy:
            self._is_due = False
            self._terminal.tell(Wanted(TakeStock(new_request_id(), before=False)))


def open_portal(
    online: Online, port: int, events: Events, seconds: float | None = None, stopped: threading.Event | None = None
) -> None:
    """Serve until an interrupt, for so many `seconds`, or until `stopped`; `PortalOpened` tells where the browser goes.

    `port` is that of the portal, 0 for any that is free. Raises `SessionError`, `LinkError`, `UnwritableFile`.
    """
    books = _Books(online.terminal)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(online, books, port, events, seconds, stopped or threading.Event()))
    if online.terminal.has_open_stock:
        books.done()
        books.look_up()
    online.terminal.leave(deregister=False)


async def _serve(
    online: Online, books: _Books, port: int, events: Events, seconds: float | None, stopped: threading.Event
) -> None:
    rng = SystemRng()
    with _listening(port) as listening:
        found = listening.getsockname()[1]
        visitors = Visitors([f"{_LOOPBACK}:{found}", f"localhost:{found}"], rng)
        reach = online.reach
        portal = Portal(reach.to_bsm(), reach.bsm.fqdn, online.session, rng, visitors, books)
        site = HttpSite(portal, Traffic())
        await site.start(listening)
        try:
            online.terminal.start(stays=False)
            events.emit(PortalOpened(f"http://{_LOOPBACK}:{found}/?{KEY_PARAMETER}={visitors.new_key()}"))
            until = None if seconds is None else monotonic() + seconds
            while not stopped.is_set() and (until is None or monotonic() < until):
                books.look_up()
                online.terminal.stay(_TURN)
                await asyncio.sleep(_REST)
        finally:
            await site.stop()


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """Yield a socket that is bound to this computer alone. Raises `SessionError`."""
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((_LOOPBACK, port))
        except OSError as error:
            raise SessionError(f"port {port} of {_LOOPBACK} cannot be had: {error.strerror}.") from None
        made.setblocking(False)
        yield made
