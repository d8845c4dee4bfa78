"""Card tools that everybody has, against the card through the real pcscd: they take it for what it says it is."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from card.profile.schema import Transport
from tests.integration.conftest import Desk
from tests.integration.pcsc_client import Client
from tests.support.platform_cards import platform_card
from tests.support.testcard import TestCard
from vpicc_bridge.pcscd import PrivatePcscd

pytestmark = pytest.mark.pcscd

PATIENCE = 60
VERIFY_PIN = "00 20 00 01 08 31 32 33 34 FF FF FF FF"
IMSI_FILE = "08 09 10 10 10 32 54 76 98"


@pytest.fixture
def card() -> TestCard:
    return platform_card()


@pytest.fixture
def reader(insert: Desk, card: TestCard) -> str:
    return insert(card.card)


def run(pcscd: PrivatePcscd, *command: str, feed: str = "") -> str:
    """Run a tool that must be installed (`tools/setup.sh` does it) and must succeed; return what it printed."""
    assert shutil.which(command[0]), f"{command[0]} is not installed; see tools/setup.sh"
    done = subprocess.run(
        command, input=feed, env=pcscd.environ(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def spaced(data: bytes, separator: str = " ") -> str:
    return data.hex(separator).upper()


def test_opensc_tool_shows_the_atr(private_pcscd: PrivatePcscd, reader: str, card: TestCard) -> None:
    assert spaced(card.card.atr, ":").lower() in run(private_pcscd, "opensc-tool", "-r", reader, "-a").lower()


def test_opensc_tool_sends_apdus_of_every_case(private_pcscd: PrivatePcscd, reader: str) -> None:
    apdus = ["00A4040C07A0000000871002", VERIFY_PIN.replace(" ", ""), "00A40004026F0700", "00B0000009", "80F2000C"]
    sent = [part for apdu in apdus for part in ("-s", apdu)]
    output = run(private_pcscd, "opensc-tool", "-r", reader, *sent)
    assert len(re.findall(r"SW1=0x90, SW2=0x00", output)) == len(apdus)
    assert IMSI_FILE in output


def test_scriptor_runs_a_session(private_pcscd: PrivatePcscd, reader: str) -> None:
    script = ["reset", "00 A4 04 0C 07 A0 00 00 00 87 10 02", VERIFY_PIN, "00 A4 00 0C 02 6F 07", "00 B0 00 00 09"]
    output = run(private_pcscd, "scriptor", "-r", reader, feed="\n".join(script) + "\n")
    assert IMSI_FILE in " ".join(output.split())
    assert output.count("90 00") >= 4


def test_pcsc_scan_sees_the_card(private_pcscd: PrivatePcscd, reader: str, card: TestCard) -> None:
    output = re.sub(r"\x1b\[[0-9;]*m", "", run(private_pcscd, "pcsc_scan", "-c"))
    assert reader in output
    assert spaced(card.card.atr) in output


@pytest.mark.parametrize("transport", Transport)
def test_the_atr_is_read_as_iso_says(private_pcscd: PrivatePcscd, transport: Transport) -> None:
    atr = platform_card(transport=transport).card.atr
    output = re.sub(r"\x1b\[[0-9;]*m", "", run(private_pcscd, "ATR_analysis", spaced(atr)))
    assert "correct checksum" in output
    assert f"Protocol T = {transport.value[-1]}" in output.replace("T=", "T = ").replace("T =  ", "T = ")


def test_a_reset_between_two_clients_forgets_the_pin(insert: Desk, client: Client) -> None:
    card = platform_card()
    with client.connected(insert(card.card)) as handle:
        handle.transmit(bytes.fromhex("00A4040C07A0000000871002"))
        assert handle.transmit(bytes.fromhex(VERIFY_PIN)) == b"\x90\x00"
        handle.reconnect(1)
        handle.transmit(bytes.fromhex("00A4040C07A0000000871002"))
        handle.transmit(bytes.fromhex("00A4000C026F07"))
        assert handle.transmit(bytes.fromhex("00B0000009")) == b"\x69\x82"
