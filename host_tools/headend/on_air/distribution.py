"""A BSD/A as a process of its own: it broadcasts a scenario with what the BSM gives it over HTTP.

It answers little: metrics, and what the BSM hands over, which may be over TLS on a port of its own. A broadcast begins
when the first STKMs are there, or after some seconds without them, and then goes on whatever becomes of the BSM.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from host_tools.exchange.transport import Endpoint
from host_tools.headend.clock import NetworkClock
from host_tools.headend.endings import heeding_signals
from host_tools.headend.http.by_path import ByPath
from host_tools.headend.http.handover import PROCEDURES, HandoverServer
from host_tools.headend.on_air.broadcast import OnAir
from host_tools.headend.on_air.supplier import Supplier, supplied
from host_tools.wire.http_server import HttpSite
from host_tools.wire.metrics import Metric, MetricsServer, Traffic

FIRST_WAIT = 5.0
"""Seconds that a broadcast waits at most for its first STKMs."""


@dataclass(slots=True)
class Distribution:
    """A BSD/A that listens at `place`, and over TLS at `secured`. `ended` stops it."""

    place: Endpoint
    on_air: OnAir
    ended: asyncio.Event
    secured: Endpoint | None = None


async def distribute(
    on_air: OnAir,
    supplier: Supplier,
    handover: HandoverServer,
    listening: socket.socket,
    clock: NetworkClock,
    on_ready: Callable[[Distribution], None],
    secured: tuple[socket.socket, ssl.SSLContext] | None = None,
) -> None:
    """Broadcast until it is cancelled, `Distribution.ended` is set, or a signal ends it; the sockets are its own now.

    Where there is a `secured` one, the BSM hands over there alone.
    """
    made = Distribution(_place(listening), on_air, asyncio.Event(), None if secured is None else _place(secured[0]))
    metrics = MetricsServer(tuple(_metrics(on_air, supplier, handover)))
    both = ByPath(metrics, {procedure.tail: handover for procedure in PROCEDURES})
    async with AsyncExitStack() as started:
        site = HttpSite(both if secured is None else metrics, Traffic())
        started.push_async_callback(site.stop)
        await site.start(listening)
        if secured is not None:
            secured_site = HttpSite(handover, Traffic())
            started.push_async_callback(secured_site.stop)
            await secured_site.start(*secured)
        started.callback(on_air.close)
        await supplied(supplier, FIRST_WAIT)
        fetching = asyncio.create_task(supplier.run())
        started.push_async_callback(_cancelled, fetching)
        on_air.start(clock.now())
        started.enter_context(heeding_signals(made.ended))
        on_ready(made)
        await made.ended.wait()


def _place(bound: socket.socket) -> Endpoint:
    return Endpoint(*bound.getsockname()[:2])


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _metrics(on_air: OnAir, supplier: Supplier, handover: HandoverServer) -> Iterator[Metric]:
    yield from on_air.metrics()
    yield Metric(
        "bcast_uicc_air_behind_total", "Rounds in which the BSM gave nothing.", lambda: [("", supplier.behind)]
    )
    yield Metric(
        "bcast_uicc_unexpected_exceptions_total",
        "Exceptions nobody expected; it must stay 0.",
        lambda: [("", on_air.defects() + handover.defects)],
    )
