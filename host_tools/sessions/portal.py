"""A shop in a browser, bought from in the name of the card: a portal on this computer, until it is told to stop.

While it is open the terminal takes the keys that a purchase brings.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from host_tools.exchange.errors import TransportError
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import Events, KeyArrived, PortalOpened
from host_tools.terminal.http.key_port import KeyPort
from host_tools.terminal.http.portal import Portal
from host_tools.terminal.http.session import GbaSession
from host_tools.terminal.http.ub import HttpBsf
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.http_server import HttpSite
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.metrics import Traffic
from host_tools.wire.system import SystemClock, SystemRng
from host_tools.wire.visitors import KEY_PARAMETER, Visitors

if TYPE_CHECKING:
    from host_tools.terminal.middleware import TerminalMiddleware
    from host_tools.wire.network_file import NetworkFile

_LOOPBACK = "127.0.0.1"
_REST = 0.05
"""Seconds between two looks at the ports of key messages: the card does one thing at a time, a page or a key."""
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def open_portal(
    middleware: TerminalMiddleware,
    network: NetworkFile,
    address: str,
    port: int,
    events: Events,
    stopped: threading.Event | None = None,
) -> None:
    """Serve until a signal to end, or `stopped`; `PortalOpened` tells where the browser goes.

    `middleware` is connected; `address` is the terminal's own, `port` that of the portal (0 for any). Raises
    `SessionError`.
    """
    try:
        with KeySockets(address) as sockets:
            asyncio.run(_serve(middleware, network, (address, port), sockets, events, stopped))
    except TransportError as error:
        raise SessionError(f"{error}.") from None


async def _serve(
    middleware: TerminalMiddleware,
    network: NetworkFile,
    place: tuple[str, int],
    sockets: KeySockets,
    events: Events,
    stopped: threading.Event | None,
) -> None:
    address, port = place
    clock, rng = SystemClock(), SystemRng()
    with _listening(port) as listening:
        found = listening.getsockname()[1]
        visitors = Visitors([f"{_LOOPBACK}:{found}", f"localhost:{found}"], rng)
        bsf = HttpBsf(HttpTransport(network.bsf.endpoint, address), network.bsf.name, rng)
        session = GbaSession(middleware, bsf, network.bsm.name, clock.now)
        bsm = HttpTransport(network.bsm.endpoint, address)
        site = HttpSite(Portal(bsm, network.bsm.name, session, rng, visitors), Traffic())
        keys = KeyPort(middleware, lambda receipt: events.emit(KeyArrived(receipt)), lambda _: None)
        ended = stopped or threading.Event()
        await site.start(listening)
        try:
            with _heeding_signals(ended):
                events.emit(PortalOpened(f"http://{_LOOPBACK}:{found}/?{KEY_PARAMETER}={visitors.new_key()}"))
                while not ended.is_set():
                    for datagram in sockets.wait(0):
                        for answer in keys.received(datagram):
                            sockets.send(answer)
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


@contextmanager
def _heeding_signals(ended: threading.Event) -> Iterator[None]:
    """Let a signal to end set the event, where signals can be heard."""
    loop, set_up = asyncio.get_running_loop(), []
    try:
        for number in _ENDINGS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, ended.set)
                set_up.append(number)
    except (RuntimeError, ValueError):
        pass  # not the main thread: whoever runs it has `stopped`
    try:
        yield
    finally:
        for number in set_up:
            loop.remove_signal_handler(number)
