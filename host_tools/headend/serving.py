"""A head-end on real wires: its servers on sockets of this computer, until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest
from host_tools.exchange.ports import Rng
from host_tools.exchange.transport import Endpoint, Server
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.clock import NetworkClock
from host_tools.headend.endings import heeding_signals
from host_tools.headend.http.by_path import ByPath
from host_tools.headend.http.client_id import ClientIdRule
from host_tools.headend.http.push import Pushes
from host_tools.headend.http.short_messages import SmsPlace
from host_tools.headend.http.ua import Service
from host_tools.headend.operating.happenings import Happenings, Hearer, Watched
from host_tools.headend.operating.operator import Operator
from host_tools.headend.push_port import PushPort
from host_tools.headend.scenario.parts import Parts
from host_tools.headend.scenario.servers import Servers
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.service_keys import ServiceKey
from host_tools.wire.http_server import HttpSite
from host_tools.wire.limits import ServerLimits
from host_tools.wire.metrics import Metric, MetricsServer, Traffic
from host_tools.wire.network_file import BSF_TLS, BSM_TLS, NetworkFile, Place
from host_tools.wire.streams import StreamingServer

LOOPBACK = "127.0.0.1"
_PAGES = ("shop", "console")
_ORDERING = ("bsm", BSM_TLS, *_PAGES)
"""Servers whose answers may be followed by pushes."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the servers listen; port 0 takes any that is free."""

    address: str = "127.0.0.1"
    bsf: int = 0
    bsm: int = 0
    zn: int = 0
    push: int = 0
    metrics: int = 0
    bsm_tls: int = 0
    bsf_tls: int = 0
    shop: int = 0
    console: int = 0


class Pages(Protocol):
    """The pages for people: a shop behind the digest of Ua, one for anybody, and the console of the operator."""

    @property
    def behind_digest(self) -> Service:
        """The shop that knows who asks."""

    @property
    def shop(self) -> StreamingServer:
        """The shop that knows nobody."""

    @property
    def console(self) -> StreamingServer:
        """The console."""

    @property
    def console_url(self) -> str:
        """Where the operator goes: an address with a key that opens once."""

    def defects(self) -> int:
        """Return how many exceptions nobody expected."""

    def codes(self) -> Mapping[str, str]:
        """Return the order codes of the first subscribers, by identity."""


Rooms = Callable[[Operator, Mapping[str, Endpoint]], Pages]
"""Makes the pages; it is told where `shop` and `console` listen."""


class Beside(Protocol):
    """What runs beside the servers, such as a broadcast."""

    @property
    def paths(self) -> Mapping[str, Server]:
        """What answers in place of Ua on the BSM's port, by the begin of the path."""

    async def wait(self, request: HttpRequest) -> None:
        """Return when a request to the BSM's port may be answered; most wait for nothing."""

    def join(self, servers: Servers, flush: Callable[[], None]) -> None:
        """Take the servers it stands beside, and what sends out the LTKMs that it orders. Comes before `start`."""

    def roll(self, service: str) -> ServiceKey:
        """Give a service a new SEK out of turn, which all who need it hear of. Raises `HeadendError`."""

    def is_over(self) -> bool:
        """Tell whether nothing is broadcast any more."""

    def start(self) -> None:
        """Begin, on the event loop."""

    def close(self) -> None:
        """End, also when it has not begun."""

    def metrics(self) -> Iterable[Metric]:
        """Return what it counts."""

    def defects(self) -> int:
        """Return how many exceptions nobody expected."""


@dataclass(slots=True)
class Running:
    """A head-end that listens. `stop` ends it, and may be called from any thread."""

    network: NetworkFile
    servers: Servers
    port: PushPort
    traffic: Mapping[str, Traffic]
    loop: asyncio.AbstractEventLoop
    beside: Sequence[Beside] = ()
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    pages: Pages | None = None

    def stop(self) -> None:
        """End the head-end."""
        self.loop.call_soon_threadsafe(self.ended.set)

    def defects(self) -> int:
        """Return how many exceptions nobody expected; it must stay 0."""
        met = sum(traffic.defects for traffic in self.traffic.values())
        met += 0 if self.pages is None else self.pages.defects()
        met += sum(one.defects() for one in self.beside)
        return met + sum(count for _, count in self.servers.defects())


