"""A broadcast beside the servers of a network, and a BSD/A as a program of its own."""

from __future__ import annotations

import asyncio
import re
import secrets
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
from host_tools.headend.on_air.announcing import Names, named
from host_tools.headend.on_air.beside import AirBeside
from host_tools.headend.on_air.broadcast import AirPlan, OnAir
from host_tools.headend.on_air.distribution import Distribution, distribute
from host_tools.headend.on_air.hand_over import SeksHandedOver
from host_tools.headend.on_air.remote import RemoteBsm
from host_tools.headend.on_air.supplier import Supplier
from host_tools.headend.on_air.told_rolls import as_message
from host_tools.headend.scenario.model import StkmBy
from host_tools.headend.scenario.rolls import Rolls
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.sessions.certificates import BsdaTls, NetworkTls, bsda_name
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
_SHORT_PATIENCE = ClientLimits(whole=2.0)


@dataclass(frozen=True, slots=True)
class Aired:
    """How a network broadcasts its scenario.

    `plan` says how; `here` that it does so itself, and not a BSD/A in another process, which shares `transport_key`
    with it; the BSM tells it of SEKs out of turn at `bsda`. `announce` is a folder for the announcement.
    """

    plan: AirPlan
    here: bool = True
    announce: Path | None = None
    transport_key: Path | None = None
    bsda: Endpoint | None = None


def beside(
    aired: Aired,
    began: datetime,
    network: UsimNetwork,
    clock: SystemClock,
    tables: BcastTables,
    events: Events,
    catalogue: Catalogue,
    tls: NetworkTls | None = None,
) -> AirBeside:
    """Return what runs beside the servers of a network, which sell what the catalogue has.

    With `tls` the BSM reaches a BSD/A elsewhere over TLS.

    Raises `SessionError`, `HeadendError`, `TransportError`.
    """
    scenario, shelf, rolls = network.scenario, StkmShelf(clock), Rolls()
    keys = None if aired.transport_key is None else transport_key(aired.transport_key, events)
    desk = None if keys is None else BackEndServer(network.back_end, keys, shelf, lambda: map(as_message, rolls.all()))
    handing = None
    if keys is not None and aired.bsda is not None:
        name, context = bsda_name(scenario), None if tls is None else tls.to_bsda
        way = HttpTransport(aired.bsda, limits=_SHORT_PATIENCE, tls=context, tls_name=name)
        handing = SeksHandedOver(way, name, keys, with_keys=scenario.stkm_by is StkmBy.BSD)
    ended, on_air = BroadcastEnded(scenario), None
    if aired.here:
        on_air = OnAir(
            scenario, aired.plan, began, network.back_end, tables, lambda: events.emit(ended), shelf.put_now, rolls
        )
    with ExitStack() as closing:
        if on_air is not None:
            closing.callback(on_air.close)
        names = Names(*named(scenario, catalogue), catalogue.waiting)
        made = AirBeside(scenario, aired.plan, began, network.keys, clock, names, shelf, on_air, desk, rolls, handing)
        if aired.announce is not None:
            _write_announcement(aired.announce, made.documents)
        closing.pop_all()
    return made


def _write_announcement(folder: Path, documents: Iterable[Document]) -> None:
    """Write the documents of an announcement, those of each service, and of each listener, in a folder of its own."""
    for document in documents:
        if document.name and not document.name.endswith("/"):
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
    secured: tuple[Endpoint, BsdaTls] | None = None,
) -> None:
    """Broadcast what a BSM at `bsm` has the keys of, until interrupted.

    Where it is `secured` the BSM is reached over TLS, and what it hands over comes over TLS to that place. Raises
    `SessionError`, `HeadendError`.
    """
    clock, name = SystemClock(), scenario.network.bsm_fqdn
    to_bsm = None if secured is None else secured[1].to_bsm
    remote = RemoteBsm(HttpTransport(bsm, limits=_PATIENCE, tls=to_bsm, tls_name=name), name, keys)
    began, ended = plan.began(scenario, clock.now()), BroadcastEnded(scenario)
    try:
        with ExitStack() as opened:
            listening = _bound(opened, listen)
            own = None if secured is None else (_bound(opened, secured[0]), secured[1].own)
            on_air = OnAir(scenario, plan, began, remote, profile.bcast.build_tables(), lambda: events.emit(ended))
            supplier = Supplier(scenario, on_air, remote, clock)

            def ready(made: Distribution) -> None:
                events.emit(DistributionServed(made.place, made.secured))
                events.emit(BroadcastOnAir(scenario, plan, began))

            handover = HandoverServer(keys, supplier.take)
            asyncio.run(distribute(on_air, supplier, handover, listening, clock, ready, own))
    except TransportError as error:
        raise SessionError(f"{error}.") from None


def _bound(opened: ExitStack, place: Endpoint) -> socket.socket:
    """Return a socket for connections. Raises `TransportError`."""
    listening = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((place.address, place.port))
    except OSError as error:
        raise TransportError(f"port {place.port} of {place.address} cannot be had: {error.strerror}") from None
    listening.setblocking(False)
    return listening
