"""The blocking loop against a vpcd made of a loopback socket: both modes, loss, silence, stopping."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.unit.vpicc_bridge.fakes import (
    ATR,
    LOOPBACK,
    OFF,
    ON,
    PATIENCE,
    RESET,
    DiaryCard,
    FakePort,
    FakeVpcd,
    Notebook,
)
from tests.unit.vpicc_bridge.fakes import wait_until as until
from vpicc_bridge.connection import Connection, ConnectionLost
from vpicc_bridge.lines import Dialler, Listener
from vpicc_bridge.slots import Slots

SELECT = bytes.fromhex("00a40000")
QUICK = 0.1
"""A silence, where that is what is looked at: elsewhere a busy computer could make one in the middle of a message."""


@pytest.fixture
def port() -> Iterator[FakePort]:
    made = FakePort()
    yield made
    made.close()


@pytest.fixture
def slots() -> Iterator[Slots]:
    with Slots() as made:
        yield made


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


def dialled(port: FakePort, card: DiaryCard, notebook: Notebook, silence: float = PATIENCE) -> Connection:
    return Connection(Dialler(LOOPBACK, port.port), card, notebook, silence=silence)


def test_poll_handles_exactly_one_message(port: FakePort, notebook: Notebook) -> None:
    card = DiaryCard()
    connection = dialled(port, card, notebook)
    assert connection.connect()
    vpcd = port.accept()
    vpcd.send(ON)
    vpcd.send(SELECT)
    assert connection.poll(5)
    assert card.diary == ["on"]
    assert connection.poll(5)
    assert card.diary == ["on", SELECT.hex()]
    assert not connection.poll(0.01)
    assert not connection.poll(0)
    connection.disconnect()
    vpcd.close()
    assert notebook.kinds() == ["Connected", "Disconnected"]


def test_an_alert_connection_serves_and_sleeps_like_any_other(port: FakePort, notebook: Notebook) -> None:
    card = DiaryCard()
    connection = Connection(Dialler(LOOPBACK, port.port), card, notebook, silence=PATIENCE, alert=QUICK)
    assert connection.connect()
    vpcd = port.accept()
    for sent in (ON, SELECT, SELECT):
        vpcd.send(sent)
        assert connection.poll(5)
    assert card.diary == ["on", SELECT.hex(), SELECT.hex()]
    assert not connection.poll(0.01)
    vpcd.close()
    with pytest.raises(ConnectionLost):
        connection.poll(5)
    connection.disconnect()


def test_only_a_burst_of_commands_keeps_it_awake(
    port: FakePort, notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Awake after the third command, as two came in time; a power control ends it, and so does a pause."""
    clock = FakeClock()
    monkeypatch.setattr("vpicc_bridge.alertness.time", clock)
    connection = Connection(Dialler(LOOPBACK, port.port), DiaryCard(), notebook, silence=PATIENCE, alert=0.5)
    assert connection.connect()
    vpcd = port.accept()
    seen = []
    for pause, sent in (
        (0.0, ON),
        (0.1, SELECT),
        (0.4, SELECT),
        (0.1, SELECT),
        (0.6, SELECT),
        (0.1, SELECT),
        (0.1, SELECT),
        (0.1, ON),
        (0.1, SELECT),
    ):
        clock.now += pause
        vpcd.send(sent)
        assert connection.poll(5)
        seen.append(connection.is_awake)
    assert seen == [False, False, False, True, False, False, True, False, False]
    connection.disconnect()
    vpcd.close()


