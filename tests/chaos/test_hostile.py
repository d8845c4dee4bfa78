"""Hostile requests and datagrams by the ten thousand: no exception that nobody expected, and memory that stays flat.

Most go to the servers as octets, in the thread that serves; every tenth goes over a socket. Good messages are damaged
from a seed: before authentication, and behind a right digest over the damaged body, so that what parses bodies is met.
At night it is a million, each with a number of its own.
"""

from __future__ import annotations

import base64
import gc
import random
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.digest.client import DigestClient, FixedPassword
from host_tools.exchange.digest.compute import Asked
from host_tools.exchange.digest.headers import Challenge
from host_tools.exchange.http import HttpRequest
from host_tools.exchange.messages import zn_json, zn_soap
from host_tools.exchange.messages.msk import MskName, MskRequest
from host_tools.exchange.messages.orders import RenewalRequest, ServiceRequest, UnsubscribeRequest
from host_tools.exchange.messages.pricing import PricingRequest
from host_tools.exchange.messages.registration import Deregistration, Registration
from host_tools.exchange.messages.tokens import AccountInquiry, KeyWish, PurseKind, TokenPurchaseRequest, Tokens
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.messages.zn import ZnRequest
from host_tools.exchange.names import gba_realm
from host_tools.exchange.procedures import (
    BOOTSTRAPPING,
    DEREGISTRATION,
    MSK_REQUEST,
    REGISTRATION,
    SERVICE_REQUEST,
    ZN_JSON,
    ZN_SOAP,
    Procedure,
)
from host_tools.exchange.transport import Datagram, Endpoint, Peer, Server
from host_tools.headend.http.rates import Rates
from host_tools.headend.store.store import Store
from host_tools.wire.limits import ServerLimits
from host_tools.wire.system import SystemClock, SystemRng
from tests.flows import offers
from tests.flows.offers import FILM, ITEM1, TOKENS
from tests.support.chaos.sheet import Sheet
from tests.support.flows import PUSH, VERIFICATION, RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end
from tests.support.live import wait_until
from tests.support.mutation import damaged
from tests.support.postgresql import PostgreSql

_MOST_MORE = 20 << 20
_PEER = Peer("127.0.0.9", 4711)
_BATCH = 250
_PATIENCE = 300.0
_KINDS = 5
"""What a message is goes by the number modulo this; which of its kind by the rest of the number."""
_AT_A_TIME = 16
"""Datagrams on the way at a time: no socket's buffer is too small for these."""
_A_MILLION = (("memory", 0, 450_000), ("sqlite", 450_000, 450_000), ("postgresql", 900_000, 100_000))


def _bodies(served: HeadEnd) -> list[tuple[Procedure, bytes]]:
    key = served.call(lambda: served.network.bsm.keys("pay")[0])
    name = MskName(key.key_domain_id, key.msk_id)
    orders = (
        ServiceRequest("h-1", (ITEM1, FILM)),
        RenewalRequest("h-2", (ITEM1,)),
        UnsubscribeRequest("h-3", (ITEM1,)),
        PricingRequest("h-4", (ITEM1,)),
        AccountInquiry("h-5"),
        TokenPurchaseRequest("h-6", (TOKENS,), (KeyWish(key.key_domain_id + key.msk_id, 1, 2),)),
        TokenPurchaseRequest("h-7", tokens=Tokens(PurseKind.USER, 5)),
    )
    return [
        (REGISTRATION, Registration((ITEM1.service_id, FILM.service_id)).encode()),
        (DEREGISTRATION, Deregistration((ITEM1.service_id,)).encode()),
        (MSK_REQUEST, MskRequest((name,)).encode()),
        *((SERVICE_REQUEST, one.encode()) for one in orders),
    ]


