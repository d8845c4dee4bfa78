"""A broadcast on real sockets: what two listeners hear is what `headend record` writes, and so is what it keeps."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from card.spec.bcast.p1 import P1
from host_tools.content.captures.pcap import open_capture
from host_tools.exchange.http import HttpRequest
from host_tools.exchange.procedures import ANNOUNCEMENT
from host_tools.exchange.transport import Endpoint, Peer, Server
from host_tools.guide.entry import ServiceEntry, by_usd
from host_tools.headend.bsda.slots import MediaSlot
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.catalogue.items import Waiting
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.stkm_shelf import StkmShelf
from host_tools.headend.on_air import transmitter
from host_tools.headend.on_air.announcing import Names
from host_tools.headend.on_air.beside import AirBeside
from host_tools.headend.on_air.broadcast import AirPlan, OnAir
from host_tools.headend.on_air.lateness import Lateness
from host_tools.headend.on_air.outlets import Places, unicast_places
from host_tools.headend.on_air.queue import SendQueue
from host_tools.headend.on_air.sek_supply import add_seks
from host_tools.headend.scenario.maker import make_keys
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record
from host_tools.headend.scenario.timetable import Timetable
from host_tools.headend.sealing import MikeySealer
from host_tools.wire.system import SystemClock
from tests.support.free_ports import free_ports

DEMO = shipped_scenario("demo")
SHORT = replace(DEMO, duration=8000, view=None, events=DEMO.events[:0])
NEAR, FAR, OTHER = Endpoint("127.0.0.5", 6000), Endpoint("127.0.0.6", 7000), Endpoint("127.0.0.5", 8000)
IDS = {service.id: f"urn:{service.id}" for service in DEMO.services}


def expected() -> list[tuple[str, int, bytes]]:
    with io.BytesIO(record(SHORT, tables=P1).pcap) as file:
        from host_tools.content.captures.pcap import CaptureReader

        reader = CaptureReader(file, "expected", 0)
        return [(one.destination.host, one.destination.port, one.payload) for one in reader]


class Ears:
    """Sockets of one listener, a port for each stream."""

    def __init__(self, address: str) -> None:
        # A port from which eight are free, as a broadcast counts from it.
        for first in range(20_000, 60_000, 8):
            self.sockets: list[socket.socket] = []
            try:
                for port in range(first, first + 8, 2):
                    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    self.sockets.append(opened)
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
                    opened.bind((address, port))
                    opened.setblocking(False)
            except OSError:
                self.close()
                continue
            self.place = Endpoint(address, first)
            return
        raise AssertionError("no free ports")

    def close(self) -> None:
        for opened in self.sockets:
            opened.close()

    def heard(self) -> list[list[bytes]]:
        return [list(self._drain(opened)) for opened in self.sockets]

    def _drain(self, opened: socket.socket) -> Iterator[bytes]:
        while True:
            try:
                yield opened.recv(2000)
            except BlockingIOError:
                return


@pytest.fixture
def ears() -> Iterator[tuple[Ears, Ears]]:
    two = Ears("127.0.0.5"), Ears("127.0.0.6")
    yield two
    for one in two:
        one.close()


def back_end() -> BackEnd:
    return BackEnd(make_keys(SHORT), MikeySealer)


def play(plan: AirPlan, late: float = 0.0) -> OnAir:
    """Let a broadcast run to its end; it began `late` seconds ago by the time of the broadcast.

    All of it is sent, also what a busy computer sends too late for anybody who listens.
    """

    async def run() -> OnAir:
        ended, now = asyncio.Event(), datetime.now(UTC)
        began = now - timedelta(seconds=late / plan.speed) + timedelta(milliseconds=SHORT.stkm.lead / plan.speed)
        made = OnAir(SHORT, plan, began, back_end(), P1, ended.set)
        try:
            made.start(now)
            async with asyncio.timeout(60):
                await ended.wait()
        finally:
            made.close()
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transmitter, "_OVER", 60.0)
        return asyncio.run(run())


def test_two_listeners_and_the_file_have_all_of_it(ears: tuple[Ears, Ears], tmp_path: Path) -> None:
    wanted, kept = expected(), tmp_path / "air.pcapng"
    plan = AirPlan(speed=20, listeners=tuple(one.place for one in ears), record=kept)
    made = play(plan)
    by_stream = {
        (address, port): [one[2] for one in wanted if one[:2] == (address, port)] for address, port, _ in wanted
    }
    in_order = [
        by_stream[service.address, port] for service in SHORT.services for port in (service.port, SHORT.stkm.port)
    ]
    for one in ears:
        assert one.heard() == in_order
    with open_capture(kept) as reader:
        found = [(one.destination.host, one.destination.port, one.payload) for one in reader]
    assert found == wanted
    assert made.transmitter is not None
    assert sum(made.transmitter.sent.values()) == len(wanted) == made.transmitter.lateness.count
    assert (made.outlet.refused.total(), made.defects()) == (0, 0)
    text = "".join(metric.text() for metric in made.metrics())
    assert 'bcast_uicc_air_packets_total{service="tone-a",kind="media"} 400' in text


def test_one_that_begins_in_the_middle_goes_on_as_if_it_had_run(ears: tuple[Ears, Ears]) -> None:
    plan = AirPlan(speed=20, listeners=(ears[0].place,))
    play(plan, late=5.0)
    media, stkms = ears[0].heard()[:2]
    service = SHORT.services[0]
    wanted = [one[2] for one in expected() if one[:2] == (service.address, service.port)]
    assert len(media) < 400 - 5.0 / 0.02 + 20
    assert media == wanted[-len(media) :]
    assert stkms


def test_the_clock_file_goes_on_and_is_refused_for_another(tmp_path: Path) -> None:
    plan, now = AirPlan(clock_file=tmp_path / "clock"), datetime.now(UTC)
    first = plan.began(SHORT, now)
    assert plan.began(SHORT, now + timedelta(seconds=9)) == first > now
    with pytest.raises(HeadendError, match="another speed"):
        replace(plan, speed=2).began(SHORT, now)
    beyond = '{"scenario":"demo","speed":1,"began":"9999-12-31T23:59:59-12:00"}'
    for text, words in (
        ("{", "no clock"),
        ("[1]", "another scenario"),
        ('{"scenario":"demo","speed":1}', "began"),
        (beyond, "began"),
    ):
        (tmp_path / "clock").write_text(text)
        with pytest.raises(HeadendError, match=words):
            plan.began(SHORT, now)
    assert json.loads(json.dumps(first.isoformat()))


def test_what_cannot_go_on_the_air() -> None:
    for plan, words in (
        (AirPlan(media={"other": "tone"}), "no service other"),
        (AirPlan(listeners=(Endpoint("127.0.0.2", 65_530),)), "four ports"),
    ):
        with pytest.raises(HeadendError, match=words):
            OnAir(SHORT, plan, datetime.now(UTC), back_end(), P1)


class Web:
    """The announcement as one who asks from an address has it."""

    def __init__(self, server: Server, address: str = "127.0.0.1") -> None:
        self._server = server
        self._address = address

    def document(self, uri: str) -> bytes:
        answer = self._server.handle(HttpRequest("GET", uri), Peer(self._address))
        if answer.status != 200:
            raise LookupError(uri)
        return answer.body

    def entries(self, uri: str) -> tuple[ServiceEntry, ...]:
        return tuple(by_usd(self.document(uri), uri, self))


def beside_of(plan: AirPlan, on_air: OnAir | None = None) -> AirBeside:
    now, clock = datetime.now(UTC), SystemClock()
    names = Names(IDS, {}, Waiting(5, 10))
    return AirBeside(SHORT, plan, now, make_keys(SHORT), clock, names, StkmShelf(clock), on_air)


@pytest.mark.parametrize("plan", [AirPlan(listeners=(NEAR, FAR, OTHER)), AirPlan(multicast=True)])
def test_every_listener_has_an_announcement_that_fits(plan: AirPlan) -> None:
    server = beside_of(plan).paths[ANNOUNCEMENT.tail]
    first = plan.targets(SHORT)[0]
    asked = {"/guide/": ("127.0.0.1", first), "/guide/usd.xml": ("127.0.0.77", first)}
    if not plan.multicast:
        for listener, places in zip(plan.listeners, plan.targets(SHORT), strict=True):
            asked[f"/guide/at/{listener.address}-{listener.port}/"] = "127.0.0.1", places
        # Without a name for it: by the address from which somebody asks, the first listener there.
        assert web_places(server, FAR.address) == places_of(plan.targets(SHORT)[1])
        assert web_places(server, "127.0.0.200") == places_of(first)
    for uri, (address, places) in asked.items():
        assert web_places(server, address, uri) == places_of(places)


def web_places(server: Server, address: str, uri: str = "/guide/") -> tuple[tuple[str, str], ...]:
    """Return where each service is heard, as its SDP and its security description say."""
    found = []
    for entry in Web(server, address).entries(uri):
        (medium,), (keys,) = entry.session.media, entry.session.key_streams
        assert entry.security is not None
        assert [flow.flow_id for flow in entry.security.flows] == [medium.flow_id]
        found.append((medium.flow_id, f"{keys.address}/{keys.port}"))
    return tuple(found)


def places_of(places: Places) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{place.media.address}/{place.media.port}", f"{place.stkms.address}/{place.stkms.port}")
        for place in places.values()
    )


def test_a_broadcast_is_over_with_its_scenario_unless_that_is_repeated() -> None:
    clock, began = SystemClock(), datetime.now(UTC)
    for loop, speed, seconds, over in (
        (False, 1.0, 1.0, False), (False, 1.0, 100.0, True), (False, 0.01, 100.0, False), (True, 1.0, 100.0, False),
    ):  # fmt: skip
        plan = AirPlan(loop=loop, speed=speed)
        since = began - timedelta(seconds=seconds)
        made = AirBeside(SHORT, plan, since, make_keys(SHORT), clock, Names(IDS, {}, Waiting(5, 10)), StkmShelf(clock))
        assert made.is_over() is over


@pytest.mark.parametrize(("loop", "status"), [(False, 404), (True, 200)])
def test_no_stkm_is_to_be_had_of_a_broadcast_that_is_over(loop: bool, status: int) -> None:
    clock, since = SystemClock(), datetime.now(UTC) - timedelta(seconds=100)
    shelf, names = StkmShelf(clock), Names(IDS, {}, Waiting(5, 10))
    made = AirBeside(SHORT, AirPlan(loop=loop), since, make_keys(SHORT), clock, names, shelf)
    shelf.put_now("tone-a", b"stkm")

    async def run() -> None:
        made.start()
        made.close()

    asyncio.run(run())
    assert made.defects() == 0
    assert shelf.handle(HttpRequest("GET", "/stkm/tone-a"), Peer("127.0.0.1")).status == status


def test_the_announcement_leads_to_the_listener() -> None:
    plan = AirPlan(listeners=(Endpoint("127.0.0.5", 6000),))
    on_air = OnAir(SHORT, plan, datetime.now(UTC), back_end(), P1)
    beside = beside_of(plan, on_air)
    server = beside.paths[ANNOUNCEMENT.tail]
    entries = Web(server).entries("/guide/")
    assert [entry.service_ids for entry in entries] == [("urn:tone-a",), ("urn:tone-b",)]
    places = unicast_places(SHORT, plan.listeners[0])
    for entry, service in zip(entries, SHORT.services, strict=True):
        (medium,) = entry.session.media
        assert medium.flow_id == f"127.0.0.5/{places[service.id].media.port}"
        assert entry.session.key_streams[0].port == places[service.id].stkms.port
        assert entry.security is not None
        assert entry.security.management is not None
        told = entry.security.management
        assert (told.offset_time, told.random_time_period) == (5, 10)  # TS 26.346 clause 11.3
        assert entry.security.msk_of(medium.flow_id) is not None
        assert entry.servers == (f"http://{SHORT.network.bsm_fqdn}/",)
    for request, status in (("/guide/none", 404), ("/guide/usd.xml", 200)):
        assert server.handle(HttpRequest("GET", request), Peer("127.0.0.1")).status == status
    assert server.handle(HttpRequest("POST", "/guide/"), Peer("127.0.0.1")).status == 405
    beside.close()


def test_the_bsm_has_the_seks_of_a_later_round_once() -> None:
    keys, timetable = make_keys(DEMO), Timetable(DEMO, loop=True)
    for _ in range(2):
        add_seks(keys, timetable, 10 * DEMO.duration)
    numbers = [int.from_bytes(key.msk_id[2:], "big") for key in keys.seks("tone-a")]
    assert numbers == [1, 2, 21, 22, 23, 24]


def test_what_is_long_over_is_skipped() -> None:
    on_air = OnAir(SHORT, AirPlan(), datetime.now(UTC), back_end(), P1)
    queue = SendQueue(on_air.timetable.slots(), on_air.bsda)
    queue.prepare(4000, 3000, 1000)
    assert queue.skipped.total() > 0
    assert all(sent.at >= 3000 for sent in queue.take(4000))
    on_air.close()


def test_what_a_sender_does_not_bring_is_counted() -> None:
    plan = AirPlan(media={"tone-b": f"rtp://127.0.0.1:{free_ports('127.0.0.1', 1)}"})
    on_air = OnAir(SHORT, plan, datetime.now(UTC), back_end(), P1)
    for slot in islice((one for one in on_air.timetable.slots() if isinstance(one, MediaSlot)), 20):
        on_air.bsda.media(slot)
    text = "".join(metric.text() for metric in on_air.metrics())
    on_air.close()
    assert 'bcast_uicc_air_silent_total{service="tone-b"} 10' in text
    assert 'bcast_uicc_air_foreign_total{service="tone-b"} 0' in text
    assert 'silent_total{service="tone-a"}' not in text


def test_lateness_tells_shares() -> None:
    found = Lateness()
    for number in range(1000):
        found.add(number / 1e6)
    found.add(0.5)
    assert found.share(0.5) == pytest.approx(0.0006, abs=1e-4)
    assert (found.late, found.count, found.worst) == (1, 1001, 0.5)
    assert Lateness().share(0.99) == 0
