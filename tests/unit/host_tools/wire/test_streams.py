"""Answers without an end on real sockets: what is heard arrives, and nothing holds on to a client that has gone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.transport import Peer
from host_tools.wire.streams import Leave, Listener, Streamed, event
from tests.unit.host_tools.wire.test_http_server import CALM, GET, read_all, site, status

QUICK = replace(CALM, heartbeat=0.05, streams=2, stream_backlog=4)
_MOST_SECONDS = 20.0


@dataclass
class Telling:
    """Answers every request with a stream; `first` is what a listener hears at once."""

    first: bytes = event("hello", "you", 1)
    listeners: list[Listener] = field(default_factory=list)
    left: int = 0

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse | Streamed:
        del request, peer
        return Streamed(self._listen)

    def _listen(self, listener: Listener) -> Leave:
        self.listeners.append(listener)
        listener(self.first)

        def leave() -> None:
            self.left += 1

        return leave


def until(is_so: object) -> None:
    """Wait for a condition."""
    assert callable(is_so)
    end = time.monotonic() + _MOST_SECONDS
    while not is_so():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.01)


def test_what_an_event_looks_like() -> None:
    assert event("a", "one\ntwo", 7) == b"event: a\nid: 7\ndata: one\ndata: two\n\n"
    assert event("", "") == b"data: \n\n"


def test_what_is_heard_arrives_and_the_server_ends_the_stream() -> None:
    server = Telling()
    with site(server, QUICK) as found:
        client = found.connect()
        client.sendall(GET)
        heard = bytearray()
        while b"still here" not in heard:  # something, and then a sign of life
            heard += client.recv(4096)
    assert status(bytes(heard)) == 200
    assert b"Content-Type: text/event-stream" in heard
    assert b"event: hello\nid: 1\ndata: you\n\n" in heard
    assert read_all(client).endswith(b"0\r\n\r\n")  # ended in order when the site stopped
    client.close()
    assert server.left == 1
    assert found.traffic.answers == {200: 1}


def test_who_leaves_is_forgotten_and_makes_room() -> None:
    server = Telling()
    with site(server, QUICK) as found:
        clients = [found.connect() for _ in range(2)]
        for client in clients:
            client.sendall(GET)
            client.recv(1)
        assert status(found.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) == 503
        for client in clients:
            client.close()
        until(lambda: server.left == 2)
        with found.connect() as again:
            again.sendall(GET)
            assert again.recv(12) == b"HTTP/1.1 200"


def test_who_does_not_keep_up_is_let_go() -> None:
    server = Telling(first=b"")
    with site(server, replace(QUICK, heartbeat=_MOST_SECONDS, answer=0.2)) as found, found.connect() as client:
        client.sendall(GET)
        until(lambda: server.listeners)
        piece = bytes(4_000_000)
        for _ in range(10):
            server.listeners[0](piece)  # more than the socket and the backlog take
        until(lambda: server.left == 1)
    assert found.traffic.defects == 0
