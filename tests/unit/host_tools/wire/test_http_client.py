"""The terminal's HTTP transport against servers that are odd, slow or hostile."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.transport import Endpoint
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.limits import ClientLimits
from tests.support.lab_tls import LabTls

LIMITS = ClientLimits(body_size=1000, whole=30.0)
QUICK = replace(LIMITS, whole=0.6)
"""For what is never answered whole; an answer that comes must not be judged by how busy the computer is."""
POST = HttpRequest("POST", "/a?b=c", (("Host", "bsm.example"), ("X-Odd", "caf\xe9")), b"\x00body")


@contextmanager
def scripted(*pieces: bytes, hold: bool = False, drip: bool = False) -> Iterator[tuple[Endpoint, bytearray]]:
    """Serve one connection with these octets; with `hold` it stays open, with `drip` the last piece never ends."""
    heard, ended = bytearray(), threading.Event()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                while not heard.endswith(b"body"):
                    piece = client.recv(65_536)
                    if not piece:
                        return
                    heard.extend(piece)
                try:
                    for piece in pieces:
                        client.sendall(piece)
                    while drip and not ended.wait(0.02):
                        client.sendall(pieces[-1])
                except OSError:
                    return  # the other end has had enough
                if hold:
                    ended.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Endpoint(*listening.getsockname()), heard
        finally:
            ended.set()
            thread.join(30)
            assert not thread.is_alive()


def ask(place: Endpoint, limits: ClientLimits = LIMITS) -> HttpResponse:
    return HttpTransport(place, limits=limits).exchange(POST)


def test_octets_of_a_request() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (place, heard):
        ask(place)
    head, _, body = bytes(heard).partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /a?b=c HTTP/1.1", b"Host: bsm.example", b"X-Odd: caf\xe9", b"Content-Length: 5", b"Connection: close",
    ]  # fmt: skip
    assert body == b"\x00body"


@pytest.mark.parametrize(
    ("rest", "body"),
    [
        (b"Content-Length: 2\r\n\r\nab", b"ab"),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a"),
        (b"\r\nto the end", b"to the end"),
    ],
)
def test_answers(rest: bytes, body: bytes) -> None:
    with scripted(b"HTTP/1.1 403 Not acceptable\r\nX: 1\r\nX: caf\xe9\r\n" + rest) as (place, _):
        answer = ask(place)
    assert (answer.status, answer.reason, answer.body) == (403, "Not acceptable", body)
    assert answer.all("x") == ("1", "caf\xe9")


def test_interim_answers_come_before_the_final_one() -> None:
    """RFC 7231 clause 6.2: any 1xx, as many as the server likes, asked for or not."""
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\nX: 0\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n",
    )
    with scripted(*interim, b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 2\r\n\r\nab") as (place, _):
        answer = ask(place)
    assert (answer.status, answer.all("X"), answer.body) == (200, ("1",), b"ab")


def test_another_protocol_is_an_answer() -> None:
    with scripted(b"HTTP/1.1 101 Switching Protocols\r\n\r\n") as (place, _):
        assert ask(place).status == 101


def test_a_folded_header_is_one_line() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\nX: a,\r\n b\r\nContent-Length: 0\r\n\r\n") as (place, _):
        assert ask(place).one("X") == "a,  b"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n",
    ],
)
def test_what_is_no_answer(octets: bytes) -> None:
    with scripted(octets) as (place, _), pytest.raises(TransportError, match="broke off"):
        ask(place)


def test_an_answer_that_is_too_large() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\n\r\n", bytes(1001)) as (place, _), pytest.raises(TransportError, match="1000"):
        ask(place)


@pytest.mark.parametrize(
    "pieces", [(), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",), (b"HTTP/1.1 200 OK\r\n", b"X")]
)
def test_a_server_that_falls_silent(pieces: tuple[bytes, ...]) -> None:
    with scripted(*pieces, hold=True) as (place, _), pytest.raises(TransportError, match=r"within 0\.6 s"):
        ask(place, QUICK)


@pytest.mark.parametrize("pieces", [(b"HTTP/1.1 200 OK\r\nX: ", b"a"), (b"HTTP/1.1 200 OK\r\n\r\n", b"a")])
def test_a_server_that_drips(pieces: tuple[bytes, ...]) -> None:
    with scripted(*pieces, drip=True) as (place, _), pytest.raises(TransportError, match=r"within 0\.6 s"):
        ask(place, QUICK)


def test_nobody_is_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        with pytest.raises(TransportError, match="no connection to 127"):
            ask(Endpoint(*taken.getsockname()))


def test_the_own_address_is_that_which_was_given() -> None:
    seen: list[str] = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            client, peer = listening.accept()
            seen.append(peer[0])
            client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(TransportError):
            HttpTransport(Endpoint(*listening.getsockname()), "127.0.0.9", LIMITS).exchange(POST)
        thread.join(30)
    assert seen == ["127.0.0.9"]


def test_the_bound_for_the_whole_holds_over_tls_too(tmp_path: Path) -> None:
    tls, ended = LabTls(tmp_path), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        client, _ = listening.accept()
        with suppress(OSError), tls.server("bsm.example").wrap_socket(client, server_side=True) as secured:
            secured.recv(65_536)
            secured.sendall(b"HTTP/1.1 200 OK\r\n")
            while not ended.wait(0.05):
                secured.sendall(b"X: y\r\n"[:1])

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        way = HttpTransport(
            Endpoint(*listening.getsockname()), limits=QUICK, tls=tls.terminal("terminal"), tls_name="bsm.example"
        )
        with pytest.raises(TransportError, match=r"within 0\.6 s"):
            way.exchange(POST)
    finally:
        ended.set()
        listening.close()
        thread.join(30)
    assert not thread.is_alive()
