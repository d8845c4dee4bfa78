"""A network on a store: both kinds of subscribers at once, and a request that is done as a whole or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CursorResult, TextClause, text

from card import CardProfile, memory_card
from card.crypto.gba import derive_ks_naf_mrk
from card.spec.bcast.p1 import P1
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.exchange.ports import Rng
from host_tools.exchange.transport import Datagram, Endpoint, InProcessDatagrams, InProcessTransport, Peer, Server
from host_tools.headend.bsm.books import Transaction
from host_tools.headend.clock import ManualClock
from host_tools.headend.scenario.servers import Servers, service_ids
from host_tools.headend.scenario.stored import stored_parts
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.store.store import Store
from host_tools.headend.subscribers.gba_settings import UiccType
from host_tools.headend.subscribers.personalised import record_of, subscriber_of
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.links.inprocess import InProcessLink
from host_tools.sessions.csim import csim_subscriber
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.http.session import CsimSession, GbaSession, UaSession
from host_tools.terminal.http.ua import UaClient
from host_tools.terminal.http.ub import HttpBsf
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.middleware import TerminalMiddleware
from tests.support.key_port import KeyPort
from tests.support.wire import BSM_PLACE, PIN, TERMINAL
from tests.unit.host_tools.headend.networks import small_scenario
from tests.unit.host_tools.headend.store.conftest import KEY


class Network:
    """The servers of the small scenario on a store, and a terminal before them."""

    def __init__(self, url: str, rng: Rng | None = None) -> None:
        self.store = Store.connect(url, KEY)
        scenario = small_scenario()
        self.clock = ManualClock(scenario.start)
        profile, rng = CardProfile.demo(), rng or SeededRng(Seeded("served"), "rng")
        records: list[SubscriberRecord | RkSubscriber] = [
            record_of(profile),
            csim_subscriber(CardProfile.demo("csim")),
            of_gba_me(record_of(profile)),
        ]
        parts = stored_parts(self.store, scenario, records, self.clock)
        with self.store.database.transaction():
            self.network = UsimNetwork(scenario, subscriber_of(profile), self.clock, tables=P1, parts=parts, rng=rng)
        self.servers = Servers.of(self.network, self.clock, rng, BSM_PLACE)
        self.service_ids = tuple(service_ids(scenario))
        self.middleware = TerminalMiddleware(InProcessLink(memory_card(profile, strict=True)), tables=P1)
        self.middleware.connect(PIN)
        bsf = HttpBsf(self.to(self.servers.ub), scenario.network.bsf_name, rng)
        self.session = GbaSession(self.middleware, bsf, scenario.network.bsm_fqdn, self.clock.now)
        self.crossed: list[HttpResponse] = []
        self.terminal = self.client(self.session)
        self.receipts: list[LtkmReceipt] = []

    def to(self, server: Server) -> InProcessTransport:
        return InProcessTransport(server, TERMINAL)

    def client(self, session: UaSession) -> UaClient:
        rng = SeededRng(Seeded("terminal"), "cnonce")
        return UaClient(InProcessTransport(self, TERMINAL), self.network.scenario.network.bsm_fqdn, session, rng)

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        self.crossed.append(self.servers.ua.handle(request, peer))
        return self.crossed[-1]

    def deliver(self) -> int:
        """Carry what is due to the card and back; return how many datagrams crossed."""
        port = KeyPort(self.middleware, self.receipts.append, lambda _trigger: None)
        net = InProcessDatagrams({Endpoint(TERMINAL.address, 0): port, BSM_PLACE: self.servers.pushes})
        for datagram in self.servers.pushes.due():
            net.send(datagram)
        return len(net.deliver())

    def dump(self) -> Mapping[str, list[Any]]:
        """Return every row of what a request may change."""
        names = ("registrations", "lines", "orders", "outstanding", "counters", "held", "records", "requests")
        with self.store.database.transaction():
            return {
                name: sorted(map(repr, self.store.database.run(text(f"SELECT * FROM {name}")).all())) for name in names
            }


@pytest.fixture
def served(url: str) -> Iterator[Network]:
    found = Network(url)
    yield found
    assert sum(count for _, count in found.servers.defects()) == 0
    found.store.close()


def test_from_nothing_to_keys_and_on_under_a_new_process(served: Network, url: str) -> None:
    codes = served.terminal.register(served.service_ids)
    assert [code.status for code in codes] == [HTTPStatus.OK, HTTPStatus.OK]
    assert served.deliver() == 4
    assert [receipt.taken for receipt in served.receipts] == [True, True]
    other = Network(url)
    other.session, other.middleware = served.session, served.middleware
    served.crossed.clear()
    again = other.client(served.session)
    assert [code.status for code in again.deregister(served.service_ids)] == [HTTPStatus.OK, HTTPStatus.OK]
    # No bootstrapping: the first answer has a new nonce, as each process has its own, and the second is the answer.
    assert [answer.status for answer in other.crossed] == [401, 200]
    assert other.deliver() == 4
    assert [receipt.taken for receipt in other.receipts] == [True, True]
    other.store.close()


def of_gba_me(usim: SubscriberRecord) -> SubscriberRecord:
    """Return another subscriber, whose terminal keeps its keys."""
    settings = replace(usim.settings, uicc=UiccType.GBA, key_choice=KeyChoice.ME_BASED)
    return replace(usim, imsi=usim.imsi[:-1] + "8", impi=usim.impi.replace("6789@", "6788@"), settings=settings)


def test_a_csim_and_a_usim_at_the_same_server(tmp_path: Path) -> None:
    served, profile = Network(str(tmp_path / "a.db")), CardProfile.demo("csim")
    served.terminal.register(served.service_ids)
    served.deliver()
    csim = CsimMiddleware(InProcessLink(memory_card(profile, strict=True)), tables=P1, tags=DEFAULT_TAGS)
    csim.connect(profile.pins.pin1.value)
    client = served.client(CsimSession(csim, served.network.scenario.network.bsm_fqdn))
    assert [code.status for code in client.register(served.service_ids)] == [HTTPStatus.OK, HTTPStatus.OK]
    pushed = served.servers.pushes.due()
    for _ in served.service_ids:
        (datagram,) = pushed
        receipt = csim.deliver(datagram.payload)
        assert receipt.taken
        pushed = served.servers.pushes.received(Datagram(datagram.destination, BSM_PLACE, receipt.verification or b""))
    with served.store.database.transaction():
        assert served.servers.parts.books.registrations.count() == 2
        assert served.servers.parts.books.outbox.figures().outstanding == 0
    served.store.close()


def test_a_terminal_that_keeps_its_keys_gets_others_than_a_card(tmp_path: Path) -> None:
    """TS 33.220 clause 4.5, TS 33.246 clause 6.1: AUTN as it is, RES not flipped, MUK and MRK from Ks_NAF."""
    served = Network(str(tmp_path / "a.db"))
    impi = of_gba_me(record_of(CardProfile.demo())).impi
    bsf, bsm = served.network.bsf, served.network.bsm
    with served.store.database.transaction():
        challenge = bsf.challenge(impi)
        b_tid = bsf.complete(challenge.rand, bsf.expected_res(challenge.rand).reveal()).b_tid
        keys = bsf.naf_keys(served.network.scenario.network.bsm_fqdn, b_tid, bsm.naf_id, gba_u_aware=True)
        assert keys.uicc_key is None
        assert bsm.smk(b_tid) == keys.me_key
        assert bsm.srk(b_tid) == derive_ks_naf_mrk(keys.me_key)
        assert bsm.identity(b_tid) == impi
    served.store.close()


class _DiesError(Exception):
    """The power is gone."""


def test_a_registration_that_dies_at_any_statement_leaves_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Network(str(tmp_path / "a.db"))
    served.terminal.register(served.service_ids[:1])
    served.deliver()
    before, run, dies_at = served.dump(), served.store.database.run, 0
    done = 0

    def counting(statement: TextClause, values: Mapping[str, object] | None = None) -> CursorResult[Any]:
        nonlocal done
        done += 1
        if done == dies_at:
            raise _DiesError
        return run(statement, values)

    monkeypatch.setattr(served.store.database, "run", counting)
    while True:
        dies_at, done = dies_at + 1, 0
        try:
            codes = served.terminal.register(served.service_ids)
        except Exception:  # the terminal is told 503
            at, dies_at = dies_at, 0
            assert served.dump() == before
            dies_at = at
            continue
        assert [code.status for code in codes] == [HTTPStatus.OK, HTTPStatus.OK]
        break
    assert dies_at > 8
    dies_at = 0
    assert served.dump() != before
    assert served.deliver() == 4
    served.store.close()


def test_what_is_not_kept_does_not_go_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its T would be used again, and the card take the first for good; a letter that did not go is not crossed off."""
    served = Network(str(tmp_path / "a.db"))
    served.terminal.register(served.service_ids)
    pushes, database = served.servers.pushes, served.store.database
    place = Endpoint("127.0.0.9", 4359)
    with database.transaction():
        pushes.tell(place, b"a letter")
    before, real = served.dump(), database.transaction

    def failing(*which: int) -> None:
        """Have these of the transactions to come fail when they are to be kept, as where no room is left."""
        numbers, depth = itertools.count(), list[int | None]()

        @contextmanager
        def transaction() -> Iterator[Transaction]:
            number = next(numbers) if not depth else None  # one within another is part of it
            depth.append(number)
            try:
                with real() as opened:
                    yield opened
                    if number in which:
                        raise OSError("no room is left")
            finally:
                depth.pop()

        monkeypatch.setattr(database, "transaction", transaction)

    failing(1, 3)  # the first is for letters, the third looks for the lines to do one by one
    assert [datagram.payload for datagram in pushes.due()] == [b"a letter"]
    assert pushes.defects == 2
    monkeypatch.undo()
    assert {**served.dump(), "lines": None} == {**before, "lines": None}

    pushes.gone()
    with database.transaction():
        pushes.tell(place, b"another")
    served.clock.advance(61.0)
    failing(1, 3, 4)  # the line cannot even be set aside
    with pytest.raises(OSError, match="no room"):
        pushes.due()
    monkeypatch.undo()
    pushes.gone()
    served.clock.advance(61.0)
    again = pushes.due()
    assert [len(again), again[0].payload] == [2, b"another"]
    assert served.middleware.deliver(again[1].payload).taken
    served.store.close()
