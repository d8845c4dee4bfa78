"""Roll-overs: the next SEK is at the terminal before it is used, by schedule and out of turn, and after a restart."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsda.slots import MediaSlot, StkmSlot
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.bsm.books import Books, Registered, Route
from host_tools.headend.bsm.memory_books import memory_books
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.stkm_shelf import StkmShelf
from host_tools.headend.on_air.announcing import Names, named
from host_tools.headend.on_air.beside import AirBeside
from host_tools.headend.on_air.broadcast import AirPlan, OnAir
from host_tools.headend.on_air.rollovers import RolledSeks, RolloverPushes
from host_tools.headend.on_air.sek_supply import add_seks, forget_seks
from host_tools.headend.scenario.maker import make_keys
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.rolls import FIRST_ROLLED, Rolls
from host_tools.headend.scenario.servers import service_ids
from host_tools.headend.scenario.timetable import Timetable
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.scenario.wares import default_catalogue
from host_tools.headend.sealing import MikeySealer
from host_tools.headend.serving import Beside
from host_tools.headend.store.store import Store
from host_tools.terminal.online import OnlineTerminal
from host_tools.wire.system import SystemClock
from tests.support.free_ports import free_ports
from tests.support.head_end import HeadEnd, fresh_card, head_end, terminal

DEMO = shipped_scenario("demo")
PERIOD, SECOND = DEMO.stkm.crypto_period, 1000
LEAD = int(DEMO.ltkm_lead)
KEY = Secret(bytes(range(32)))
WHO = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"


class Management:
    """Whoever would write orders: everybody is registered, and each key is noted."""

    def __init__(self) -> None:
        self.brought: list[tuple[str, bytes]] = []

    def bring(self, identity: str, key: object) -> bool:
        self.brought.append((identity, getattr(key, "msk_id", b"")))
        return True


def pushes(
    management: Management, count: int, *, refused: str = "", books: Books | None = None
) -> tuple[RolloverPushes, Timetable]:
    books, timetable = books or memory_books(), Timetable(DEMO)
    with books.transactions.transaction():
        for number in range(count):
            books.registrations.put(f"id {number:03}", Registered(("urn",), Route("127.0.0.2", "b")))
    keys = make_keys(DEMO)
    made = RolloverPushes(timetable, 1.0, keys, management, books, lambda name: name == refused)  # type: ignore[arg-type]
    return made, timetable


def test_the_next_sek_is_ordered_in_time_bounded_and_once() -> None:
    management = Management()
    made, _ = pushes(management, 25, refused="id 007")
    rolls_at = 8 * SECOND
    assert not made.step(rolls_at - LEAD - 200, 10)
    assert management.brought == []
    steps = [made.step(rolls_at - LEAD + 50 * number, 10) for number in range(4)]
    assert steps == [True, True, False, False]
    names = [name for name, _ in management.brought]
    assert names == [f"id {number:03}" for number in range(25) if number != 7]
    assert {msk_id for _, msk_id in management.brought} == {b"\0\1\0\2"}
    assert not made.step(rolls_at, 10)
    assert made.ordered == 24


def test_a_step_that_is_not_kept_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A COMMIT that fails once: nobody is left out, and nothing is counted twice."""
    management, store = Management(), Store.connect(str(tmp_path / "a.db"), KEY)
    made, books = pushes(management, 25, books=store.books)[0], store.books
    commit, fails = store.database.transaction, iter([True])

    @contextmanager
    def once() -> Iterator[object]:
        with commit() as transaction:
            yield transaction
            if next(fails, False):
                raise OSError("the disk is full")

    monkeypatch.setattr(books.transactions, "transaction", once)
    with pytest.raises(OSError, match="full"):
        made.step(8 * SECOND - LEAD, 10)
    assert made.ordered == 0
    management.brought.clear()
    while made.step(8 * SECOND - LEAD, 10):
        pass
    assert [name for name, _ in management.brought] == [f"id {number:03}" for number in range(25)]
    assert made.ordered == 25
    store.close()


