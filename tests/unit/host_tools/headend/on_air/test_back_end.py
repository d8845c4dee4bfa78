"""A BSD/A that has its BSM over octets sends what the one in the same process sends, whoever makes the STKMs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest

from card.codec.mikey import MbmsKeyIds
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.bcast.p1 import P1
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.back_end import (
    MAC_HEADER,
    FinishedStkm,
    Handover,
    KeyProfile,
    SekHandover,
    SekRoll,
    Stkms,
    TransportKey,
)
from host_tools.exchange.procedures import (
    LTKM_HANDOVER,
    REGISTRATION_HANDOVER,
    SEK_HANDOVER,
    STKM_REQUEST,
    TEK_OFFER,
    Procedure,
)
from host_tools.exchange.transport import Endpoint, InProcessTransport, Peer, Server
from host_tools.headend.bsda.slots import StkmSlot
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.granting import as_grant
from host_tools.headend.http.back_end import BackEndServer
from host_tools.headend.http.handover import HandoverServer
from host_tools.headend.http.stkm_shelf import StkmShelf
from host_tools.headend.on_air import hand_over
from host_tools.headend.on_air.announcing import Names
from host_tools.headend.on_air.beside import AirBeside
from host_tools.headend.on_air.broadcast import AirPlan, OnAir
from host_tools.headend.on_air.hand_over import SeksHandedOver
from host_tools.headend.on_air.remote import RemoteBsm
from host_tools.headend.on_air.rollovers import RolledSeks
from host_tools.headend.on_air.sek_supply import add_seks
from host_tools.headend.on_air.supplier import PERIODS_AHEAD, Supplier
from host_tools.headend.on_air.told_rolls import as_message
from host_tools.headend.scenario.maker import make_keys
from host_tools.headend.scenario.model import Scenario, StkmBy
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.sealing import MikeySealer

KEYS = TransportKey(Secret(bytes(32)))
PEER = Peer("127.0.0.1")
DEMO = shipped_scenario("demo")
IDS = {service.id: f"urn:{service.id}" for service in DEMO.services}
BEGAN = datetime(2030, 1, 1, tzinfo=UTC)
BOTH = pytest.mark.parametrize("by", StkmBy)


class Line:
    """The way to the BSM, which may be cut; what crossed is kept."""

    def __init__(self, server: Server) -> None:
        self._inner = InProcessTransport(server, PEER, self._see)
        self.cut = False
        self.octets = b""

    def _see(self, sent: bytes, received: bytes) -> None:
        self.octets += sent + received

    def exchange(self, request: HttpRequest) -> HttpResponse:
        if self.cut:
            raise TransportError("no connection")
        return self._inner.exchange(request)


class Mending(Line):
    """A line that is cut at first."""

    def __init__(self, server: Server, failing: int) -> None:
        super().__init__(server)
        self._failing = failing
        self.on_answer: Callable[[], object] = int

    def exchange(self, request: HttpRequest) -> HttpResponse:
        self._failing -= 1
        self.cut = self._failing >= 0
        answer = super().exchange(request)
        self.on_answer()
        return answer


class Bench:
    """A BSM behind a line, and a BSD/A before it."""

    def __init__(self, scenario: Scenario, *, loop: bool = False) -> None:
        self.scenario = scenario
        self.clock = ManualClock(BEGAN - timedelta(seconds=1))
        self.keys = make_keys(scenario)
        self.back_end = BackEnd(self.keys, MikeySealer)
        self.shelf = StkmShelf(self.clock)
        self.server = BackEndServer(self.back_end, KEYS, self.shelf, self._rolls)
        self.line = Line(self.server)
        self.remote = RemoteBsm(self.line, "bsm.example", KEYS)
        plan = AirPlan(listeners=(Endpoint("127.0.0.9", 5004),), loop=loop)
        self.on_air = OnAir(scenario, plan, BEGAN, self.remote, P1)
        self.supplier = Supplier(scenario, self.on_air, self.remote, self.clock)
        self.local = OnAir(scenario, plan, BEGAN, BackEnd(self.keys, MikeySealer), P1)

    def _rolls(self) -> Iterator[SekRoll]:
        return map(as_message, self.local.timetable.rolls.all())

    def close(self) -> None:
        self.on_air.close()
        self.local.close()

    def supply(self) -> bool:
        return asyncio.run(self.supplier.once())

    def stkms(self, until: int) -> list[tuple[bytes, bytes]]:
        """Return each STKM as both BSD/As send it."""
        slots = [slot for slot in self.local.timetable.slots() if isinstance(slot, StkmSlot) and slot.at < until]
        return [
            (self.local.bsda.stkm(slot).datagram.payload, self.on_air.bsda.stkm(slot).datagram.payload)
            for slot in slots
        ]


def nobody(handover: SekHandover) -> None:
    pytest.fail(f"nobody is to hear of {handover}")


def bench_of(by: StkmBy, name: str = "demo", *, loop: bool = False) -> Bench:
    return Bench(replace(shipped_scenario(name), stkm_by=by), loop=loop)


@BOTH
@pytest.mark.parametrize("name", ["demo", "pay_per_time", "parental"])
def test_the_same_stkms_whoever_makes_them(by: StkmBy, name: str) -> None:
    bench = bench_of(by, name)
    while bench.on_air.position(bench.clock.now()) < bench.scenario.duration:
        assert bench.supply()
        bench.clock.advance(bench.scenario.stkm.crypto_period / 1000)
    found = bench.stkms(bench.scenario.duration)
    assert found
    assert all(one == other for one, other in found)
    assert bench.server.defects == 0
    sealed, handed_over = bench.back_end.sealed, bench.back_end.handed_over
    assert (sealed > 0, handed_over > 0) == (by is StkmBy.BSM, by is StkmBy.BSD)
    bench.close()


@BOTH
def test_a_bsm_that_stops_for_some_periods_is_not_heard(by: StkmBy) -> None:
    bench = bench_of(by)
    assert bench.supply()
    bench.line.cut = True
    bench.clock.advance(bench.scenario.stkm.crypto_period / 1000)
    assert not bench.supply()
    assert bench.supplier.behind == 1
    covered = (PERIODS_AHEAD - 1) * bench.scenario.stkm.crypto_period
    assert all(one == other for one, other in bench.stkms(covered))
    if by is StkmBy.BSM:
        with pytest.raises(HeadendError):
            bench.stkms(bench.scenario.duration)
    bench.line.cut = False
    bench.clock.advance(8)
    assert bench.supply()
    assert bench.stkms(bench.scenario.duration)
    bench.close()


def test_the_end_of_the_scenario_is_no_bsm_that_came_back(caplog: pytest.LogCaptureFixture) -> None:
    bench = bench_of(StkmBy.BSM)
    bench.line.cut = True
    assert not bench.supply()
    bench.clock.advance(bench.scenario.duration / 1000 + 60)
    assert bench.supply()
    assert [record.message for record in caplog.records if "back" in record.message] == []
    bench.line.cut = False
    bench.close()


@BOTH
def test_a_sek_out_of_turn_is_taken_up_by_both(by: StkmBy) -> None:
    bench = bench_of(by, loop=True)
    add_seks(bench.keys, bench.local.timetable, 0)
    assert bench.supply()
    key = RolledSeks(bench.local.timetable, bench.keys, PERIODS_AHEAD + 1).roll("tone-a", 0)
    assert key.first_mtk_id == PERIODS_AHEAD + 3
    for _ in range(8):
        assert bench.supply()
        bench.clock.advance(bench.scenario.stkm.crypto_period / 1000)
    assert bench.on_air.timetable.rolls.all() == bench.local.timetable.rolls.all() != ()
    until = 9 * bench.scenario.stkm.crypto_period
    slots = list(takewhile(lambda slot: slot.at < until, bench.on_air.timetable.stkms(-200)))
    assert key.term in {slot.key for slot in slots}
    for slot in slots:
        assert bench.on_air.bsda.stkm(slot) == bench.local.bsda.stkm(slot)
    assert key.key.reveal().hex().encode() not in bench.line.octets
    bench.close()


@BOTH
def test_a_sek_out_of_turn_is_told_at_once_and_taken_up_without_the_bsm(by: StkmBy) -> None:
    bench = bench_of(by, loop=True)
    add_seks(bench.keys, bench.local.timetable, 0)
    assert bench.supply()
    server = HandoverServer(KEYS, bench.supplier.take)
    crossed: list[bytes] = []
    way = InProcessTransport(server, PEER, lambda *octets: crossed.extend(octets))
    tells = SeksHandedOver(way, "bsda.example", KEYS, with_keys=by is StkmBy.BSD)
    key = RolledSeks(bench.local.timetable, bench.keys, PERIODS_AHEAD + 1).roll("tone-a", 0)
    (roll,) = bench.local.timetable.rolls.all()
    for _ in range(2):  # what comes twice acts once
        tells.send(SekHandover(as_message(roll), as_grant(key) if tells.with_keys else None))
    bench.line.cut = True
    assert not bench.supply()
    assert bench.on_air.timetable.rolls.all() == (roll,)
    if by is StkmBy.BSD:
        assert bench.remote.sek("tone-a", key.key_ids) == key
        slot = next(one for one in bench.on_air.timetable.stkms(-200) if one.key == key.term)
        assert bench.on_air.bsda.stkm(slot) == bench.local.bsda.stkm(slot)
    else:
        with pytest.raises(HeadendError, match="not handed"):
            bench.remote.sek("tone-a", key.key_ids)
    assert key.key.reveal().hex().encode() not in b"".join(crossed)
    assert (tells.arrived, tells.failures, server.defects) == (2, 0, 0)
    bench.close()


def test_a_sek_is_told_again_until_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_over, "AGAIN", 0.01)
    heard: list[SekHandover] = []
    line = Mending(HandoverServer(KEYS, heard.append), failing=2)
    tells = SeksHandedOver(line, "bsda.example", KEYS, with_keys=False)
    told = SekHandover(SekRoll("tone-a", MbmsKeyIds(b"\0\xf1\x10", b"\0\1\xc0\0"), 7, 9, 8, 10))

    async def run() -> None:
        arrived, loop = asyncio.Event(), asyncio.get_running_loop()
        line.on_answer = lambda: loop.call_soon_threadsafe(arrived.set)
        running = asyncio.create_task(tells.run())
        tells.put(told)
        async with asyncio.timeout(60):
            await arrived.wait()
        running.cancel()

    asyncio.run(run())
    line.on_answer = int
    assert tells.failures == 2
    assert heard == [told]
    stranger = SeksHandedOver(line, "bsda.example", TransportKey(Secret(b"y" * 32)), with_keys=False)
    with pytest.raises(TransportError, match="403"):
        stranger.send(told)
    assert heard == [told]


_TOLD = 3


class Choosy:
    """A BSD/A that refuses the first SEKs of one service; the way to it has a defect at first."""

    def __init__(self, refused: str, refusals: int) -> None:
        self._server = HandoverServer(KEYS, self._take)
        self._refused, self._refusals = refused, refusals
        self.heard: list[SekHandover] = []
        self.is_broken = True
        self.on_all: Callable[[], object] = int

    def _take(self, told: SekHandover) -> None:
        if told.roll.service == self._refused and self._refusals:
            self._refusals -= 1
            raise DecodeError("not now")
        self.heard.append(told)
        if len(self.heard) == _TOLD:
            self.on_all()

    def exchange(self, request: HttpRequest) -> HttpResponse:
        if self.is_broken:
            self.is_broken = False
            raise ZeroDivisionError
        return self._server.handle(request, PEER)


def test_a_sek_that_does_not_arrive_holds_up_those_of_its_service_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the newest goes before the others, so the order counts. What nobody expected ends none but its own."""
    monkeypatch.setattr(hand_over, "AGAIN", 0.01)
    bsda = Choosy("tone-a", refusals=3)
    tells = SeksHandedOver(bsda, "bsda.example", KEYS, with_keys=False)
    lost, first, second, other = (
        SekHandover(SekRoll(service, MbmsKeyIds(b"\0\xf1\x10", bytes((0, 1, 0xC0, number))), 7, 9, 8, 10))
        for number, service in enumerate(("speech", "tone-a", "tone-a", "tone-b"))
    )

    async def run() -> None:
        arrived, loop = asyncio.Event(), asyncio.get_running_loop()
        bsda.on_all = lambda: loop.call_soon_threadsafe(arrived.set)
        for told in (lost, first, second, other):
            tells.put(told)
        running = asyncio.create_task(tells.run())
        async with asyncio.timeout(60):
            await arrived.wait()
        running.cancel()

    asyncio.run(run())
    assert bsda.heard == [other, first, second]
    assert (tells.failures, tells.defects) == (3, 1)


