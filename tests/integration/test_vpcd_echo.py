"""APDUs, power and removal through the real pcscd and vpcd, seen by a real PC/SC client."""

from __future__ import annotations

import socket
import time

import pytest

from tests.bench.echo import ATR, LOOPBACK, EchoCard
from tests.integration.conftest import Desk, Notebook
from tests.integration.pcsc_client import Client, PcscFailure, scard, wait_until
from vpicc_bridge.connection import Connection
from vpicc_bridge.lines import Dialler
from vpicc_bridge.notices import CardFault, Connected, Disconnected, Occupied
from vpicc_bridge.pcscd import PrivatePcscd
from vpicc_bridge.slots import Slots

pytestmark = pytest.mark.pcscd

READ_BINARY = bytes.fromhex("00b0000010")
GONE = {0x80100069, 0x8010000C, 0x80100066, 0x80100016, 0x80100068}


def test_readers_have_the_names_foretold(private_pcscd: PrivatePcscd, client: Client) -> None:
    assert client.readers() == list(private_pcscd.reader_names)


def test_atr_reaches_the_client(insert: Desk, client: Client) -> None:
    reader = insert(EchoCard(bytes.fromhex("3b9f96801fc78031a073be21136743200718000001a5")))
    with client.connected(reader) as handle:
        assert handle.atr().hex() == "3b9f96801fc78031a073be21136743200718000001a5"


@pytest.mark.parametrize("length", [4, 5, 9, 255, 260, 4096, 65_000])
def test_apdu_comes_back_whole(insert: Desk, client: Client, length: int) -> None:
    apdu = READ_BINARY[:4] + bytes(index * 7 & 0xFF for index in range(length - 4))
    with client.connected(insert(EchoCard())) as handle:
        assert handle.transmit(apdu) == apdu + b"\x90\x00"


def test_warm_and_cold_reset_reach_the_card(insert: Desk, client: Client) -> None:
    card = EchoCard()
    with client.connected(insert(card)) as handle:
        card.calls.clear()
        handle.reconnect(scard().SCARD_RESET_CARD)
        assert card.calls == ["reset"]
        card.calls.clear()
        handle.reconnect(scard().SCARD_UNPOWER_CARD)
        assert card.calls == ["power_off", "power_on"]
        assert handle.transmit(READ_BINARY) == READ_BINARY + b"\x90\x00"


def test_removal_and_reinsertion_are_seen(insert: Desk, client: Client) -> None:
    card = EchoCard()
    first = insert(card)
    with client.connected(first) as handle:
        insert.remove(first)
        assert card.calls[-1] == "power_off"
        with pytest.raises(PcscFailure) as caught:
            handle.transmit(READ_BINARY)
        assert caught.value.code in GONE
    with client.connected(insert(card)) as handle:
        assert handle.transmit(READ_BINARY) == READ_BINARY + b"\x90\x00"


def test_four_cards_do_not_mix(insert: Desk, client: Client, private_pcscd: PrivatePcscd) -> None:
    atrs = {insert(EchoCard(bytes([0x3B, 0x01, slot]))): slot for slot in range(4)}
    assert sorted(atrs) == sorted(private_pcscd.reader_names)
    for reader, slot in atrs.items():
        with client.connected(reader) as handle:
            assert handle.atr() == bytes([0x3B, 0x01, slot])


class FaultyCard(EchoCard):
    def transmit(self, apdu: bytes, /) -> bytes:
        if apdu[1] == 0xB0:
            raise RuntimeError("key 00112233")
        return b"" if apdu[1] == 0xB2 else super().transmit(apdu)


def test_a_failing_card_answers_6f00_and_lives_on(insert: Desk, client: Client) -> None:
    notebook = Notebook()
    with client.connected(insert(FaultyCard(), notebook)) as handle:
        assert handle.transmit(READ_BINARY) == b"\x6f\x00"
        assert handle.transmit(bytes.fromhex("00b2010410")) == b"\x6f\x00"
        assert handle.transmit(bytes.fromhex("00a40000"))[-2:] == b"\x90\x00"
    faults = [notice for notice in notebook.notices if isinstance(notice, CardFault)]
    assert [fault.error for fault in faults] == ["RuntimeError", "ValueError"]
    assert "00112233" not in "".join(map(str, notebook.notices))