def test_one_that_meets_an_unexpected_error_holds_up_nobody() -> None:
    class Faulty(Management):
        def bring(self, identity: str, key: object) -> bool:
            if identity in ("id 003", "id 011"):
                raise ZeroDivisionError
            return super().bring(identity, key)

    management, more, faults = Faulty(), True, 0
    made, _ = pushes(management, 25)
    while more:
        try:
            more = made.step(8 * SECOND - LEAD, 10)
        except ZeroDivisionError:
            faults += 1
            assert faults < 30
    names = {name for name, _ in management.brought}
    assert names == {f"id {number:03}" for number in range(25)} - {"id 003", "id 011"}
    assert made.ordered == 23


def test_the_more_are_registered_the_earlier_it_begins() -> None:
    management = Management()
    made, _ = pushes(management, 400)
    assert made.step(8 * SECOND - LEAD - 1900, 10)


def test_a_bsm_that_stood_still_makes_up_for_what_it_missed() -> None:
    """Of the SEKs that began meanwhile those are ordered whose STKMs may still be on their way, in their order."""
    management, books, timetable = Management(), memory_books(), Timetable(DEMO, loop=True)
    books.registrations.put("me", Registered(("urn",), Route("127.0.0.2", "b")))
    keys = make_keys(DEMO)
    for at in range(0, 5 * DEMO.duration, DEMO.duration):
        add_seks(keys, timetable, at)
    made = RolloverPushes(timetable, 1.0, keys, management, books)  # type: ignore[arg-type]

    def ordered(at: int) -> list[int]:
        before = len(management.brought)
        made.step(at, 10)
        return [int.from_bytes(msk_id[2:], "big") for _, msk_id in management.brought[before:]]

    # tone-a takes up key 2 after 8 s, and keys 3 and 4 in the next round, tone-b key 2.
    assert ordered(0) == []
    assert (ordered(8 * SECOND - LEAD), made.late) == ([2], 0)
    assert (ordered(DEMO.duration + 100), made.late) == ([3, 2], 2)
    assert ordered(DEMO.duration + 100) == []
    # After half an hour of sleep only what is in use, and what comes next.
    begun = 2 * DEMO.duration + 8 * SECOND
    assert (ordered(begun + 2 * SECOND), made.late) == ([6, 3], 4)


def test_a_fast_broadcast_orders_earlier() -> None:
    management, books, timetable = Management(), memory_books(), Timetable(DEMO)
    books.registrations.put("me", Registered(("urn",), Route("127.0.0.2", "b")))
    made = RolloverPushes(timetable, 10.0, make_keys(DEMO), management, books)  # type: ignore[arg-type]
    made.step(8 * SECOND - LEAD - 2000, 10)  # half a second by the clock, and more
    assert len(management.brought) == 1


def test_seks_that_nobody_can_use_are_forgotten() -> None:
    timetable, keys = Timetable(DEMO, loop=True), make_keys(DEMO)
    rolled = RolledSeks(timetable, keys, 1).roll("tone-b", 0)

    def names(service: str) -> list[int]:
        return [int.from_bytes(key.msk_id[2:], "big") for key in keys.seks(service)]

    for at in range(0, 4 * DEMO.duration + 1, DEMO.duration):
        add_seks(keys, timetable, at)
    assert names("tone-a") == list(range(1, 13))
    at = 4 * DEMO.duration + PERIOD
    assert forget_seks(keys, timetable, at, 10 * DEMO.duration) == 0
    # A round back: the last SEK of the round before that was over as it began.
    assert forget_seks(keys, timetable, at, DEMO.duration) == 6 + 3
    assert names("tone-a") == list(range(7, 13))
    assert names("tone-b") == [rolled.key_ids.key_number[0] << 8, 4, 5, 6]
    assert forget_seks(keys, Timetable(DEMO), at, 0) == 0
    paid = shipped_scenario("pay_per_time")
    kept, again = make_keys(paid), Timetable(paid, loop=True)
    add_seks(kept, again, 0)
    assert forget_seks(kept, again, 100 * paid.duration, 0) == 0