def test_a_sek_that_is_told_with_the_key_of_another_is_refused() -> None:
    roll = SekRoll("tone-a", MbmsKeyIds(b"\0\xf1\x10", b"\0\1\xc0\0"), 7, 9, 8, 10)
    other = as_grant(make_keys(DEMO).seks("tone-a")[0])
    server = HandoverServer(KEYS, nobody)
    for body in (SekHandover(roll, other).encode(KEYS), b'{"roll": 1}', b'{"roll": {}, "grant": []}', b"[]", b"{"):
        assert server.handle(signed(SEK_HANDOVER, body), PEER).status == 400


@BOTH
def test_keys_cross_wrapped(by: StkmBy) -> None:
    bench = bench_of(by)
    assert bench.supply()
    for key in make_keys(bench.scenario).seks("tone-a"):
        assert key.key.reveal().hex().encode() not in bench.line.octets
        tek = bench.on_air.bsda.order(next(bench.on_air.timetable.stkms(-200))).content.tek
        assert tek.reveal().hex().encode() not in bench.line.octets
    assert b"/backend/v1/" in bench.line.octets
    bench.close()


def signed(procedure: Procedure, body: bytes, keys: TransportKey = KEYS) -> HttpRequest:
    mac = keys.sign(procedure.method, procedure.target, body)
    return procedure.build("bsm.example", body, ((MAC_HEADER, mac),))


