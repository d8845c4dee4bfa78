"""The servers of one network, put together without a socket: Ub, Ua, Zn, and the LTKMs that go out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from card.crypto.secret import Secret
from host_tools.exchange.digest.counts import NonceCounts
from host_tools.exchange.digest.nonces import SECRET_SIZE, Nonces
from host_tools.exchange.digest.server import DigestServer
from host_tools.exchange.names import gba_realm
from host_tools.exchange.ports import Rng
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.ltkm_sender import LtkmSender
from host_tools.headend.bsm.orders import OrderMint
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.clock import NetworkClock
from host_tools.headend.http.accounts import Accounts, GbaAccounts, RkAccounts
from host_tools.headend.http.client_id import ClientIdRule
from host_tools.headend.http.front import Refusals, UaFront
from host_tools.headend.http.key_management import KeyManagement
from host_tools.headend.http.pull_desk import PullDesk
from host_tools.headend.http.push import Pushes
from host_tools.headend.http.rates import Rates
from host_tools.headend.http.short_messages import SmsPlace, UdpShortMessages
from host_tools.headend.http.ua import UaServer
from host_tools.headend.http.ub import UbServer
from host_tools.headend.http.welcome import Welcome
from host_tools.headend.http.zn import ZnServer
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.parts import Parts
from host_tools.headend.scenario.selling import Selling
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.scenario.wares import default_catalogue, included

_A_MINUTE = timedelta(minutes=1)


def service_ids(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Return what the subscriber may register for without buying: each service that the scenario sends by itself."""
    return {item.service_id: item.services for item in included(scenario)}


@dataclass(frozen=True, slots=True)
class Servers:
    """What answers, and what goes out."""

    ub: UbServer
    ua: UaServer
    zn: ZnServer
    selling: Selling
    books: Books
    refusals: Refusals
    front: UaFront
    pushes: Pushes
    parts: Parts
    pulls: PullDesk

    @classmethod
    def of(
        cls,
        network: UsimNetwork,
        clock: NetworkClock,
        rng: Rng,
        push_source: Endpoint,
        catalogue: Catalogue | None = None,
        rule: ClientIdRule | None = None,
        *,
        include: bool = True,
        most_requests: int | None = None,
        sms: SmsPlace | None = None,
        remint: bool = True,
    ) -> Servers:
        """Return the servers of a network; their state is where its parts are.

        What the catalogue includes, every subscriber gets with its first request; without `include`, nobody. `rule`
        says whose client ID is wanted. A subscriber has `most_requests` a minute at the BSM, None for any number.
        Terminals whose address nobody knows are reached by short messages with `sms`. `remint` is as in `LtkmSender`.
        """
        names, parts = network.scenario.network, network.parts
        books = parts.books
        catalogue = catalogue or default_catalogue(network.scenario)
        sender = LtkmSender(network.bsm, OrderMint(network.bsm), books.outbox, remint=remint)
        pushes = Pushes(sender, books, push_source, clock)
        messages = None if sms is None else UdpShortMessages(sms, pushes)
        selling = Selling.of(network.bsm, catalogue, network.goods, pushes, books, clock, rule, messages=messages)
        nonces = Nonces(Secret(rng.random_bytes(SECRET_SIZE)), rng, clock)
        accounts: dict[str, Accounts] = {
            gba_realm(names.bsm_fqdn): GbaAccounts(network.naf, network.bsm.naf_id, clock),
            names.bsm_fqdn: RkAccounts(network.home),
        }
        refusals = Refusals(books.records)
        front = UaFront(selling.routes, refusals)
        pulls = PullDesk(network.bsm, selling.keys, books, _newest(network), messages)
        return cls(
            UbServer(network.bsf, names.bsf_name, rng, clock, books.transactions),
            UaServer(
                names.bsm_fqdn,
                DigestServer(nonces, NonceCounts()),
                accounts,
                Welcome(front, selling.include) if include else front,
                books.transactions,
                selling.certified,
                None if most_requests is None else Rates(most_requests, _A_MINUTE, clock),
            ),
            ZnServer(network.bsf, books.transactions),
            selling,
            books,
            refusals,
            front,
            pushes,
            parts,
            pulls,
        )

    @property
    def keys(self) -> KeyManagement:
        """Who is registered for what."""
        return self.selling.keys

    def defects(self) -> Iterator[tuple[str, int]]:
        """Yield how many exceptions each server met that nobody expected."""
        yield from (
            ("ub", self.ub.defects),
            ("ua", self.ua.defects),
            ("zn", self.zn.defects),
            ("push", self.pushes.defects),
        )


def _newest(network: UsimNetwork) -> Callable[[str], str | None]:
    """Return what tells the B-TID of a subscriber's last run of Ub."""

    def newest(identity: str) -> str | None:
        run = network.bsf.current(identity)
        return None if run is None else run[0]

    return newest
