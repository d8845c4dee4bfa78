"""A service that can be tuned to: where its media and its STKMs come, and what its announcement says of its keys.

With a line of its own in the SDP an STKM stream stands where that says (OMA BCAST); without, it comes to the address of
the media, on the port of MIKEY (TS 33.246 clause 6.3.3.2.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.exchange.messages.msk import MskName
from host_tools.guide.entry import ServiceEntry, Way
from host_tools.guide.sdp import Profile, SessionDescription
from host_tools.terminal.client.awaited import current
from host_tools.terminal.client.waits import WaitingTime
from host_tools.terminal.player import STKM_PORT


@dataclass(frozen=True, slots=True)
class Programme:
    """One service. `service_ids` are what a terminal registers for, `groups` the key groups of its flows.

    `servers` are the URIs of those who have the keys, `waiting` is how long to wait before they are asked.
    """

    name: str
    session: SessionDescription
    service_ids: tuple[str, ...] = ()
    groups: tuple[MskName, ...] = ()
    waiting: WaitingTime | None = None
    way: Way = Way.MBMS_USD
    servers: tuple[str, ...] = ()

    @classmethod
    def of_entry(cls, entry: ServiceEntry) -> Programme:
        """Take what an announcement says."""
        security = entry.security
        management = None if security is None else security.management
        waiting = None if management is None else WaitingTime(management.offset_time, management.random_time_period)
        flows = () if security is None else security.flows
        groups = tuple(dict.fromkeys(flow.msk for flow in flows))
        name, session = entry.name or entry.session.name, entry.session
        return cls(name, session, entry.service_ids, groups, waiting, entry.way, entry.servers)

    @property
    def media(self) -> tuple[Endpoint, ...]:
        """Where its media come."""
        return tuple(Endpoint(stream.address, stream.port) for stream in self.session.media)

    @property
    def stkms(self) -> tuple[Endpoint, ...]:
        """Where its STKMs come."""
        named = tuple(Endpoint(stream.address, stream.port) for stream in self.session.key_streams)
        hosts = dict.fromkeys(stream.address for stream in self.session.media)
        return named or tuple(Endpoint(host, STKM_PORT) for host in hosts)

    def announces(self, name: MskName) -> bool | None:
        """Tell whether a key belongs to one of its groups, None where nothing says which those are."""
        return current(name) in map(current, self.groups) if self.groups else None

    def normal(self, datagram: Datagram) -> Datagram:
        """Return a datagram as a capture of this service would have it: STKMs go to the port of MIKEY."""
        place = datagram.destination
        if place.port != STKM_PORT and place in self.stkms:
            return replace(datagram, destination=Endpoint(place.host, STKM_PORT))
        return datagram

    def session_at(self, host: str, port: int) -> SessionDescription:
        """Return the session description for a player: media in clear at a place, two ports for each stream."""
        media = tuple(
            replace(stream, address=host, port=port + 2 * number, profile=Profile.AVP, key_streams=(),
                    authentication=None, roll_over_rate=None)
            for number, stream in enumerate(self.session.media)
        )  # fmt: skip
        return SessionDescription(self.name, media)
