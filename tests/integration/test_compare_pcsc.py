"""Comparison, faults and the shell on real readers: two virtual ones with deliberately different cards."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from card.profile.schema import Transport
from host_tools.apdu.response import Response
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.links.base import LinkError
from host_tools.links.pcsc import PcscLink
from host_tools.realism.bridge import ReturningBridge
from host_tools.realism.faulty import FaultyCard
from host_tools.realism.plan import Fault, FaultKind, Injector
from tests.bench.echo import LOOPBACK
from tests.integration.conftest import Desk
from tests.integration.pcsc_client import PATIENCE, Client
from vpicc_bridge.connection import Connection
from vpicc_bridge.lines import Dialler
from vpicc_bridge.pcscd import PrivatePcscd
from vpicc_bridge.slots import Bridge

pytestmark = pytest.mark.pcscd

CHALLENGE = bytes.fromhex("0084000008")
SCRIPT = """
[script]
title = "Look"
[[step]]
name = "MF"
apdu = "00A40004 02 3F00 00"
[[step]]
name = "USIM"
apdu = "00A40404 07 A0000000871002 00"
[[step]]
name = "challenge"
apdu = "00840000 08"
[[step]]
name = "IMSI file"
apdu = "00A40004 02 6F07 00"
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "look.toml"
    path.write_text(SCRIPT)
    return path


def faulty_bridge(*plan: Fault) -> Callable[[int], Bridge]:
    """Return what makes the bridge of a card with faults for a port."""

    def make(port: int) -> Bridge:
        card = FaultyCard(memory_card(CardProfile.demo()), Injector(plan), lambda after: bridge.pull(after))
        bridge = ReturningBridge(lambda: Connection(Dialler(LOOPBACK, port), card))
        return bridge

    return make


def test_different_cards_in_two_readers(insert: Desk, script: Path, tmp_path: Path) -> None:
    a, b = (insert(memory_card(CardProfile.demo(name))) for name in ("usim", "usim-t1"))
    html, as_json = tmp_path / "r.html", tmp_path / "r.json"
    status = invoke(["compare", "--a", a, "--b", b, str(script), "--html", str(html), "--json", str(as_json)])
    data = json.loads(as_json.read_text())
    assert status == ExitCode.DIFFERENT
    assert (data["a"]["reader"], data["a"]["protocol"], data["b"]["reader"], data["b"]["protocol"]) == (
        a, "T=0", b, "T=1",
    )  # fmt: skip
    assert {found["where"] for found in data["general"]} == {"ATR", "protocol"}
    kinds = {found["kind"] for pair in data["pairs"] for found in pair["differences"]}
    assert kinds <= {"value", "tlv", "sw", "length"}
    assert a in html.read_text()


def test_the_same_card_on_both_protocols_differs_in_atr_and_protocol_only(
    insert: Desk, script: Path, tmp_path: Path
) -> None:
    other = replace(CardProfile.demo(), transport=Transport.T1)
    a, b = insert(memory_card(CardProfile.demo())), insert(memory_card(other))
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[allow]]\nwhy = "another transport"\npath = "ATR"\n[[allow]]\nwhy = "the same"\npath = "protocol"\n'
    )
    assert invoke(["compare", "--a", a, "--b", b, str(script), "--allow", str(rules)]) == ExitCode.OK


def test_a_reader_that_vanishes_is_reported_and_the_report_is_written(
    insert: Desk, script: Path, tmp_path: Path, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    a = insert(memory_card(CardProfile.demo()))
    b = insert.insert_bridge(faulty_bridge(Fault(FaultKind.REMOVAL, command="GET CHALLENGE", at=1)))
    as_json = tmp_path / "r.json"
    status = invoke(["compare", "--a", a, "--b", b, str(script), "--json", str(as_json)])
    assert status == ExitCode.ENVIRONMENT
    assert b in capsys.readouterr().err
    found = [item for pair in json.loads(as_json.read_text())["pairs"] for item in pair["differences"]]
    assert "link" in {item["kind"] for item in found}
    client.wait_present(b)


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.MUTE, FaultKind.POWER_LOSS, FaultKind.REMOVAL])
def test_a_lost_answer_ends_the_command_and_the_card_comes_back(insert: Desk, client: Client, kind: FaultKind) -> None:
    reader = insert.insert_bridge(faulty_bridge(Fault(kind, command="GET CHALLENGE", at=2)))
    link = PcscLink.open(reader)
    try:
        assert link.transmit(CHALLENGE)[-2:] == b"\x90\x00"
        with pytest.raises(LinkError):
            Response.decode(link.transmit(CHALLENGE))  # vpcd gives an empty answer where the line broke
    finally:
        link.close()
    client.wait_empty(reader)
    client.wait_present(reader)
    again = PcscLink.open(reader)
    try:
        assert again.transmit(CHALLENGE)[-2:] == b"\x90\x00"
    finally:
        again.close()


def test_a_profile_is_learned_from_a_card_in_a_reader(
    insert: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", "1234")
    reader, learned = insert(memory_card(CardProfile.demo("usim-t1"))), tmp_path / "learned.toml"
    assert invoke(["compare", "learn", "--reader", reader, "-o", str(learned)]) == ExitCode.OK
    assert CardProfile.load(learned).usim.imsi == CardProfile.demo("usim-t1").usim.imsi


def test_the_shell_on_a_reader(
    insert: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = insert(memory_card(CardProfile.demo()))
    monkeypatch.setattr("sys.stdin", io.StringIO("apps\nselect EF_ICCID\nread\n"))
    assert invoke(["shell", "--reader", reader]) == ExitCode.OK
    assert "EF_ICCID: 89001010000000000" in capsys.readouterr().out


@pytest.fixture
def faulty_process(private_pcscd: PrivatePcscd, tmp_path: Path) -> Iterator[str]:
    """The command `run --faults` in a process of its own, with a plan; yields the name of its reader."""
    plan = tmp_path / "plan.toml"
    plan.write_text('[[fault]]\nkind = "wrong-sw"\nsw = "6581"\ncommand = "GET CHALLENGE"\nat = 2\n')
    command = [sys.executable, "-m", "host_tools.cli.main", "run", "usim", "--fresh", "--faults", str(plan)]
    process = subprocess.Popen([*command, "--port", str(private_pcscd.ports[-1])])
    try:
        yield private_pcscd.reader_names[-1]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()


def test_run_with_faults_puts_a_faulty_card_into_a_reader(faulty_process: str, client: Client) -> None:
    client.wait_present(faulty_process)
    link = PcscLink.open(faulty_process)
    try:
        assert [link.transmit(CHALLENGE)[-2:].hex() for _ in range(3)] == ["9000", "6581", "9000"]
    finally:
        link.close()