@pytest.mark.parametrize("loop", [False, True])
def test_a_roll_out_of_turn_is_in_the_timetable(loop: bool) -> None:
    timetable, keys = Timetable(DEMO, loop), make_keys(DEMO)
    rolled = RolledSeks(timetable, keys, 1)
    key = rolled.roll("tone-b", PERIOD + 1)  # the second period, so it begins with the fourth
    assert (key.first_mtk_id, key.last_mtk_id) == (4, 6)
    assert int.from_bytes(key.msk_id[2:], "big") == FIRST_ROLLED
    assert timetable.next_rollover("tone-b", PERIOD) == (3 * PERIOD, key.term)
    used: dict[int, set[bytes]] = {}
    for slot in timetable.slots():
        if slot.at >= DEMO.duration - DEMO.stkm.lead:
            break
        if slot.service.id == "tone-b":
            used.setdefault(slot.mtk_id, set()).add(slot.key.msk_id)
            assert slot.key.is_good_for(slot.mtk_id)
            if isinstance(slot, StkmSlot) and slot.mtk_id == 4:
                assert slot.counter == 1
            if isinstance(slot, MediaSlot):
                assert slot.at // PERIOD + 1 == slot.mtk_id
    first = keys.seks("tone-b")[0].msk_id
    assert used == {mtk_id: {key.msk_id if mtk_id >= 4 else first} for mtk_id in range(1, 7)}
    with pytest.raises(HeadendError, match="waits for its time"):
        rolled.roll("tone-b", PERIOD + 2)
    assert rolled.roll("tone-b", 2 * PERIOD).first_mtk_id == 5
    again = Timetable(DEMO, loop)
    RolledSeks(again, keys, 1).recover(3 * PERIOD)
    assert again.rolls.of("tone-b") == timetable.rolls.of("tone-b")


def test_what_cannot_be_rolled() -> None:
    rolled = RolledSeks(Timetable(DEMO), make_keys(DEMO), 1)
    with pytest.raises(HeadendError, match="no service"):
        rolled.roll("none", 0)
    with pytest.raises(HeadendError, match="ends before"):
        rolled.roll("tone-a", 4 * PERIOD)
    paid = shipped_scenario("pay_per_time")
    with pytest.raises(HeadendError, match="planned"):
        RolledSeks(Timetable(paid, loop=True), make_keys(paid), 1).roll(paid.planned[0].service, 0)


def test_a_sek_of_an_earlier_lap_is_not_used_again() -> None:
    timetable, keys = Timetable(DEMO, loop=True), make_keys(DEMO)
    RolledSeks(timetable, keys, 1).roll("tone-a", 0)
    later = Timetable(DEMO, loop=True)
    RolledSeks(later, keys, 1).recover(10 * DEMO.duration)
    assert later.rolls.all() == ()


def test_nor_is_it_when_mtk_ids_come_to_its_place_again() -> None:
    """A head-end that is started again in the next lap, at the same MTK IDs, follows the schedule."""
    timetable, keys = Timetable(DEMO, loop=True), make_keys(DEMO)
    assert timetable.lap is not None
    rolled = RolledSeks(timetable, keys, 1)
    rolled.recover(0)
    sek = rolled.roll("tone-a", 0)
    same, later = Timetable(DEMO, loop=True), Timetable(DEMO, loop=True)
    RolledSeks(same, keys, 1).recover(2 * PERIOD)
    assert [roll.term for roll in same.rolls.all()] == [sek.term]
    RolledSeks(later, keys, 1).recover((timetable.lap + 2) * PERIOD)
    assert later.rolls.all() == ()


# --- on sockets


