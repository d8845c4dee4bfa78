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

from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import Events, PortalOpened
from host_tools.sessions.online.opening import Online
from host_tools.terminal.http.portal import Portal
from host_tools.wire.http_server import HttpSite
from host_tools.wire.metrics import Traffic
from host_tools.wire.system import SystemRng
from host_tools.wire.visitors import KEY_PARAMETER, Visitors

_LOOPBACK = "127.0.0.1"
_TURN, _REST = 0.001, 0.03
"""Seconds for key messages, and for pages, by turns."""


def open_portal(
    online: Online, port: int, events: Events, seconds: float | None = None, stopped: threading.Event | None = None
) -> None:
    """Serve until an interrupt, for so many `seconds`, or until `stopped`; `PortalOpened` tells where the browser goes.

    `port` is that of the portal, 0 for any that is free. Raises `SessionError`, `LinkError`, `UnwritableFile`.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(online, port, events, seconds, stopped or threading.Event()))
    online.terminal.leave(deregister=False)


async def _serve(online: Online, port: int, events: Events, seconds: float | None, stopped: threading.Event) -> None:
    rng = SystemRng()
    with _listening(port) as listening:
        found = listening.getsockname()[1]
        visitors = Visitors([f"{_LOOPBACK}:{found}", f"localhost:{found}"], rng)
        reach = online.reach
        portal = Portal(reach.to_bsm(), reach.bsm.fqdn, online.session, rng, visitors)
        site = HttpSite(portal, Traffic())
        await site.start(listening)
        try:
            online.terminal.start(stays=False)
            events.emit(PortalOpened(f"http://{_LOOPBACK}:{found}/?{KEY_PARAMETER}={visitors.new_key()}"))
            until = None if seconds is None else monotonic() + seconds
            while not stopped.is_set() and (until is None or monotonic() < until):
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
