"""A head-end on sockets of this computer, in a thread beside its caller."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from host_tools.exchange.errors import TransportError
from host_tools.headend.clock import NetworkClock
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.serving import Ports, Running, serve
from host_tools.sessions.errors import SessionError
from host_tools.wire.system import SystemRng

_MOST_SECONDS = 30.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServedBeside:
    """A head-end that runs in its own thread."""

    running: Running

    def call(self, step: Callable[[], _T]) -> _T:
        """Run a step between two requests, in the thread that serves, and return what it returns or raise it."""
        done: Future[_T] = Future()

        def run() -> None:
            try:
                done.set_result(step())
            except Exception as error:
                done.set_exception(error)

        self.running.loop.call_soon_threadsafe(run)
        return done.result(_MOST_SECONDS)


@contextmanager
def served_beside(network: UsimNetwork, clock: NetworkClock) -> Iterator[ServedBeside]:
    """Serve a network on ports that are free, for the length of a `with` block. Raises `SessionError`."""
    ready: Future[Running] = Future()

    def run() -> None:
        try:
            asyncio.run(serve(network, clock, SystemRng(), Ports(), ready.set_result))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=run, name="head-end", daemon=True)
    thread.start()
    try:
        running = ready.result(_MOST_SECONDS)
    except TransportError as error:
        raise SessionError(f"{error}.") from None
    try:
        yield ServedBeside(running)
    finally:
        running.stop()
        thread.join(_MOST_SECONDS)