class FakeClock:
    """Stands still but for a hair's breadth at each look, so that waiting by it ends."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        self.now += 1e-6
        return self.now


def test_poll_without_a_line_says_so(port: FakePort, notebook: Notebook) -> None:
    with pytest.raises(ConnectionLost, match="not connected"):
        dialled(port, DiaryCard(), notebook).poll()


def test_conversation_in_normal_mode(port: FakePort, slots: Slots, notebook: Notebook) -> None:
    card = DiaryCard()
    slots.insert(dialled(port, card, notebook))
    vpcd = port.accept()
    vpcd.send(ON)
    assert vpcd.ask(ATR) == card.atr
    assert vpcd.ask(SELECT) == SELECT + b"\x90\x00"
    assert vpcd.ask(bytes(65_000)) == bytes(65_000) + b"\x90\x00"
    vpcd.send(RESET)
    vpcd.send(OFF)
    until(lambda: card.diary[-1] == "off")
    slots.close()
    assert vpcd.is_closed()
    vpcd.close()
    assert card.diary[:2] == ["on", SELECT.hex()]
    assert card.diary[-3:] == ["reset", "off", "off"]


def test_conversation_in_reversed_mode(slots: Slots, notebook: Notebook) -> None:
    listener = Listener(LOOPBACK, 0)
    slots.insert(Connection(listener, DiaryCard(), notebook, silence=PATIENCE))
    for _ in range(2):
        vpcd = FakeVpcd(socket.create_connection((LOOPBACK, listener.port)))
        assert vpcd.ask(SELECT) == SELECT + b"\x90\x00"
        vpcd.close()
    slots.close()
    assert notebook.kinds() == ["Connected", "Disconnected"] * 2


def test_a_silent_caller_does_not_keep_the_listener(slots: Slots, notebook: Notebook) -> None:
    listener = Listener(LOOPBACK, 0)
    slots.insert(Connection(listener, DiaryCard(), notebook, silence=0.5))
    with socket.create_connection((LOOPBACK, listener.port)) as silent:
        # The next one has asked before its turn comes, and so cannot be taken for another silent caller.
        vpcd = FakeVpcd(socket.create_connection((LOOPBACK, listener.port)))
        assert vpcd.ask(SELECT, whole=True) == SELECT + b"\x90\x00"
        assert FakeVpcd(silent).is_closed()
    vpcd.close()


def test_a_taken_port_is_an_error_at_once(port: FakePort) -> None:
    with pytest.raises(OSError, match="in use"):
        Listener(LOOPBACK, port.port)


def test_a_lost_line_takes_the_power_and_is_dialled_again(port: FakePort, slots: Slots, notebook: Notebook) -> None:
    card = DiaryCard()
    slots.insert(dialled(port, card, notebook))
    first = port.accept()
    first.ask(SELECT)
    first.close()
    second = port.accept()
    assert card.diary == ["on", SELECT.hex(), "off"]
    assert second.ask(SELECT) == SELECT + b"\x90\x00"
    assert card.diary[-2:] == ["on", SELECT.hex()]
    second.close()


@pytest.mark.parametrize("nonsense", [b"\x00\x00", b"\x00\x09\x00\xa4"], ids=["empty frame", "half a frame"])
def test_nonsense_costs_the_line_and_nothing_else(
    port: FakePort, slots: Slots, notebook: Notebook, nonsense: bytes
) -> None:
    slots.insert(dialled(port, DiaryCard(), notebook, QUICK))
    vpcd = port.accept()
    vpcd.line.sendall(nonsense)
    assert vpcd.is_closed()
    vpcd.close()
    again = port.accept()
    assert again.ask(SELECT, whole=True) == SELECT + b"\x90\x00"
    again.close()


def test_an_occupied_slot_is_told_once_and_waited_for(port: FakePort, slots: Slots, notebook: Notebook) -> None:
    slots.insert(dialled(port, DiaryCard(), notebook, QUICK))
    vpcd = port.accept()
    until(lambda: "Occupied" in notebook.kinds())
    vpcd.stays_quiet(QUICK * 3)
    assert notebook.kinds() == ["Connected", "Occupied"]
    assert vpcd.ask(SELECT, whole=True) == SELECT + b"\x90\x00"
    vpcd.close()


@pytest.mark.parametrize("last", [SELECT, ATR])
def test_silence_after_an_answer_is_waited_out(port: FakePort, slots: Slots, notebook: Notebook, last: bytes) -> None:
    """A stopped pcscd or a sleeping machine is no reason to leave the reader."""
    slots.insert(dialled(port, DiaryCard(), notebook, 0.01))
    vpcd = port.accept()
    vpcd.ask(last, whole=True)
    vpcd.stays_quiet(0.3)
    assert vpcd.ask(SELECT, whole=True) == SELECT + b"\x90\x00"
    vpcd.close()


@pytest.mark.parametrize("control", [OFF, ON, RESET])
def test_long_silence_after_a_power_control_gives_the_line_up(
    port: FakePort, slots: Slots, notebook: Notebook, control: bytes
) -> None:
    slots.insert(dialled(port, DiaryCard(), notebook, 0.02))
    vpcd = port.accept()
    vpcd.send(control, whole=True)
    assert vpcd.is_closed()
    vpcd.close()
    until(lambda: "Disconnected" in notebook.kinds())
    assert "power control" in str(notebook.notices[-1])


def test_an_outage_is_told_once_per_outage(port: FakePort, slots: Slots, notebook: Notebook) -> None:
    taken = socket.socket()
    taken.bind((LOOPBACK, 0))  # bound, not listening: every dial is refused
    number = taken.getsockname()[1]
    connection = Connection(Dialler(LOOPBACK, number), DiaryCard(), notebook)
    assert not connection.connect()
    assert not connection.connect()
    assert notebook.kinds() == ["Unreachable"]
    assert "refused" in str(notebook.notices[0])
    taken.close()


def test_a_host_without_an_address_is_an_outage(notebook: Notebook) -> None:
    assert not Connection(Dialler("no.such.host.invalid", 1), DiaryCard(), notebook).connect()
    assert notebook.kinds() == ["Unreachable"]


@pytest.mark.parametrize("state", ["before", "dialling", "connected", "listening"])
def test_stop_ends_run_in_every_state(port: FakePort, notebook: Notebook, state: str) -> None:
    if state == "dialling":
        port.close()
    line = Listener(LOOPBACK, 0) if state == "listening" else Dialler(LOOPBACK, port.port)
    connection = Connection(line, DiaryCard(), notebook, silence=PATIENCE)
    if state == "before":
        connection.stop()
    slots = Slots()
    inserted = slots.insert(connection)
    if state == "connected":
        port.accept().ask(SELECT)
    if state == "dialling":
        until(lambda: notebook.kinds() == ["Unreachable"])
    slots.close()
    assert not inserted.serving
    assert len(slots) == 0


def test_several_cards_in_one_process(notebook: Notebook) -> None:
    ports = [FakePort() for _ in range(5)]
    cards = [DiaryCard() for _ in ports]
    with Slots() as slots:
        for port, card in zip(ports, cards, strict=True):
            slots.insert(dialled(port, card, notebook))
        lines = [port.accept() for port in ports]
        for index, vpcd in enumerate(lines):
            assert vpcd.ask(bytes([0, index])) == bytes([0, index, 0x90, 0])
        third = slots.cards[2]
        slots.remove(third)
        assert lines[2].is_closed()
        assert lines[3].ask(SELECT) == SELECT + b"\x90\x00"
        assert len(slots) == 4
    for port in ports:
        port.close()
    assert [card.diary[1] for card in cards] == ["0000", "0001", "0002", "0003", "0004"]


def test_a_reply_is_one_send(monkeypatch: pytest.MonkeyPatch, notebook: Notebook) -> None:
    """Length and body in one segment: two would wait for each other's acknowledgement."""
    sent: list[bytes] = []

    class CountingSocket(socket.socket):
        def sendall(self, data: bytes, flags: int = 0, /) -> None:  # type: ignore[override]
            sent.append(bytes(data))
            super().sendall(data, flags)

    class Pair:
        peer, keeps_silent_peers = "a pair", True

        def connect(self) -> socket.socket:
            return CountingSocket(fileno=ours.detach())

        def close(self) -> None:
            pass

    server = socket.create_server((LOOPBACK, 0))
    ours = socket.create_connection(server.getsockname())
    vpcd = FakeVpcd(server.accept()[0])
    connection = Connection(Pair(), DiaryCard(), notebook)
    connection.connect()
    vpcd.send(SELECT)
    connection.poll()
    assert sent == [b"\x00\x06" + SELECT + b"\x90\x00"]
    connection.disconnect()
    vpcd.close()
    server.close()