async def serve(
    network: UsimNetwork,
    clock: NetworkClock,
    rng: Rng,
    ports: Ports,
    on_ready: Callable[[Running], None],
    *,
    zn_tls: ssl.SSLContext | None = None,
    rooms: Rooms | None = None,
    first_address: str = "",
    ua_tls: ssl.SSLContext | None = None,
    ub_tls: ssl.SSLContext | None = None,
    catalogue: Catalogue | None = None,
    client_ids: ClientIdRule | None = None,
    include: bool = True,
    most_requests: int | None = None,
    sms: SmsPlace | None = None,
    remint: bool = True,
    hears: Hearer | None = None,
    limits: ServerLimits | None = None,
    beside: Sequence[Beside] = (),
) -> None:
    """Serve until `Running.stop`, or a signal to end when this is the main thread.

    `rooms` makes the pages for people, an open shop and a console; `first_address` is where triggers for a terminal go
    that never registered. Zn is there with `zn_tls` only, whose clients must show certificates, and Ua and Ub over TLS
    besides with `ua_tls` and `ub_tls`. Without `include` nobody gets what the catalogue includes. `most_requests` a
    subscriber has at the BSM in a minute; short messages go to `sms` for terminals whose address nobody knows; `hears`
    is told what happens; `remint` is as in `LtkmSender`.
    `on_ready` hears when all sockets listen. What runs `beside` begins then, and ends before the sockets close. Raises
    `TransportError` for a port that cannot be had.
    """
    names = network.scenario.network
    with ExitStack() as opened:
        for one in beside:
            opened.callback(one.close)
        # All sockets first: either all ports are had, or nothing is served.
        taken = {
            "bsf": _listen(opened, ports.address, ports.bsf),
            "bsm": _listen(opened, ports.address, ports.bsm),
            "metrics": _listen(opened, ports.address, ports.metrics),
        }
        if zn_tls is not None:
            taken["zn"] = _listen(opened, ports.address, ports.zn)
        if rooms is not None:
            taken["shop"] = _listen(opened, ports.address, ports.shop)
            taken["console"] = _listen(opened, LOOPBACK, ports.console)
        if ub_tls is not None:
            taken[BSF_TLS] = _listen(opened, ports.address, ports.bsf_tls)
        if ua_tls is not None:
            taken[BSM_TLS] = _listen(opened, ports.address, ports.bsm_tls)
        push = _listen(opened, ports.address, ports.push, socket.SOCK_DGRAM)
        push_place = _place(push)
        servers = Servers.of(
            network,
            clock,
            rng,
            push_place,
            catalogue,
            client_ids,
            include=include,
            most_requests=most_requests,
            sms=sms,
            remint=remint,
        )
        traffic = {role: Traffic() for role in (*taken, "push")}
        happenings = Happenings(clock)
        if hears is not None:
            happenings.listen(hears)
        port = PushPort(servers.pushes, push_place, traffic["push"], happenings)
        places = {role: _place(one) for role, one in taken.items()}
        told = NetworkFile(
            Place(names.bsf_name, places.pop("bsf")),
            Place(names.bsm_fqdn, places.pop("bsm")),
            push_place,
            servers.selling.sales.catalogue.included if include else (),
            {
                role: Place(names.bsm_fqdn if role == BSM_TLS else names.bsf_name, end)
                for role, end in places.items()
                if role != "console"
            },
        )
        running = Running(told, servers, port, traffic, asyncio.get_running_loop(), beside)
        for one in beside:
            one.join(servers, port.flush)
        metrics = MetricsServer(_metrics(running))
        # What broadcasts knows from when on a SEK can be used; without a broadcast it can be at once.
        roll = next((one.roll for one in beside), None)
        is_over = next((one.is_over for one in beside), None)
        operator = Operator(network, servers, clock, rng, happenings, first_address, running.defects, roll, is_over)
        bsm = ByPath(servers.ua, {path: server for one in beside for path, server in one.paths.items()})
        answering: dict[str, Server | StreamingServer] = {
            "bsf": Watched(servers.ub, "Ub", happenings),
            BSF_TLS: Watched(servers.ub, "Ub", happenings),
            "bsm": Watched(bsm, "Ua", happenings),
            BSM_TLS: Watched(bsm, "Ua", happenings),
            "zn": Watched(servers.zn, "Zn", happenings),
            "metrics": metrics,
        }
        if rooms is not None:
            running.pages = rooms(operator, {role: places[role] for role in _PAGES})
            servers.front.shop = running.pages.behind_digest
            answering |= {"shop": running.pages.shop, "console": running.pages.console}
        tls = {"zn": zn_tls, BSF_TLS: ub_tls, BSM_TLS: ua_tls}

        async def patience(request: HttpRequest) -> None:
            for one in beside:
                await one.wait(request)

        async with AsyncExitStack() as started:
            await running.loop.create_datagram_endpoint(lambda: port, sock=push)
            started.callback(port.close)
            for role, listening in taken.items():
                after = port.flush if role in _ORDERING else None
                waits = patience if role in ("bsm", BSM_TLS) else None
                site = HttpSite(answering[role], traffic[role], limits, after, waits)
                started.push_async_callback(site.stop)
                await site.start(listening, tls.get(role))
            started.enter_context(heeding_signals(running.ended))
            on_ready(running)
            for one in beside:
                started.callback(one.close)
                one.start()
            await running.ended.wait()


