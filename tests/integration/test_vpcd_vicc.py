"""The same card inside Debian's virtualsmartcard, through the real pcscd and vpcd."""

from __future__ import annotations

import logging
import sys

import pytest

from tests.bench.echo import ATR, LOOPBACK, EchoCard
from tests.integration.conftest import Desk, Notebook
from tests.integration.pcsc_client import Client, wait_until
from vpicc_bridge.notices import Connected, Disconnected
from vpicc_bridge.vicc_os import ViccBridge

pytestmark = pytest.mark.pcscd

READ_BINARY = bytes.fromhex("00b0000010")


def insert_vicc(insert: Desk, card: EchoCard, notebook: Notebook) -> str:
    return insert.insert_bridge(lambda port: ViccBridge(card, LOOPBACK, port, notebook))


def test_echo_and_power_through_virtualsmartcard(insert: Desk, client: Client) -> None:
    card, notebook = EchoCard(), Notebook()
    reader = insert_vicc(insert, card, notebook)
    with client.connected(reader) as handle:
        assert handle.atr() == ATR
        for length in (4, 255, 65_000):
            assert handle.transmit(bytes(length)) == bytes(length) + b"\x90\x00"
    insert.remove(reader)
    assert card.calls[-1] == "power_off"
    assert [type(notice) for notice in notebook.notices] == [Connected, Disconnected]


class RaisingCard(EchoCard):
    def transmit(self, apdu: bytes, /) -> bytes:
        raise RuntimeError("a defect")


def test_a_failing_card_does_not_end_the_process(insert: Desk, client: Client) -> None:
    with client.connected(insert_vicc(insert, RaisingCard(), Notebook())) as handle:
        assert handle.transmit(READ_BINARY) == b"\x6f\x00"
        assert handle.transmit(READ_BINARY) == b"\x6f\x00"


def test_it_dials_again_when_vpcd_drops_the_line(insert: Desk, client: Client) -> None:
    notebook = Notebook()
    reader = insert_vicc(insert, EchoCard(), notebook)
    with client.connected(reader) as handle, pytest.raises(Exception, match="SCardTransmit"):
        handle.transmit(bytes(65_536))
    wait_until(lambda: [type(n) for n in notebook.notices][-2:] == [Disconnected, Connected], "a second dial")
    client.wait_present(reader)


def test_responses_never_reach_the_root_logger(insert: Desk, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    path = list(sys.path)
    with caplog.at_level(logging.DEBUG):
        reader = insert_vicc(insert, EchoCard(), Notebook())
        with client.connected(reader) as handle:
            handle.transmit(bytes.fromhex("00b0c0ffee"))
    assert "c0ffee" not in caplog.text.lower().replace(" ", "")
    assert sys.path == path