def test_twice_is_once_and_another_tek_is_refused() -> None:
    bench = bench_of(StkmBy.BSM)
    assert bench.supply()
    offers = [part for part in bench.line.octets.split(b"\r\n\r\n") if part.startswith(b'{"service": "tone-a"')]
    body = next(part for part in offers if b'"tek"' in part).partition(b"HTTP/1.1")[0]
    body = body[: body.rindex(b"}") + 1]
    first = bench.server.handle(signed(TEK_OFFER, body), PEER)
    assert first.status == 200
    assert bench.server.handle(signed(TEK_OFFER, body), PEER).body == first.body
    changed = json.dumps({**json.loads(body), "tek": KEYS.wrap(Secret(bytes(16)))}).encode()
    assert bench.server.handle(signed(TEK_OFFER, changed), PEER).status == 409
    assert bench.server.handle(signed(TEK_OFFER, body, TransportKey(Secret(b"y" * 32))), PEER).status == 403
    assert bench.server.handle(signed(TEK_OFFER, b"{"), PEER).status == 400
    assert bench.server.handle(HttpRequest("GET", TEK_OFFER.target), PEER).status == 405
    assert bench.server.refused == 1
    bench.close()


def test_a_key_that_is_not_there() -> None:
    bench = bench_of(StkmBy.BSD)
    with pytest.raises(HeadendError, match="409"):
        bench.remote.fetch_sek("tone-a", MbmsKeyIds(b"\0\xf1\x10", b"\0\1\xff\xff"))
    with pytest.raises(HeadendError, match="not handed"):
        bench.remote.sek("tone-a", MbmsKeyIds(b"\0\xf1\x10", b"\0\1\xff\xff"))
    assert bench.remote.failures == 1
    bench.close()


