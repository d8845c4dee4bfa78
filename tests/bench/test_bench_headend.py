"""Authenticated registrations over HTTP, against a bare aiohttp handler that does the same transaction.

    make bench        (or: pytest -m bench tests/bench/test_bench_headend.py -s)

The floor reads the request, runs the statements that one registration runs in one transaction on the same SQLite store,
and answers the same octets; it authenticates nobody and parses nothing. An empty handler answers them and does nothing.
Told are rates and their ratio (wanted: 0.5), by the clock and by the processor time of client and server together,
which suffers less on a busy machine; what it would bring to commit several requests at once; and what Ub runs, pushes
and one more stored subscriber cost. Nothing asserts a rate or the ratio: a loaded machine is no defect. Each answer is
checked.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import CursorResult, TextClause, text

from card import CardProfile
from card.crypto.secret import Secret
from host_tools.exchange.digest.compute import Asked, digest
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.transport import Peer
from host_tools.headend.bsm.books import Registered, Route
from host_tools.headend.bsm.orders import Order
from host_tools.headend.subscribers.personalised import record_of
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.wire.http_server import HttpSite
from host_tools.wire.metrics import Traffic
from host_tools.wire.system import SystemRng
from tests.bench.harness import measure_ratio
from tests.support.wire import TERMINAL
from tests.unit.host_tools.headend.store.test_served import Network

PAIRS, ROUNDS, WARM_UP = 8, 40, 20
TOGETHER = 16
WANTED = 0.5
SIZES = (10, 1_000, 100_000)
DROP = text("DELETE FROM orders WHERE identity = :identity AND place = :place")
Statement = tuple[TextClause, Mapping[str, object]]


class Prepared:
    """A network with one registered terminal, and requests of it that were made beforehand."""

    def __init__(self, folder: Path, count: int) -> None:
        self.network = Network(str(folder / "a.db"), SystemRng())  # as `headend serve`
        seen: list[HttpRequest] = []
        handle = self.network.handle

        def see(request: HttpRequest, peer: Peer) -> HttpResponse:
            seen.append(request)
            return handle(request, peer)

        self.network.handle = see  # type: ignore[method-assign]
        self.network.terminal.register(self.network.service_ids)
        self.network.deliver()
        self._last = seen[-1]
        self._shown = Credentials.parse(self._last.one("Authorization") or "")
        database = self.network.store.database
        with database.transaction():
            key = self.network.network.bsm.srk(self._shown.username)
        self._password = Secret(base64.b64encode(key.reveal()))
        asked = self.network.servers.ua.handle(replace(self._last, headers=_without(self._last)), TERMINAL)
        (challenge, *_) = Challenge.parse_all([asked.one("WWW-Authenticate") or ""])
        nonce = challenge.nonce
        self.requests = [self._request(nonce, count).encode() for count in range(1, count + 2)]
        self.statements: list[Statement] = []
        run = database.run

        def note(statement: TextClause, values: Mapping[str, object] | None = None) -> CursorResult[Any]:
            self.statements.append((statement, dict(values or {})))
            return run(statement, values)

        database.run = note  # type: ignore[method-assign]
        self.answer = self.network.servers.ua.handle(HttpRequest.decode(self.requests.pop(0)), TERMINAL)
        database.run = run  # type: ignore[method-assign]
        assert self.answer.status == 200

    def _request(self, nonce: str, count: int) -> HttpRequest:
        shown = replace(self._shown, nonce=nonce, nc=count)
        response = digest(shown.proof, self._password, Asked(self._last.method, shown.uri, self._last.body))
        header = ("Authorization", replace(shown, response=response).header_value())
        return replace(self._last, headers=(*_without(self._last), header))

    async def bare(self, request: web.BaseRequest) -> web.Response:
        """Do the same transaction; as in a registration that replaces another, orders go before others come."""
        await request.read()
        self.transact()
        return web.Response(status=self.answer.status, body=self.answer.body, headers=list(self.answer.headers))

    async def empty(self, request: web.BaseRequest) -> web.Response:
        """Do nothing."""
        await request.read()
        return web.Response(status=self.answer.status, body=self.answer.body, headers=list(self.answer.headers))

    def transact(self) -> None:
        """Run the statements of a registration, in a transaction of their own unless one is open."""
        database = self.network.store.database
        with database.transaction():
            for statement, values in self.statements:
                if statement.text.startswith("INSERT INTO orders"):
                    database.run(DROP, {"identity": values["identity"], "place": values["place"]})
                database.run(statement, values)


def _without(request: HttpRequest) -> tuple[tuple[str, str], ...]:
    return tuple(header for header in request.headers if header[0] != "Authorization")


@contextmanager
def served(prepared: Prepared) -> Iterator[tuple[int, int, int]]:
    """Serve the empty handler, the bare one and ours on three ports of one event loop."""
    ready, ports, ended = threading.Event(), list[int](), asyncio.Event()
    loop = asyncio.new_event_loop()

    def listen() -> socket.socket:
        made = socket.socket()
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        ports.append(made.getsockname()[1])
        return made

    async def run() -> None:
        runners = [web.ServerRunner(web.Server(one, access_log=None)) for one in (prepared.empty, prepared.bare)]
        for runner in runners:
            await runner.setup()
            await web.SockSite(runner, listen()).start()
        site = HttpSite(prepared.network.servers.ua, Traffic())
        await site.start(listen())
        ready.set()
        await ended.wait()
        await site.stop()
        for runner in runners:
            await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield ports[0], ports[1], ports[2]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(30)
        loop.close()


@contextmanager
def asking(port: int, requests: Iterator[bytes]) -> Iterator[Callable[[], None]]:
    """Yield what sends the next request on one connection and reads its answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:

        def ask() -> None:
            connection.sendall(next(requests))
            status, size = answers.readline(), 0
            assert b" 200 " in status, status
            while (line := answers.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            answers.read(size)

        yield ask


def test_registrations_against_a_bare_handler(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepared = Prepared(tmp_path, 2 * PAIRS * ROUNDS + WARM_UP)
    again = iter(lambda: prepared.requests[0], b"")
    sent = iter(prepared.requests)
    with (
        served(prepared) as (nothing, bare, ours),
        asking(nothing, again) as empty,
        asking(bare, again) as floor,
        asking(ours, sent) as other,
    ):
        ratio = measure_ratio(floor, other, pairs=PAIRS, rounds=ROUNDS, warm_up=WARM_UP)
        of_empty, of_bare, of_ours = processor_time(empty, floor, other)
    prepared.network.store.close()
    with capsys.disabled():
        print(
            f"\n{len(prepared.statements)} statements; bare {ratio.floor_rate:.0f}/s, "
            f"registrations {ratio.rate:.0f}/s, share {ratio.share:.2f} (wanted {WANTED})\n"
            f"CPU: empty {of_empty:.0f} us, bare {of_bare:.0f} us, registration {of_ours:.0f} us, "
            f"share of bare {of_bare / of_ours:.2f}, of empty {of_empty / of_ours:.2f}"
        )


def processor_time(*sides: Callable[[], None]) -> list[float]:
    """Return the processor time of a round of each side in us, the median of blocks that take turns."""
    blocks: list[list[float]] = [[] for _ in sides]
    for turn in range(PAIRS):
        for number, side in list(enumerate(sides))[:: 1 if turn % 2 else -1]:
            begun = time.process_time()
            for _ in range(ROUNDS):
                side()
            blocks[number].append((time.process_time() - begun) / ROUNDS * 1e6)
    return [median(times) for times in blocks]


def test_what_it_would_bring_to_commit_several_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepared = Prepared(tmp_path, 1)

    def together() -> None:
        with prepared.network.store.database.transaction():
            for _ in range(TOGETHER):
                prepared.transact()

    alone, grouped = processor_time(prepared.transact, together)
    prepared.network.store.close()
    with capsys.disabled():
        print(
            f"\na transaction of its own {alone:.0f} us, {TOGETHER} in one {grouped / TOGETHER:.0f} us each: "
            f"{1 - grouped / TOGETHER / alone:.0%} less"
        )


def test_what_one_more_stored_subscriber_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, have = Network(str(tmp_path / "a.db")), 0
    for size in SIZES:
        with network.store.database.transaction():
            network.store.subscribers.add(map(someone, range(have, size)))
        have = size
        picked = [number * 7919 % size for number in range(60)]
        bootstrapped, ordered, pushed = (
            median(times) for times in zip(*(walk(network, n) for n in picked), strict=True)
        )
        with capsys.disabled():
            print(
                f"\n{size} subscribers: Ub run {bootstrapped * 1e6:.0f} us, "
                f"register and order {ordered * 1e6:.0f} us, push {pushed * 1e6:.0f} us"
            )
    network.store.close()


DEMO = record_of(CardProfile.demo())


def someone(number: int) -> SubscriberRecord:
    """Return one of many subscribers."""
    return replace(DEMO, imsi=f"00101{number:010d}", impi=f"{number}@home.example")


def walk(network: Network, number: int) -> tuple[float, float, float]:
    """Bootstrap a subscriber, register it and push an LTKM to it; return how long each took, in seconds."""
    bsf, database, impi = network.network.bsf, network.store.database, f"{number}@home.example"
    times = [time.perf_counter()]
    with database.transaction():
        rand = bsf.challenge(impi).rand
    with database.transaction():
        b_tid = bsf.complete(rand, bsf.expected_res(rand).reveal()).b_tid
    times.append(time.perf_counter())
    route = Route("127.0.0.2", b_tid)
    with database.transaction():
        network.servers.parts.books.registrations.put(impi, Registered(network.service_ids, route))
        network.servers.pushes.order(impi, route, [Order.for_pull("one")])
    times.append(time.perf_counter())
    assert network.servers.pushes.due()
    times.append(time.perf_counter())
    first, second, third, fourth = times
    return second - first, third - second, fourth - third
