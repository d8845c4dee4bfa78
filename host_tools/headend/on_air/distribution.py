"""A BSD/A as a process of its own: it broadcasts a scenario with what the BSM gives it over HTTP.

It answers little: metrics, and what the BSM hands over to be broadcast. A broadcast begins when the first STKMs are
there, or after some seconds without them, and then goes on whatever becomes of the BSM.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from host_tools.exchange.procedures import LTKM_HANDOVER, REGISTRATION_HANDOVER
from host_tools.exchange.transport import Endpoint, Server
from host_tools.headend.clock import NetworkClock
from host_tools.headend.http.by_path import ByPath
from host_tools.headend.http.handover import HandoverServer
from host_tools.headend.on_air.broadcast import OnAir
from host_tools.headend.on_air.supplier import Supplier, supplied
from host_tools.wire.http_server import HttpSite
from host_tools.wire.metrics import Metric, MetricsServer, Traffic

FIRST_WAIT = 5.0
"""Seconds that a broadcast waits at most for its first STKMs."""


@dataclass(slots=True)
class Distribution:
    """A BSD/A that listens at `place`. `ended` stops it."""

    place: Endpoint
    on_air: OnAir
    ended: asyncio.Event


async def distribute(
    on_air: OnAir,
    supplier: Supplier,
    handover: HandoverServer,
    listening: socket.socket,
    clock: NetworkClock,
    on_ready: Callable[[Distribution], None],
) -> None:
    """Broadcast until it is cancelled or `Distribution.ended` is set. `listening` belongs to it from now on."""
    made = Distribution(Endpoint(*listening.getsockname()[:2]), on_air, asyncio.Event())
    traffic = Traffic()
    handed: Mapping[str, Server] = {LTKM_HANDOVER.tail: handover, REGISTRATION_HANDOVER.tail: handover}
    server = ByPath(MetricsServer(tuple(_metrics(on_air, supplier, handover))), handed)
    async with AsyncExitStack() as started:
        site = HttpSite(server, traffic)
        started.push_async_callback(site.stop)
        await site.start(listening)
        started.callback(on_air.close)
        await supplied(supplier, FIRST_WAIT)
        fetching = asyncio.create_task(supplier.run())
        started.push_async_callback(_cancelled, fetching)
        on_air.start(clock.now())
        on_ready(made)
        await made.ended.wait()


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