@BOTH
def test_the_interaction_channel_has_the_stkm_of_now(by: StkmBy) -> None:
    bench = bench_of(by)
    assert bench.supply()
    bench.clock.advance(1.5)
    heard = bench.stkms(4000)
    answer = bench.shelf.handle(HttpRequest("GET", STKM_REQUEST.tail + "tone-a"), PEER)
    assert answer.status == 200
    assert answer.one("Content-Type") == STKM_REQUEST.answer
    assert answer.body in {one for one, _ in heard}
    tag = answer.one("ETag")
    again = HttpRequest("GET", f"{STKM_REQUEST.tail}tone-a?after={tag}")
    assert bench.shelf.handle(again, PEER).status == 304
    bench.clock.advance(4)
    later = bench.shelf.handle(again, PEER)
    assert later.status == 200
    assert later.body != answer.body
    for target, status in (("/stkm/none", 404), ("/stkm/", 404), ("/stkm/a/b", 404)):
        assert bench.shelf.handle(HttpRequest("GET", target), PEER).status == status
    assert bench.shelf.handle(HttpRequest("POST", "/stkm/tone-a"), PEER).status == 405
    bench.close()


def test_a_long_request_waits_for_the_next_one() -> None:
    clock = ManualClock(BEGAN)
    shelf = StkmShelf(clock)
    shelf.put(Stkms("a", (FinishedStkm(1, BEGAN, b"1"), FinishedStkm(2, BEGAN + timedelta(seconds=5), b"2"))))
    tag = shelf.handle(HttpRequest("GET", "/stkm/a"), PEER).one("ETag")
    request = HttpRequest("GET", f"/stkm/a?after={tag}")

    beside = AirBeside(DEMO, AirPlan(), BEGAN, make_keys(DEMO), clock, Names(IDS, {}), shelf)

    async def ask() -> bytes:
        waiting = asyncio.create_task(beside.wait(request))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        clock.advance(5)
        async with asyncio.timeout(10):
            await waiting
            await beside.wait(HttpRequest("GET", "/stkm/a"))
            await beside.wait(HttpRequest("GET", "/else"))
        return shelf.handle(request, PEER).body

    assert asyncio.run(ask()) == b"2"