@contextmanager
def broadcast(began: datetime, speed: float, store: Store | None = None) -> Iterator[tuple[HeadEnd, AirBeside]]:
    """Serve the demo on and on, since `began`, and give what runs beside the servers."""
    plan = AirPlan(speed, loop=True, listeners=(Endpoint("127.0.0.7", free_ports("127.0.0.7", 8)),))
    made: list[AirBeside] = []

    def beside(network: UsimNetwork) -> Sequence[Beside]:
        rolls, names = Rolls(), Names(*named(DEMO, default_catalogue(DEMO)))
        on_air = OnAir(DEMO, plan, began, BackEnd(network.keys, MikeySealer), P1, rolls=rolls)
        clock = SystemClock()
        made.append(AirBeside(DEMO, plan, began, network.keys, clock, names, StkmShelf(clock), on_air, rolls=rolls))
        return made

    services = ScenarioServices(DEMO, began, speed, loop=True)
    with head_end(scenario=DEMO, services=services, beside=beside, store=store) as headend:
        yield headend, made[0]


def stays(online: OnlineTerminal, until: Callable[[], bool], seconds: float = 300.0) -> bool:
    """Let a terminal take what comes until something is so; tell whether it came to be."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            return False
        online.stay(0.2)
    return True


def held(headend: HeadEnd, service: str) -> list[int]:
    """Return the Key Numbers that the card of the only subscriber was brought."""

    def read() -> list[int]:
        with headend.network.parts.books.transactions.transaction():
            return [int.from_bytes(key.msk_id[2:], "big") for key in headend.network.keys.held(WHO, service)]

    return headend.call(read)


def test_a_terminal_that_asks_for_nothing_has_each_sek_before_it_is_used() -> None:
    # The last SEKs of the second round are in use. The next ones are ordered 10 s from now, the third round begins 10 s
    # after that: the lead of a programme that is five times as slow is long enough for a busy computer.
    speed, rolls_at = 0.2, 2 * DEMO.duration
    began = datetime.now(UTC) - timedelta(milliseconds=(rolls_at - LEAD - 2 * SECOND) / speed)
    with broadcast(began, speed) as (headend, beside):
        with terminal(fresh_card(), headend) as online:
            assert online.register(service_ids(DEMO)).granted
            online.listen()
            assert stays(online, lambda: held(headend, "tone-b") == [2, 3])
            assert datetime.now(UTC) < began + timedelta(milliseconds=rolls_at / speed)
            assert held(headend, "tone-a") == [4, 5]
            assert beside._pushes is not None
            assert beside._pushes.ordered == 2
            place = headend.running.network.others["metrics"].endpoint
            with urllib.request.urlopen(f"http://{place.address}:{place.port}/metrics", timeout=20) as answer:
                assert b"bcast_uicc_rollover_ltkms_total 2\n" in answer.read()
            assert stays(online, lambda: headend.call(headend.running.servers.pushes.figures).outstanding == 0)
        assert headend.defects == 0


def test_an_operator_rolls_a_sek_and_a_restart_keeps_it(tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(milliseconds=100)
    store = Store.connect(f"sqlite:///{tmp_path / 'a.db'}", KEY)
    try:
        with broadcast(began, 1.0, store) as (headend, beside):
            with terminal(fresh_card(), headend) as online:
                assert online.register(service_ids(DEMO)).granted
                online.listen()
                assert held(headend, "tone-b") == [1]
                key = headend.call(lambda: beside.roll("tone-b"))
                assert stays(online, lambda: held(headend, "tone-b") == [1, FIRST_ROLLED])
            assert headend.defects == 0
        with broadcast(began, 1.0, store) as (headend, again):
            rolls = headend.call(lambda: again._timetable.rolls.of("tone-b"))
            assert [roll.term for roll in rolls] == [key.term]
            assert again._pushes is not None
            time.sleep(1.0)  # it walks the registrations anew
            assert again._pushes.ordered == 0  # the key is there already
            assert headend.defects == 0
    finally:
        store.close()
