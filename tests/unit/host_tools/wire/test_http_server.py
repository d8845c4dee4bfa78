"""The HTTP server against clients that are slow, large, odd or hostile: raw octets on real sockets."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.procedures import REGISTRATION
from host_tools.exchange.transport import Endpoint, Peer, Server
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from host_tools.wire.http_server import HttpSite
from host_tools.wire.limits import ServerLimits
from host_tools.wire.metrics import Traffic
from host_tools.wire.streams import StreamingServer
from tests.support.head_end import head_end

CALM = ServerLimits(body_size=1000)
QUICK = replace(CALM, idle=0.5, body=0.5, answer=0.5, linger=0.1)
"""For clients that are to be cut off."""
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
_MOST_SECONDS = 30.0


@dataclass
class Noting:
    """Answers with what a test wants, and keeps what it was asked."""

    make: Callable[[HttpRequest], HttpResponse] = lambda _: HttpResponse(200, (), b"fine")
    asked: list[tuple[HttpRequest, Peer]] = field(default_factory=list)

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        self.asked.append((request, peer))
        return self.make(request)


@dataclass
class Site:
    place: tuple[str, int]
    traffic: Traffic
    followed: list[int]

    def connect(self) -> socket.socket:
        return socket.create_connection(self.place, _MOST_SECONDS)

    def say(self, octets: bytes) -> bytes:
        """Send octets and return all that comes until the server closes."""
        with self.connect() as client:
            client.sendall(octets)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    found = bytearray()
    try:
        while piece := client.recv(65_536):
            found += piece
    except ConnectionResetError:
        pass
    return bytes(found)


@contextmanager
def site(server: Server | StreamingServer, limits: ServerLimits = CALM) -> Iterator[Site]:
    """Serve on a free port, in a thread."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.setblocking(False)
    found = Site(listening.getsockname(), Traffic(), [])
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        ended = asyncio.Event()
        served = HttpSite(server, found.traffic, limits, lambda: found.followed.append(1))
        await served.start(listening)
        ready.set_result((asyncio.get_running_loop(), ended))
        await ended.wait()
        await served.stop()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    loop, ended = ready.result(_MOST_SECONDS)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(_MOST_SECONDS)
        assert not thread.is_alive()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_request_arrives_as_it_was_sent() -> None:
    server = Noting()
    head = b"POST /a/b?c=%2B&d HTTP/1.1\r\nHost: a\r\nUser-Agent:3gpp-gba=1/x;y=2\r\nX-Odd: caf\xe9\r\nX-Odd:2\r\n"
    with site(server) as found:
        answer = found.say(head + b"Content-Length: 3\r\nConnection: close\r\n\r\n\x00\xff\n")
    assert status(answer) == 200
    ((request, peer),) = server.asked
    assert (request.method, request.target, request.body) == ("POST", "/a/b?c=%2B&d", b"\x00\xff\n")
    assert request.all("x-odd") == ("caf\xe9", "2")
    assert request.one("User-Agent") == "3gpp-gba=1/x;y=2"
    assert peer.address == "127.0.0.1"
    assert peer.certificate is None


def test_an_answer_goes_out_as_it_was_made() -> None:
    made = HttpResponse(403, (("X-One", "1"), ("X-One", "2"), ("Content-Type", "a/b")), b"body", "Not acceptable")
    with site(Noting(lambda _: made)) as found:
        answer = found.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 Not acceptable\r\n")
    assert head.count(b"X-One: ") == 2
    assert b"Content-Type: a/b" in head
    assert body == b"body"
    assert found.traffic.answers == {403: 1}


def test_what_follows_an_answer_comes_behind_it() -> None:
    """A client that has read the answer to its second request: the first one was followed by then."""
    with site(Noting()) as found, found.connect() as client:
        client.sendall(GET)
        assert client.recv(4096).endswith(b"fine")
        client.sendall(GET)
        assert client.recv(4096).endswith(b"fine")
        assert len(found.followed) >= 1


