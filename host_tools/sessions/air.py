"""A broadcast beside the servers of a network, and a BSD/A as a program of its own."""

from __future__ import annotations

import asyncio
import re
import secrets
import signal
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from card.crypto.secret import Secret
from card.disk.kinds import TRANSPORT_KEY
from card.disk.reading import read_text
from card.spec.bcast.tables import BcastTables
from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.back_end import TRANSPORT_KEY_SIZE, TransportKey
from host_tools.exchange.transport import Endpoint
from host_tools.files.writing import told, write_whole
from host_tools.guide.announce import Document
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.http.back_end import BackEndServer
from host_tools.headend.http.handover import HandoverServer
from host_tools.headend.http.stkm_shelf import StkmShelf
from host_tools.headend.on_air.announcing import named
from host_tools.headend.on_air.beside import AirBeside, Names
from host_tools.headend.on_air.broadcast import AirPlan, OnAir
from host_tools.headend.on_air.distribution import Distribution, distribute
from host_tools.headend.on_air.remote import RemoteBsm
from host_tools.headend.on_air.supplier import Supplier
from host_tools.headend.on_air.told_rolls import as_message
from host_tools.headend.scenario.rolls import Rolls
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import BroadcastEnded, BroadcastOnAir, DistributionServed, Events, TransportKeyMade
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.limits import ClientLimits
from host_tools.wire.system import SystemClock

if TYPE_CHECKING:
    from card import CardProfile
    from host_tools.headend.scenario.model import Scenario

_HEX = re.compile(rf"[0-9a-fA-F]{{{2 * TRANSPORT_KEY_SIZE}}}\s*")
_PATIENCE = ClientLimits(body_size=1 << 20, whole=5.0)


@dataclass(frozen=True, slots=True)
class Aired:
    """How a network broadcasts its scenario.

    `plan` says how; `here` that it does so itself, and not a BSD/A in another process, which shares `transport_key`
    with it. `announce` is a folder for the announcement.
    """

    plan: AirPlan
    here: bool = True
    announce: Path | None = None
    transport_key: Path | None = None


def beside(
    aired: Aired,
    began: datetime,
    network: UsimNetwork,
    clock: SystemClock,
    tables: BcastTables,
    events: Events,
    catalogue: Catalogue,
) -> AirBeside:
    """Return what runs beside the servers of a network, which sell what the catalogue has.

    Raises `SessionError`, `HeadendError`, `TransportError`.
    """
    scenario, shelf, rolls = network.scenario, StkmShelf(clock), Rolls()
    keys = None if aired.transport_key is None else transport_key(aired.transport_key, events)
    desk = None if keys is None else BackEndServer(network.back_end, keys, shelf, lambda: map(as_message, rolls.all()))
    ended, on_air = BroadcastEnded(scenario), None
    if aired.here:
        on_air = OnAir(
            scenario, aired.plan, began, network.back_end, tables, lambda: events.emit(ended), shelf.put_now, rolls
        )
    with ExitStack() as closing:
        if on_air is not None:
            closing.callback(on_air.close)
        names = Names(*named(scenario, catalogue), catalogue.waiting)
        made = AirBeside(scenario, aired.plan, began, network.keys, clock, names, shelf, on_air, desk, rolls)
        if aired.announce is not None:
            _write_announcement(aired.announce, made.documents)
        closing.pop_all()
    return made


def _write_announcement(folder: Path, documents: Iterable[Document]) -> None:
    """Write the documents of an announcement, those of each service in a folder of its own."""
    for document in documents:
        if document.name:
            path = folder / document.name
            with told(path.parent):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, document.body)


def transport_key(path: Path, events: Events) -> TransportKey:
    """Read a transport key, or make one where there is no file, and say so: the name may be a slip of the pen.

    Raises `UnusableFile`, `UnwritableFile`, `SessionError`.
    """
    if not path.exists():
        write_whole(path, (secrets.token_hex(TRANSPORT_KEY_SIZE) + "\n").encode(), private=True)
        events.emit(TransportKeyMade(path))
    text = read_text(path, TRANSPORT_KEY)
    if not _HEX.fullmatch(text):
        raise SessionError(f"{path} is no transport key: {2 * TRANSPORT_KEY_SIZE} hex digits are wanted.")
    return TransportKey(Secret(bytes.fromhex(text)))


def distribute_scenario(
    scenario: Scenario,
    profile: CardProfile,
    plan: AirPlan,
    bsm: Endpoint,
    keys: TransportKey,
    listen: Endpoint,
    events: Events,
) -> None:
    """Broadcast what a BSM at `bsm` has the keys of, until interrupted. Raises `SessionError`, `HeadendError`."""
    clock = SystemClock()
    remote = RemoteBsm(HttpTransport(bsm, limits=_PATIENCE), scenario.network.bsm_fqdn, keys)
    began, ended = plan.began(scenario, clock.now()), BroadcastEnded(scenario)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(listening, listen)
            on_air = OnAir(scenario, plan, began, remote, profile.bcast.build_tables(), lambda: events.emit(ended))
            supplier = Supplier(scenario, on_air, remote, clock)

            def ready(made: Distribution) -> None:
                loop = asyncio.get_running_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, made.ended.set)
                events.emit(DistributionServed(made.place))
                events.emit(BroadcastOnAir(scenario, plan))

            asyncio.run(distribute(on_air, supplier, HandoverServer(keys), listening, clock, ready))
    except TransportError as error:
        raise SessionError(f"{error}.") from None


def _bind(listening: socket.socket, place: Endpoint) -> None:
    try:
        listening.bind((place.address, place.port))
    except OSError as error:
        raise TransportError(f"port {place.port} of {place.address} cannot be had: {error.strerror}") from None
    listening.setblocking(False)
