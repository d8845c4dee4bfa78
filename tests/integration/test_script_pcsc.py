"""The conformance suite through real pcscd and vpcd, and the tap between the two."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from card import CardProfile, memory_card
from card.profile.bcast import BcastProfile, TableSet
from host_tools.cli.main import invoke
from host_tools.links.base import LinkError
from host_tools.links.pcsc import PcscLink
from host_tools.script.load import load_script, shipped_suites
from host_tools.script.results import Status
from host_tools.script.runner import Runner, RunOptions
from host_tools.trace.events import CardEvent
from host_tools.trace.tap import Tap
from host_tools.trace.tracer import Tracer
from tests.integration.conftest import Desk
from tests.integration.pcsc_client import wait_until
from tests.unit.host_tools.script.fakes import ICCID, OPC, K, write
from tests.unit.host_tools.trace.fakes import Collector, exchanges
from vpicc_bridge.adapter import VirtualCard
from vpicc_bridge.connection import Connection
from vpicc_bridge.lines import Dialler

pytestmark = pytest.mark.pcscd
PROFILES = {"usim": ICCID, "usim-t1": "8900101000000000027", "csim": "8900101000000000035"}
SECRETS = {
    "usim": ("1234", K, OPC),
    "usim-t1": ("0000", "0396eb317b6d1c36f19c1c84cd6ffd16", "53c15671c60a4b731c55b4a441c0bde2"),
    "csim": ("1234", K, OPC),
}
RK = "b0a1c2d3e4f5061728394a5b6c7d8e9f"


@pytest.fixture
def run_suites(insert: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Element]:
    """Run suites on a card in a reader, with all keys known and all leave given; return the JUnit report."""

    def run(card: VirtualCard, profile: str, suite: str = "all", tables: str = "P1") -> Element:
        for name, value in zip(("PIN", "K", "OPC"), SECRETS[profile], strict=True):
            monkeypatch.setenv(f"BCAST_UICC_{name}", value)
        for name, value in (("RK", RK), ("PARENTAL_PIN", "2468"), ("TABLES", tables)):
            monkeypatch.setenv(f"BCAST_UICC_{name}", value)
        reader, junit = insert(card), tmp_path / "r.xml"
        options = ["--destructive", "--allow-iccid", PROFILES[profile], "--junit", str(junit), "--timeout", "30"]
        assert invoke(["script", "run", suite, "--reader", reader, *options]) == 0
        return fromstring(junit.read_text())

    return run


@pytest.mark.parametrize("profile", PROFILES)
def test_the_suite_passes_through_pcscd(profile: str, run_suites: Callable[..., Element]) -> None:
    report = run_suites(memory_card(CardProfile.demo(profile)), profile)
    assert len(report.findall(".//testcase[@classname='uicc']")) > 10
    done = [case for case in report.findall(".//testcase[@classname='bcast']") if case.find("skipped") is None]
    assert len(done) > 150
    assert report.findall(".//failure") + report.findall(".//error") == []


@pytest.mark.parametrize("suite", ["bcast", "csim"])
def test_a_card_on_other_tables_passes_when_the_suite_is_told(suite: str, run_suites: Callable[..., Element]) -> None:
    demo = replace(CardProfile.demo("csim"), bcast=BcastProfile(table_set=TableSet.X2))
    report = run_suites(memory_card(demo), "csim", suite, "X2")
    assert len(report.findall(".//testcase")) > 70
    assert report.findall(".//skipped") + report.findall(".//failure") == []


def test_a_card_taken_out_on_the_way_is_reported(insert: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BCAST_UICC_PIN", raising=False)
    reader = insert(memory_card(CardProfile.demo()))
    script = load_script(write(tmp_path, '[[step]]\napdu = "00A4000C023F00"\nrepeat = 100\n'))
    link = PcscLink.open(reader)
    results = []
    try:
        for result in Runner(link, RunOptions()).run(script):
            results.append(result)
            if len(results) == 3:
                insert.remove(reader)
    finally:
        link.close()
    assert [result.status for result in results] == [Status.PASSED] * 3 + [Status.ERROR]
    assert results[-1].lost
    assert "vanished" in results[-1].reason


def test_a_missing_reader_is_the_environments_fault(insert: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    insert(memory_card(CardProfile.demo()))
    assert invoke(["script", "run", "uicc", "--reader", "no such reader"]) == 3
    assert "There is no reader “no such reader”" in capsys.readouterr().err


def test_the_tap_sees_what_passes_and_changes_nothing(insert: Desk) -> None:
    collector = Collector()
    taps: list[Tap] = []
    threads: list[threading.Thread] = []

    def through_tap(port: int) -> Connection:
        tap = Tap(0, port, Tracer("tap", [collector]))
        thread = threading.Thread(target=tap.run)
        thread.start()
        taps.append(tap)
        threads.append(thread)
        return Connection(Dialler("127.0.0.1", tap.port), memory_card(CardProfile.demo()))

    try:
        reader = insert.insert_bridge(through_tap)
        link = PcscLink.open(reader)
        try:
            results = list(Runner(link).run(load_script(shipped_suites()["uicc"])))
        except LinkError as error:
            pytest.fail(str(error))
        finally:
            link.close()
        assert {result.status for result in results} == {Status.PASSED}
        wait_until(lambda: len(exchanges(collector)) >= 20, "the tap to see the session")
        seen = exchanges(collector)
        assert any(event.file == "MF/EF_ICCID" and event.sw == 0x9000 for event in seen)
        powered = [event for event in collector.events if isinstance(event, CardEvent) and event.atr]
        assert powered
        assert powered[0].atr == link.atr
    finally:
        for tap in taps:
            tap.stop()
        for thread in threads:
            thread.join(10)
        for tap in taps:
            tap.close()