def test_the_shelf_stays_small() -> None:
    clock = ManualClock(BEGAN)
    shelf = StkmShelf(clock)
    for number in range(3000):
        shelf.put(Stkms("a", (FinishedStkm(number, BEGAN + timedelta(seconds=number), b"%d" % number),)))
        shelf.put(Stkms(f"service {number}", ()))
    assert sum(len(kept) for kept in shelf._stkms.values()) <= 1024
    assert len(shelf._stkms) <= 64


def test_what_is_handed_over_for_broadcast_is_of_the_drm_profile() -> None:
    server = HandoverServer(KEYS, nobody)
    for procedure in (LTKM_HANDOVER, REGISTRATION_HANDOVER):
        drm = signed(procedure, Handover(KeyProfile.DRM, "tone", procedure.tail.encode()).encode())
        for _ in range(2):
            assert server.handle(drm, PEER).status == 200
        smart = signed(procedure, Handover(KeyProfile.SMARTCARD, "tone", b"ltkm").encode())
        refused = server.handle(smart, PEER)
        assert (refused.status, b"interaction channel" in refused.body) == (403, True)
    assert len(server.taken) == 2
    assert server.handle(replace(signed(LTKM_HANDOVER, b"{}"), headers=()), PEER).status == 403
    assert server.handle(HttpRequest("POST", "/else"), PEER).status == 404
    assert server.handle(HttpRequest("GET", LTKM_HANDOVER.target), PEER).status == 405