@dataclass
class Attack:
    """What is sent where; the same number is the same message."""

    served: HeadEnd
    terminal: RawTerminal
    datagrams: list[bytes]

    def __post_init__(self) -> None:
        servers, log = self.served.running.servers, self.terminal.log
        self._good = _bodies(self.served)
        fqdn, agent = log.fqdn, ("User-Agent", self.terminal.agent)
        challenge = f'Digest username="{log.b_tid}", realm="{gba_realm(fqdn)}", nonce="bm9uY2U=", uri="/", response="'
        shown = ("Authorization", challenge + '0" qop=auth-int, nc=00000001, cnonce="a"')
        plain = [procedure.build(fqdn, body, (agent,)).encode() for procedure, body in self._good]
        forged = [procedure.build(fqdn, body, (agent, shown)).encode() for procedure, body in self._good]
        impi = self.served.network.subscriber.impi
        bsf = f'Digest username="{impi}", realm="bsf", nonce="", uri="/", response=""'
        ub = [
            BOOTSTRAPPING.build("bsf", b"", (("Authorization", bsf),)).encode(),
            BOOTSTRAPPING.build("bsf", b"", (("Authorization", bsf + ', auts="AAAAAAAAAAAAAAAAAAA="'),)).encode(),
        ]
        asked = ZnRequest(log.b_tid, self.served.network.bsm.naf_id, True)
        zn = [
            ZN_JSON.build("bsf", zn_json.encode_request(asked)).encode(),
            ZN_SOAP.build("bsf", zn_soap.encode_request(asked)).encode(),
        ]
        self.places: dict[str, tuple[Server, Peer, list[bytes]]] = {
            "Ub": (servers.ub, _PEER, ub),
            "Ua": (servers.ua, _PEER, plain + forged),
            "Zn": (servers.zn, replace(_PEER, certificate=fqdn), zn),
        }
        self._digest: DigestClient | None = None

    def octets(self, number: int) -> bool:
        """Send one damaged request to one server as octets; return whether it could be read as a request."""
        server, peer, good = list(self.places.values())[number // _KINDS % len(self.places)]
        try:
            request = HttpRequest.decode(damaged(good, number))
        except DecodeError:
            server.handle(_damaged_part(HttpRequest.decode(good[number % len(good)]), number), peer)
            return False
        server.handle(request, peer)
        return True

    def signed(self, number: int) -> int:
        """Send a damaged body under a right digest; return the status."""
        procedure, body = self._good[number // _KINDS % len(self._good)]
        agent = ("User-Agent", self.terminal.agent)
        request = procedure.build(self.terminal.log.fqdn, damaged([body], number), (agent,))
        ua = self.served.running.servers.ua
        if self._digest is None or not self._digest.can_answer:
            self._challenge(request)
        assert self._digest is not None
        shown = self._digest.authorise(Asked(request.method, request.target, request.body))
        sent = replace(request, headers=(*request.headers, ("Authorization", shown.header_value())))
        answer = ua.handle(sent, _PEER)
        if answer.status == 401:
            self._digest = None
        return answer.status

    def _challenge(self, request: HttpRequest) -> None:
        refused = self.served.running.servers.ua.handle(request, _PEER)
        (challenge,) = Challenge.parse_all(refused.all("WWW-Authenticate"))
        password = FixedPassword(Secret(base64.b64encode(self.terminal.log.srk)))
        self._digest = DigestClient(self.terminal.log.b_tid, password, SystemRng())
        self._digest.challenged(challenge, challenge.realm)

    def datagram(self, number: int) -> None:
        """Give the push port a damaged verification message, trigger or LTKM."""
        self.served.running.servers.pushes.received(
            Datagram(Endpoint("127.0.0.9", 2269), self.served.running.network.push, damaged(self.datagrams, number))
        )


def _damaged_part(request: HttpRequest, number: int) -> HttpRequest:
    """Damage one part of a request that whatever reads HTTP would let pass."""
    chance = random.Random(number)
    match chance.randrange(4):
        case 0:
            return replace(request, body=damaged([request.body or b"x"], number))
        case 1:
            return replace(request, target=damaged([request.target.encode()], number).decode("latin-1"))
        case 2:
            return replace(request, method=chance.choice(("GET", "PUT", "DELETE", "", "OPTIONS")))
        case _:
            at = chance.randrange(len(request.headers))
            name, value = request.headers[at]
            spoilt = (name, damaged([value.encode()], number).decode("latin-1"))
            return replace(
                request, headers=(*request.headers[:at], spoilt, *request.headers[at + chance.randrange(2) :])
            )


def _rss() -> int:
    """Octets of memory that this process holds now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture
def attack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Attack]:
    """A head-end, and a terminal that has bought something, so that there is something to ask about."""
    store = None
    if request.param == "sqlite":
        store = Store.connect(str(tmp_path / "a.db"))
    elif request.param == "postgresql":
        server: PostgreSql = request.getfixturevalue("postgresql")
        store = Store.connect(server.database())
    limits = ServerLimits(idle=1.0, body=0.5, linger=0.1)
    plan, sold = offers.scenario(), offers.catalogue()
    with (
        head_end(scenario=plan, catalogue=sold, store=store, limits=limits) as served,
        raw_terminal(served) as terminal,
    ):
        bought = terminal.ask(SERVICE_REQUEST, ServiceRequest("good-1", (ITEM1,)).encode())
        assert bought.status == 200
        # Else Ub refuses all but the first few of a minute before it has looked at them.
        served.running.servers.ub._rates = Rates(1 << 30, timedelta(days=1), SystemClock())
        assert terminal.take(1) == 1
        crossed = [one.octets for one in terminal.log.crossed if one.kind in (PUSH, VERIFICATION)]
        trigger = Trigger("t-1", "http://bsm.example.org/", (ITEM1,)).encode()
        yield Attack(served, terminal, [*crossed, trigger])
    if store is not None:
        store.close()


def _assault(attack: Attack, sheet: Sheet, caplog: pytest.LogCaptureFixture, first: int, most: int) -> None:
    """Send so many in batches, from this number on, and see that the server has not grown since the first tenth."""
    counts, before = Counter[str](), 0
    for start in range(0, most, _BATCH):
        counts += attack.served.call(partial(_batch, attack, first + start))
        caplog.clear()  # or pytest grows, which keeps every line of the log
        if start <= most // 10 < start + _BATCH:
            before = _rss()
        sheet.hostile += _BATCH
        sheet.defects = attack.served.defects
        assert sheet.defects == 0, f"{sheet.defects} defects before number {first + start + _BATCH}"
    more = _rss() - before
    print(f"\n{most} hostile messages: {dict(counts)}; {more / (1 << 20):.1f} MB more than after the first tenth")
    assert more < _MOST_MORE
    assert counts["signed, 400"] > counts.total() / 20, "what parses bodies was met"


def _batch(attack: Attack, start: int) -> Counter[str]:
    counts = Counter[str]()
    for number in range(start, start + _BATCH):
        match number % _KINDS:
            case 0 | 1:
                counts["read as a request" if attack.octets(number) else "no request"] += 1
            case 2 | 3:
                counts[f"signed, {attack.signed(number)}"] += 1
            case _:
                attack.datagram(number)
                counts["datagrams"] += 1
    return counts


@pytest.mark.parametrize("attack", ["memory", "sqlite"], indirect=True)
def test_hostile_messages(attack: Attack, sheet: Sheet, caplog: pytest.LogCaptureFixture) -> None:
    _assault(attack, sheet, caplog, 0, 4_500)


@pytest.mark.nightly
@pytest.mark.parametrize(("attack", "first", "most"), _A_MILLION, indirect=["attack"])
def test_a_million_hostile_messages(
    attack: Attack, first: int, most: int, sheet: Sheet, caplog: pytest.LogCaptureFixture
) -> None:
    _assault(attack, sheet, caplog, first, most)


@pytest.mark.parametrize(
    ("attack", "requests", "datagrams"),
    [("memory", 110, 170), ("sqlite", 110, 170), pytest.param("sqlite", 25_000, 25_000, marks=pytest.mark.nightly)],
    indirect=["attack"],
)
def test_hostile_messages_over_sockets(attack: Attack, requests: int, datagrams: int, sheet: Sheet) -> None:
    """Over real sockets: so many to every TCP port, and to the port of acknowledgements."""
    network = attack.served.running.network
    goods = {"bsf": attack.places["Ub"][2], "bsm": attack.places["Ua"][2]}
    places = {"bsf": network.bsf.endpoint, "bsm": network.bsm.endpoint, "metrics": network.others["metrics"].endpoint}

    def send(number: int) -> int:
        return sum(bool(_send(end, damaged(goods.get(role, goods["bsm"]), number))) for role, end in places.items())

    with ThreadPoolExecutor(24) as pool:
        answers = sum(pool.map(send, range(requests)))
    assert answers > requests * len(places) / 2
    pushes = attack.served.running.servers.pushes
    before = pushes.dropped + pushes.acknowledged
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number in range(datagrams):
            client.sendto(damaged(attack.datagrams, number)[:1500], (network.push.address, network.push.port))
            if number % _AT_A_TIME == 0 or number == datagrams - 1:
                due = before + number + 1
                wait_until(lambda due=due: pushes.dropped + pushes.acknowledged + pushes.defects >= due)  # type: ignore[misc]
    sheet.hostile += requests * len(places) + datagrams
    sheet.defects = attack.served.defects
    assert sheet.defects == 0


def _send(place: Endpoint, octets: bytes) -> bytes:
    """Send octets and no more, and return what comes until the server closes or thinks of something else."""
    found = bytearray()
    try:
        with socket.create_connection((place.address, place.port), _PATIENCE) as client:
            client.sendall(octets)
            while piece := client.recv(65_536):
                found += piece
    except ConnectionError:  # reset, before or behind an answer
        pass
    return bytes(found)