def _listen(opened: ExitStack, address: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Return a bound socket. Raises `TransportError`."""
    made = opened.enter_context(socket.socket(socket.AF_INET, kind))
    if kind is socket.SOCK_STREAM:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((address, port))
    except OSError as error:
        what = f"port {port} of {address}" if port else f"address {address}"
        raise TransportError(f"{what} cannot be had: {error.strerror}") from None
    made.setblocking(False)
    return made


def _place(bound: socket.socket) -> Endpoint:
    return Endpoint(*bound.getsockname()[:2])


def _kept(pushes: Pushes) -> tuple[Metric, ...]:
    """Return what the books say of themselves."""
    figures, sender = pushes.figures, pushes.sender
    return (
        Metric("bcast_uicc_outstanding", "LTKMs not acknowledged.", lambda: [("", figures().outstanding)], "gauge"),
        Metric("bcast_uicc_in_doubt", "LTKMs with tokens in doubt.", lambda: [("", figures().doubtful)], "gauge"),
        Metric("bcast_uicc_ordered", "LTKMs that wait to be sent.", lambda: [("", figures().orders)], "gauge"),
        Metric("bcast_uicc_believed_total", "LTKMs taken by a terminal's word.", lambda: [("", sender.believed)]),
        Metric("bcast_uicc_reminted_total", "LTKMs made anew under a new SMK.", lambda: [("", sender.reminted)]),
    )


def _stored(parts: Parts) -> tuple[Metric, ...]:
    """Return how much is kept."""

    def count(read: Callable[[], int]) -> Callable[[], list[tuple[str, int]]]:
        def counted() -> list[tuple[str, int]]:
            with parts.books.transactions.transaction():
                return [("", read())]

        return counted

    return (
        Metric("bcast_uicc_subscribers", "Subscribers known.", count(parts.subscribers.count), "gauge"),
        Metric("bcast_uicc_registrations", "Subscribers registered.", count(parts.books.registrations.count), "gauge"),
    )


def _metrics(running: Running) -> tuple[Metric, ...]:
    servers, pushes, traffic = running.servers, running.servers.pushes, running.traffic
    return (
        Metric(
            "bcast_uicc_http_answers_total",
            "Answers by server and status.",
            lambda: [
                (f'server="{role}",status="{status}"', count)
                for role, one in traffic.items()
                for status, count in sorted(one.answers.items())
            ],
        ),
        Metric(
            "bcast_uicc_http_cut_total",
            "Connections ended for being slow or broken.",
            lambda: [(f'server="{role}"', one.cut) for role, one in traffic.items() if role != "push"],
        ),
        Metric(
            "bcast_uicc_unexpected_exceptions_total",
            "Exceptions nobody expected; it must stay 0.",
            lambda: [("", running.defects())],
        ),
        Metric("bcast_uicc_ua_replays_total", "Nonce counts that came twice.", lambda: [("", servers.ua.replays)]),
        Metric("bcast_uicc_ua_limited_total", "Requests of who asks too often.", lambda: [("", servers.ua.limited)]),
        Metric("bcast_uicc_pushes_total", "Datagrams sent to terminals.", lambda: [("", running.port.sent)]),
        Metric("bcast_uicc_pushes_resent_total", "LTKMs sent again.", lambda: [("", pushes.sender.resent)]),
        Metric("bcast_uicc_acknowledged_total", "LTKMs acknowledged.", lambda: [("", pushes.acknowledged)]),
        Metric("bcast_uicc_dropped_total", "Datagrams that were dropped.", lambda: [("", pushes.dropped)]),
        *_kept(pushes),
        *_stored(running.servers.parts),
        *(metric for one in running.beside for metric in one.metrics()),
    )
