"""Which announced server a terminal goes to, over real sockets, and what it takes of an announcement."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.ports import Rng
from host_tools.exchange.transport import Endpoint
from host_tools.guide.announce import AnnouncedService, Document, documents
from host_tools.guide.names import USD_TYPE
from host_tools.guide.sdp import MediaStream, SessionDescription
from host_tools.guide.security import KeyManagement
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.sessions.events import ClientNews, Event
from host_tools.sessions.online.servers import Announced, announced_at, announced_servers, choose_server
from host_tools.terminal.client.events import ServerPassedOver
from host_tools.terminal.client.waits import WaitingTime
from host_tools.terminal.client.way import Bsm
from host_tools.terminal.programme import Programme
from host_tools.terminal.reach import Reach

GROUP = MskName(bytes.fromhex("00f110"), bytes.fromhex("00010000"))
NAMED = Reach(Bsm("bsm.example"), 80, "", {}, "bsf.example")


class Heard:
    """Keeps which servers were passed over."""

    def __init__(self) -> None:
        self.passed: list[str] = []

    def emit(self, event: Event, /) -> None:
        match event:
            case ClientNews(ServerPassedOver(server)):
                self.passed.append(server)


@pytest.fixture
def rng() -> Rng:
    return SeededRng(Seeded("servers"), "draw")


@pytest.fixture
def listening() -> Iterator[Endpoint]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield Endpoint(*made.getsockname())


@pytest.fixture
def nobody() -> Iterator[Endpoint]:
    """A place where nobody listens, and nobody begins to: the port is taken."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        yield Endpoint(*made.getsockname())


def named(places: dict[str, Endpoint]) -> Reach:
    return replace(NAMED, places={"bsm.example": Endpoint("127.0.0.1", 9), **places})


def test_another_one_is_taken_where_one_is_not_reached(listening: Endpoint, nobody: Endpoint, rng: Rng) -> None:
    """TS 33.246 clause 6.3.2.1A. Whoever is drawn first, the one that listens is found."""
    here = named({"gone.example": nobody, "lost.example": nobody, "there.example": listening})
    servers = ("http://gone.example/", "http://lost.example:8080/kms", "http://there.example")
    reaches = announced_servers(servers, here, None)
    assert [reach.bsm.fqdn for reach in reaches] == ["gone.example", "lost.example", "there.example", "bsm.example"]
    assert reaches[1].bsm.base == "/kms"
    assert [reach.bsm.host for reach in reaches[:3]] == ["gone.example", "lost.example:8080", "there.example"]
    seen = set()
    for _ in range(20):
        heard = Heard()
        assert choose_server(reaches, here, (), rng, heard).bsm.fqdn == "there.example"
        seen.add(tuple(heard.passed))
    assert {frozenset(one) for one in seen} >= {frozenset(), frozenset(("gone.example", "lost.example"))}


def test_one_is_drawn_evenly_and_kept(listening: Endpoint, rng: Rng) -> None:
    here = named({"a.example": listening, "b.example": listening})
    reaches = announced_servers(("http://a.example", "http://b.example"), here, None)
    drawn = Counter(choose_server(reaches, here, (), rng, Heard()).bsm.fqdn for _ in range(100))
    assert set(drawn) == {"a.example", "b.example"}
    assert min(drawn.values()) > 25
    for kept in ("a.example", "b.example"):
        names = ("other.example", kept, "a.example", "b.example")
        assert choose_server(reaches, here, names, rng, Heard()).bsm.fqdn == kept


def test_the_bsm_of_the_network_file_is_drawn_as_others_where_it_is_announced(listening: Endpoint, rng: Rng) -> None:
    here = named({"a.example": listening, "bsm.example": listening})
    reaches = announced_servers(("http://a.example", "http://bsm.example"), here, None)
    assert here in reaches, "what is announced leads to the same port"
    drawn = Counter(choose_server(reaches, here, (), rng, Heard()).bsm.fqdn for _ in range(100))
    assert set(drawn) == {"a.example", "bsm.example"}
    assert min(drawn.values()) > 25


def test_the_bsm_of_the_network_file_is_the_last_resort(listening: Endpoint, nobody: Endpoint, rng: Rng) -> None:
    here = named({"gone.example": nobody, "bsm.example": listening})
    reaches, heard = announced_servers(("http://gone.example",), here, None), Heard()
    assert choose_server(reaches, here, (), rng, heard) is here
    assert heard.passed == ["gone.example"]
    nowhere = named({"gone.example": nobody, "bsm.example": nobody})
    with pytest.raises(TransportError, match="no connection to 127"):
        choose_server(announced_servers(("http://gone.example",), nowhere, None), nowhere, (), rng, heard)


def test_a_single_server_is_not_tried(nobody: Endpoint, rng: Rng) -> None:
    """Its own request tells: a connection that carries nothing would be one more."""
    here = named({"bsm.example": nobody})
    (only,) = announced_servers(("http://bsm.example/",), here, None)
    assert choose_server((only,), here, (), rng, Heard()) is only


def test_what_is_no_bsm_is_passed_over_and_https_stays_https() -> None:
    servers = ("ftp://a.example", "http://127.0.0.1/", "http://b.example:99999", "http://[", "http://b.example?x")
    assert announced_servers(servers, NAMED, None) == (NAMED,)
    assert Announced(servers).names() == ("a.example", "127.0.0.1", "b.example", "b.example")
    secure = replace(NAMED, bsm=replace(NAMED.bsm, tls=True))
    found = announced_servers(("http://plain.example", "https://secure.example"), secure, None)
    assert [reach.bsm.fqdn for reach in found] == ["secure.example", "bsm.example"]


@contextmanager
def announcing(*found: Document) -> Iterator[Endpoint]:
    """Serve the documents of an announcement, as a server of several names does for one of them alone."""

    class Guide(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_ours = self.headers["Host"].partition(":")[0] == "bsm.example"
            body = next((one.body for one in found if is_ours and self.path == f"/guide/{one.name}"), None)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Guide) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Endpoint("127.0.0.1", server.server_address[1])
        server.shutdown()
        thread.join()


def test_the_waiting_times_are_those_of_the_security_description() -> None:
    """TS 26.346 clause 11.3: offsetTime and randomTimePeriod, for the key group of the flow."""
    stream = MediaStream("audio", "239.1.1.1", 5004, 0, "PCMU/8000")
    management = KeyManagement(("http://a.example/", "http://b.example/"), 5, 10)
    made = list(documents(AnnouncedService("urn:x", "news", stream, 5006, GROUP, management)))
    usd = next(one for one in made if one.name == "usd.xml")
    with announcing(*made, Document("", USD_TYPE, usd.body)) as place:
        found = announced_at(named({"bsm.example": place}))
    assert found == Announced((), {GROUP: WaitingTime(5, 10)}, {"urn:x": (GROUP,)})


def test_an_item_of_several_services_has_the_groups_of_all_of_them() -> None:
    group, session = MskName(GROUP.key_domain_id, bytes.fromhex("00020000")), SessionDescription("x", ())
    one, two = Programme("one", session, ("1", "both"), (GROUP,)), Programme("two", session, ("2", "both"), (group,))
    assert Announced.of((one, two)).groups == {"1": (GROUP,), "2": (group,), "both": (GROUP, group)}


def test_a_bsm_without_an_announcement_says_nothing(nobody: Endpoint) -> None:
    with announcing() as place:
        assert announced_at(named({"bsm.example": place})) == Announced()
    assert announced_at(named({"bsm.example": nobody})) == Announced()
    assert announced_at(replace(NAMED, bsm=Bsm("bsm.example", tls=True))) == Announced()