def test_pieces_are_put_together_and_stay_bounded() -> None:
    server = Noting()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with site(server) as found:
        assert status(found.say(head + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")) == 200
        assert status(found.say(head + b"1f4\r\n" + bytes(500) + b"\r\n1f5\r\n" + bytes(501) + b"\r\n0\r\n\r\n")) == 413
    assert [request.body for request, _ in server.asked] == [b"abc"]


def test_a_body_of_the_largest_size_and_one_octet_more() -> None:
    server = Noting()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: "
    with site(server) as found:
        assert status(found.say(head + b"1000\r\n\r\n" + bytes(1000))) == 200
        assert status(found.say(head + b"1001\r\n\r\n")) == 413
        assert status(found.say(head + b"99999999999999\r\n\r\n")) == 413
    assert len(server.asked) == 1


def test_a_packed_body_is_not_unpacked() -> None:
    server = Noting()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
    with site(server) as found:
        assert status(found.say(head + b"\x1f\x8b")) == 200
    assert server.asked[0][0].body == b"\x1f\x8b"


@pytest.mark.parametrize(
    "octets",
    [
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_heads_that_cannot_be_used(octets: bytes) -> None:
    server = Noting()
    with site(server) as found:
        assert status(found.say(octets)) == 400
    assert server.asked == []
    assert found.traffic.defects == 0


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    server = Noting()
    with site(server, QUICK) as found:
        answer = found.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
    assert status(answer) == 408
    assert b"connection: close" in answer.lower()
    assert (server.asked, found.traffic.cut) == ([], 1)


def test_a_body_that_is_held_back_is_asked_for() -> None:
    """RFC 7231 clause 5.1.1: the client waits for 100, or for the answer where the body is not wanted."""
    server = Noting()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: "
    with site(server) as found, found.connect() as client:
        client.sendall(head + b"3\r\n\r\n")
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        client.sendall(head + b"1001\r\n\r\n")
        assert status(client.recv(4096)) == 413
    assert [request.body for request, _ in server.asked] == [b"abc"]


@pytest.mark.parametrize(
    "octets",
    [
        b"POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    ],
)
def test_who_holds_nothing_back_is_told_nothing(octets: bytes) -> None:
    with site(Noting()) as found:
        assert status(found.say(octets)) == 200


@pytest.mark.parametrize("octets", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_who_says_nothing_is_cut_off(octets: bytes) -> None:
    with site(Noting(), QUICK) as found:
        assert found.say(octets) == b""


def test_who_reads_nothing_is_cut_off() -> None:
    big = HttpResponse(200, (), bytes(32 << 20))
    with site(Noting(lambda _: big), QUICK) as found, found.connect() as client:
        client.sendall(GET)
        with site(Noting()) as other:  # meanwhile others are served
            assert status(other.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) == 200
        until_cut(found)
        assert len(read_all(client)) < len(big.body)


def until_cut(found: Site) -> None:
    """Wait until the server has cut somebody off."""
    ended = threading.Event()
    for _ in range(600):
        if found.traffic.cut:
            return
        ended.wait(0.05)
    raise AssertionError("nobody was cut off")


def test_more_connections_than_there_may_be() -> None:
    with site(Noting(), ServerLimits(connections=2)) as found, found.connect() as one, found.connect() as two:
        for client in (one, two):
            client.sendall(GET)
            assert status(client.recv(4096)) == 200
        assert status(found.say(GET)) == 503


def test_a_server_that_raises_is_counted_and_says_nothing() -> None:
    def fail(_request: HttpRequest) -> HttpResponse:
        raise RuntimeError("a secret")

    with site(Noting(fail)) as found:
        answer = found.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert status(answer) == 503
    assert b"secret" not in answer
    assert found.traffic.defects == 1


@pytest.mark.parametrize("value", ["a\r\nX-Smuggled: 1", "\xe4", "\x00"])
def test_a_header_that_cannot_go_out_is_a_defect(value: str) -> None:
    with site(Noting(lambda _: HttpResponse(200, (("X", value),)))) as found:
        answer = found.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert status(answer) == 503
    assert b"Smuggled" not in answer
    assert found.traffic.defects == 1


def test_a_thousand_hostile_requests_are_no_defect() -> None:
    """Good requests to each server with octets changed, left out, doubled or put in, from a seed."""
    rng = random.Random(13)
    body = Registration((SERVICE_PREFIX + "one",)).encode()
    challenge = 'Digest username="u", realm="r", nonce="bm9uY2U=", uri="/", response="", qop=auth-int, nc=00000001'
    good = [
        REGISTRATION.build("bsm", body, (("Authorization", challenge), ("User-Agent", "3gpp-gba"))).encode(),
        REGISTRATION.build("bsm", body, (("User-Agent", "3gpp-gba"),)).encode(),
        HttpRequest("GET", "/", (("Host", "b"), ("Authorization", challenge))).encode(),
        HttpRequest("GET", "/metrics", (("Host", "b"),)).encode(),
    ]
    with head_end(limits=ServerLimits(idle=1.0, body=0.5, linger=0.1)) as served:
        network = served.running.network
        places = [network.bsf.endpoint, network.bsm.endpoint, network.others["metrics"].endpoint]
        sent = [(places[number % 3], mutated(rng.choice(good), rng)) for number in range(1000)]
        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(lambda one: send(*one), sent))
        assert served.defects == 0
        assert status(send(network.bsm.endpoint, good[1])) == 401
    statuses = Counter(status(answer) for answer in answers if answer)
    assert {400, 401, 403, 404} <= statuses.keys()
    assert not statuses.keys() & {500, 503}
    assert statuses.total() > 900


def send(place: Endpoint, octets: bytes) -> bytes:
    """Send octets and no more, and return what comes until the server closes."""
    with socket.create_connection((place.address, place.port), _MOST_SECONDS) as client:
        client.sendall(octets)
        return read_all(client)


def mutated(octets: bytes, rng: random.Random) -> bytes:
    changed = bytearray(octets)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed))
        match rng.randrange(4):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                del changed[at : at + rng.randint(1, 20)]
            case 2:
                changed[at:at] = changed[at : at + rng.randint(1, 40)]
            case _:
                changed[at:at] = rng.randbytes(rng.randint(1, 8))
        changed = changed or bytearray(b"\r\n")
    return bytes(changed)


def test_hostile_datagrams_are_dropped_and_counted() -> None:
    rng = random.Random(13)
    with head_end() as served, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        place = served.running.network.push
        pushes = served.running.servers.pushes
        for number in range(200):
            client.sendto(rng.randbytes(rng.randint(0, 1500)), (place.address, place.port))
            for _ in range(600):
                if served.call(lambda: pushes.dropped) > number:
                    break
        assert served.call(lambda: (pushes.dropped, pushes.acknowledged)) == (200, 0)
        assert served.defects == 0
