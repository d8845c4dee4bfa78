"""The servers of a network on this computer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.exchange.errors import TransportError
from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.transport import Endpoint
from host_tools.files.writing import write_whole
from host_tools.headend.bsm.ports import Services
from host_tools.headend.http.short_messages import SmsPlace
from host_tools.headend.on_air.broadcast import AirPlan, position
from host_tools.headend.operating.operator import Operator
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.scenario.wares import default_catalogue
from host_tools.headend.serving import Pages, Ports, Running, serve
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.sessions.air import Aired, beside
from host_tools.sessions.certificates import bsda_name, network_tls
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import BroadcastOnAir, Events, NetworkServed, PagesServed
from host_tools.sessions.keeping import MEMORY, Keeping, keeping
from host_tools.sessions.log_lines import log_lines
from host_tools.sessions.sold import Sold
from host_tools.wire.network_file import BSDA, Place
from host_tools.wire.system import SystemClock, SystemRng

if TYPE_CHECKING:
    from card import CardProfile

DEFAULT_ADDRESS = "127.0.0.2"
MakeRooms = Callable[[Rng, Clock, Operator, Mapping[str, Endpoint]], Pages]
"""Makes the pages for people: whoever serves brings them, as sessions know none."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a network treats terminals: `most_requests` that one has at the BSM in a minute, None for any number.

    Short messages for those whose address nobody knows go to `sms`, None for nowhere. With `remint` tokens in doubt
    after a change of SMK are made anew, unless the terminal says that it took them.
    """

    most_requests: int | None = None
    sms: SmsPlace | None = None
    remint: bool = True


def serve_scenario(
    scenario: Scenario,
    profile: CardProfile,
    ports: Ports,
    network_file: Path | None,
    certificates: Path | None,
    events: Events,
    *,
    aired: Aired | None = None,
    kept: Keeping | None = None,
    sold: Sold | None = None,
    make_rooms: MakeRooms | None = None,
    manners: Manners | None = None,
    log: Path | None = None,
) -> None:
    """Serve until interrupted; `NetworkServed` tells where, and `PagesServed` with `make_rooms`.

    With `aired` the scenario is broadcast, too, and announced.

    What `kept` says is by default in memory. `log` is a file for what happens, in JSON lines; `-` is standard output.
    Raises `SessionError`, `HeadendError`.
    """
    sold, manners = sold or Sold(), manners or Manners()
    catalogue = sold.read(scenario) or default_catalogue(scenario)
    clock, rng, kept, tables = SystemClock(), SystemRng(), kept or Keeping(), profile.bcast.build_tables()
    rooms = None if make_rooms is None else partial(make_rooms, rng, clock)
    started = clock.now()
    tls = None if certificates is None else network_tls(scenario, certificates)
    store = None if kept.db == MEMORY else kept.url(scenario)

    def announce(running: Running) -> None:
        told = running.network
        if aired is not None and aired.bsda is not None:
            told = replace(told, others={**told.others, BSDA: Place(bsda_name(scenario), aired.bsda)})
        if network_file is not None:
            write_whole(network_file, told.to_toml().encode())
        events.emit(NetworkServed(told, network_file, store))
        if running.pages is not None:
            shop = running.network.others["shop"].endpoint
            events.emit(
                PagesServed(f"http://{shop.address}:{shop.port}/", running.pages.console_url, running.pages.codes())
            )
        if aired is not None:
            events.emit(BroadcastOnAir(scenario, aired.plan, began, aired.here))

    with ExitStack() as closing, _as_session_errors():
        lines = closing.enter_context(log_lines(log))
        parts = closing.enter_context(keeping(kept, scenario, profile, clock))
        began, services = started, None
        if aired is not None:
            plan, began = aired.plan, _began(aired.plan, scenario, parts.services, started)
            services = ScenarioServices(scenario, began, plan.speed, loop=plan.loop)
        with parts.books.transactions.transaction():
            # Challenges cannot be repeated: the card may have met those of an earlier run.
            network = UsimNetwork(
                scenario, subscriber_of(profile), clock, tables=tables, services=services, parts=parts, rng=rng
            )
        runs = () if aired is None else (beside(aired, began, network, clock, tables, events, catalogue, tls),)
        # A terminal that never registered is where terminals of this computer are unless they say otherwise.
        asyncio.run(
            serve(
                network,
                clock,
                rng,
                ports,
                announce,
                zn_tls=None if tls is None else tls.zn,
                ua_tls=None if tls is None else tls.ua,
                ub_tls=None if tls is None else tls.ub,
                catalogue=catalogue,
                client_ids=sold.rule,
                include=sold.included,
                most_requests=manners.most_requests,
                sms=manners.sms,
                remint=manners.remint,
                hears=None if lines is None else lines.hear,
                rooms=rooms,
                first_address=DEFAULT_ADDRESS,
                beside=runs,
            )
        )


def _began(plan: AirPlan, scenario: Scenario, stored: Services | None, started: datetime) -> datetime:
    """Return when a broadcast began: as its clock file says, or a store from before, unless it has ended; or now."""
    if plan.clock_file is not None or not isinstance(stored, ScenarioServices) or stored.began >= started:
        return plan.began(scenario, started)
    if plan.loop or position(stored.began, started, plan.speed) < scenario.duration:
        return stored.began
    return plan.began(scenario, started)


@contextmanager
def _as_session_errors() -> Iterator[None]:
    try:
        yield
    except TransportError as error:
        raise SessionError(f"{error}.") from None
