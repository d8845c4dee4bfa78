"""pyscard's own observers and connections, and extended APDUs as newer clients send them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from card.profile.files import AccessCondition, AccessProfile, EfPath, FileProfile, Root, Structure
from card.profile.schema import Transport
from tests.integration.conftest import Desk
from tests.integration.pcsc_client import Client, scard
from tests.support.platform_cards import platform_card
from vpicc_bridge.pcscd import PrivatePcscd

pytestmark = pytest.mark.pcscd

ROOT = Path(__file__).parents[2]
LARGE = 2000
_OPEN = AccessProfile(AccessCondition.ALWAYS, AccessCondition.ALWAYS)
LARGE_FILE = FileProfile(EfPath(Root.MF, (0x2F7F,)), None, None, Structure.TRANSPARENT, size=LARGE, access=_OPEN)


@contextmanager
def card_monitor(pcscd: PrivatePcscd) -> Iterator[Callable[[], str]]:
    """Run `card_monitor.py` and yield a function that returns its next line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.card_monitor"],
        cwd=ROOT, env=pcscd.environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    stdout = process.stdout
    assert stdout is not None
    try:
        yield lambda: stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def test_card_monitor_sees_the_card_come_and_go(private_pcscd: PrivatePcscd, insert: Desk) -> None:
    card = platform_card()
    with card_monitor(private_pcscd) as next_line:
        assert next_line() == "watching"
        reader = insert(card.card)
        assert next_line() == f"came {card.card.atr.hex()}"
        insert.remove(reader)
        assert next_line() == f"went {card.card.atr.hex()}"


def test_card_connection(insert: Desk) -> None:
    from smartcard.System import readers

    name = insert(platform_card().card)
    connection = next(each for each in readers() if str(each) == name).createConnection()
    connection.connect()
    try:
        data, sw1, sw2 = connection.transmit(list(bytes.fromhex("00A40004023F0000")))
        assert (data[0], sw1, sw2) == (0x62, 0x90, 0x00)
        data, sw1, sw2 = connection.transmit(list(bytes.fromhex("00A40004023F00")))
        if sw1 == 0x61:
            data, sw1, sw2 = connection.transmit([0x00, 0xC0, 0x00, 0x00, sw2])
        assert (data[0], sw1, sw2) == (0x62, 0x90, 0x00)
    finally:
        connection.disconnect()


def test_a_t1_card_takes_extended_apdus(insert: Desk, client: Client) -> None:
    card = platform_card(transport=Transport.T1, files=(LARGE_FILE,))
    content = bytes(index % 251 for index in range(LARGE))
    with client.connected(insert(card.card)) as handle:
        assert handle.protocol == scard().SCARD_PROTOCOL_T1
        assert handle.transmit(bytes.fromhex("00A4000C022F7F")) == b"\x90\x00"
        update = bytes.fromhex("00D6000000") + LARGE.to_bytes(2, "big") + content
        assert handle.transmit(update) == b"\x90\x00"
        assert handle.transmit(bytes.fromhex("00B0000000") + LARGE.to_bytes(2, "big")) == content + b"\x90\x00"
        assert handle.transmit(bytes.fromhex("00B00000000000")) == content + b"\x90\x00"
        assert handle.transmit(bytes.fromhex("00B0000010")) == content[:16] + b"\x90\x00"
