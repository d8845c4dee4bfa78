"""Which of the servers that have the keys a terminal goes to, and what an announcement says of asking them.

TS 33.246 clause 6.3.2.1A: one of the serverURIs is drawn, evenly, and kept for all later procedures; where it is not
reached, another one of the rest. Kept is the one that the state of the terminal knows last. It is looked for when the
terminal opens, and not again while it runs (ours).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.ports import Rng
from host_tools.exchange.transport import Endpoint
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import ClientNews, Events
from host_tools.sessions.programmes import WebLibrary, guide_of, programmes_at
from host_tools.terminal.client.events import ServerPassedOver
from host_tools.terminal.client.waits import WaitingTime
from host_tools.terminal.reach import Reach, WrongUrl, reach_url

if TYPE_CHECKING:
    from ssl import SSLContext

    from host_tools.terminal.programme import Programme


@dataclass(frozen=True, slots=True)
class Announced:
    """What security descriptions say: who has the keys (serverURIs), and how long to wait, by key group.

    `groups` are the key groups of each serviceID, those of all services that are registered for or bought under it.
    """

    servers: tuple[str, ...] = ()
    waiting: Mapping[MskName, WaitingTime] = field(default_factory=dict)
    groups: Mapping[str, tuple[MskName, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, programmes: Iterable[Programme], first: int = 0) -> Announced:
        """Take what services are announced with; the servers are those of the one that comes `first`."""
        found = tuple(programmes)
        waiting = {group: one.waiting for one in found if one.waiting is not None for group in one.groups}
        groups: dict[str, tuple[MskName, ...]] = {}
        for one in found:
            for service_id in one.service_ids:
                groups[service_id] = (*groups.get(service_id, ()), *one.groups)
        return cls(found[first].servers if found else (), waiting, groups)

    def names(self) -> tuple[str, ...]:
        """Return the names of the servers."""
        return tuple(name for uri in self.servers if (name := _host(uri)))


def announced_at(reach: Reach) -> Announced:
    """Return what the BSM itself announces, where it does; nothing for one behind https, or without an announcement.

    Its servers are left out: the BSM was named.
    """
    if reach.bsm.tls:
        return Announced()
    guide = guide_of(Endpoint(reach.bsm.fqdn, reach.bsm_port))  # by its name: it may share its address with others
    try:
        found = Announced.of(programmes_at(guide, WebLibrary(reach.places, reach.address)))
    except SessionError:
        return Announced()
    return replace(found, servers=())


def announced_servers(servers: Iterable[str], named: Reach, tls: SSLContext | None) -> tuple[Reach, ...]:
    """Return the ways to announced servers; what is no URI of a BSM is passed over.

    `named` is the BSM of the network file: whoever has named one behind https goes nowhere else, and it is the last
    resort where it is not among them. `tls` is for servers behind https.
    """
    found: dict[object, Reach] = {}
    for server in servers:
        try:
            reach = reach_url(server, named.address, named.places, named.bsf_name, tls)
        except WrongUrl:
            continue
        if reach.bsm.tls or not named.bsm.tls:
            reach = replace(reach, bsf_tls=named.bsf_tls, bsf_port=named.bsf_port)
            found.setdefault((reach.bsm, reach.bsm_port), reach)
    reaches = tuple(found.values())
    is_there = any(reach.bsm.fqdn == named.bsm.fqdn for reach in reaches)
    return reaches if is_there else (*reaches, named)


def choose_server(reaches: Sequence[Reach], last: Reach, kept: Sequence[str], rng: Rng, events: Events) -> Reach:
    """Return a server that is reached; a single one is not tried.

    Those in `kept`, by their names, come first, in that order; `last`, where it is there itself and no announced way to
    the same server, comes last; the others as they are drawn. Each that is passed over is told. Raises `TransportError`
    where none is reached.
    """
    if len(reaches) == 1:
        return reaches[0]
    waiting = [reach for reach in reaches if reach is not last]
    order = [next((one for one in waiting if one.bsm.fqdn == name), None) for name in kept]
    drawn = [reach for reach in order if reach is not None]
    waiting = [reach for reach in waiting if reach not in drawn]
    while waiting:
        drawn.append(waiting.pop(int.from_bytes(rng.random_bytes(4), "big") % len(waiting)))
    why = TransportError("nobody is announced")
    for reach in (*drawn, *(reach for reach in reaches if reach is last)):
        try:
            reach.to_bsm().require_reachable()
            return reach
        except TransportError as error:
            events.emit(ClientNews(ServerPassedOver(reach.bsm.fqdn, str(error))))
            why = error
    raise why


def _host(uri: str) -> str:
    try:
        return urlsplit(uri).hostname or ""
    except ValueError:
        return ""