def test_bytes_that_are_no_apdu_are_answered(insert: Desk, client: Client) -> None:
    with client.connected(insert(EchoCard())) as handle:
        for apdu in (b"\x05", b"\xff", b"\x00\x01", b"\x00\x00\x00", b"\xff" * 7):
            assert handle.transmit(apdu) == apdu + b"\x90\x00"


def test_a_command_too_long_for_vpcd_costs_the_line_and_the_card_comes_back(insert: Desk, client: Client) -> None:
    notebook = Notebook()
    reader = insert(EchoCard(), notebook)
    with client.connected(reader) as handle, pytest.raises(PcscFailure):
        handle.transmit(bytes(65_536))
    wait_until(lambda: [type(n) for n in notebook.notices][-2:] == [Disconnected, Connected], "a second dial")
    client.wait_present(reader)
    with client.connected(reader) as handle:
        assert handle.transmit(READ_BINARY) == READ_BINARY + b"\x90\x00"


@pytest.mark.parametrize("apdu", [b"\x00", b"\x01", b"\x02"])
def test_an_apdu_that_looks_like_a_power_control_does_not_hang_the_reader(
    insert: Desk, client: Client, apdu: bytes
) -> None:
    notebook = Notebook()
    reader = insert.insert_bridge(lambda port: Connection(Dialler(LOOPBACK, port), EchoCard(), notebook, silence=0.6))
    with client.connected(reader) as handle:
        assert handle.transmit(apdu) == b""  # vpcd's answer for a lost line; without it this call never returns
    wait_until(lambda: [type(n) for n in notebook.notices][-2:] == [Disconnected, Connected], "a second dial")
    client.wait_present(reader)
    with client.connected(reader) as handle:
        assert handle.transmit(READ_BINARY) == READ_BINARY + b"\x90\x00"


def test_a_second_card_on_a_slot_is_told_and_takes_over(insert: Desk, client: Client) -> None:
    reader = insert(EchoCard(ATR))
    notebook = Notebook()
    second = EchoCard(bytes.fromhex("3b0155"))
    with Slots() as slots:
        slots.insert(Connection(Dialler(LOOPBACK, insert.port(reader)), second, notebook))
        wait_until(lambda: any(isinstance(n, Occupied) for n in notebook.notices), "the notice")
        assert second.calls == []
        insert.release(reader)
        wait_until(lambda: "power_on" in second.calls, "the second card's turn")
    client.wait_empty(reader)


def test_quickack_is_worth_a_factor_of_hundreds(insert: Desk, client: Client) -> None:
    """Losing TCP_QUICKACK costs a factor of several hundred on stock vpcd; this guards it by ratio, not by rate."""

    def seconds_per_apdu(reader: str, rounds: int) -> float:
        with client.connected(reader) as handle:
            handle.transmit(READ_BINARY)
            start = time.perf_counter()
            for _ in range(rounds):
                handle.transmit(READ_BINARY)
            return (time.perf_counter() - start) / rounds

    fast = insert(EchoCard())
    with_it = min(seconds_per_apdu(fast, 50) for _ in range(10))  # one that nobody else's work fell into
    without_it = seconds_per_apdu(insert(EchoCard(), quickack=False), 10)
    assert without_it / with_it >= 20


def test_a_stranger_on_the_port_does_not_end_pcscd(insert: Desk, client: Client) -> None:
    reader = insert(EchoCard())
    port = insert.port(reader)
    insert.remove(reader)
    with socket.create_connection((LOOPBACK, port)) as stranger:
        stranger.sendall(b"\x00\x00\xff\xffGET / HTTP/1.0\r\n\r\n")
    client.wait_empty(reader)
    with client.connected(insert(EchoCard())) as handle:
        assert handle.atr() == ATR
