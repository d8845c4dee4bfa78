"""The conformance suite through real pcscd and vpcd, and the tap between the two."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from host_tools.cli.main import invoke
from host_tools.links.base import LinkError
from host_tools.links.pcsc import PcscLink
from host_tools.script.load import load_script, shipped_suites
from host_tools.script.results import Status
from host_tools.script.runner import Runner, RunOptions
from host_tools.trace.events import CardEvent
from host_tools.trace.record import Recorder
from host_tools.trace.tap import Tap
from tests.integration.conftest import Desk
from tests.integration.pcsc_client import wait_until
from tests.unit.host_tools.script.fakes import ICCID, OPC, K, write
from tests.unit.host_tools.trace.fakes import Collector, exchanges
from vpicc_bridge.connection import Connection
from vpicc_bridge.lines import Dialler

pytestmark = pytest.mark.pcscd
PROFILES = {"usim": ICCID, "usim-t1": "8900101000000000027", "csim": "8900101000000000035"}
SECRETS = {
    "usim": ("1234", K, OPC),
    "usim-t1": ("0000", "0396eb317b6d1c36f19c1c84cd6ffd16", "53c15671c60a4b731c55b4a441c0bde2"),
    "csim": ("1234", K, OPC),
}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_suite_passes_through_pcscd(
    profile: str, insert: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in zip(("PIN", "K", "OPC"), SECRETS[profile], strict=True):
        monkeypatch.setenv(f"BCAST_UICC_{name}", value)
    reader = insert(memory_card(CardProfile.demo(profile)))
    junit = tmp_path / "r.xml"
    options = ["--destructive", "--allow-iccid", PROFILES[profile], "--junit", str(junit), "--timeout", "30"]
    status = invoke(["script", "run", "all", "--reader", reader, *options])
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert 'name="uicc"' in junit.read_text()
    assert " failed" not in shown.splitlines()[-1]


def test_a_card_taken_out_on_the_way_is_reported(
    insert: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_missing_reader_is_the_environments_fault(
    insert: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    insert(memory_card(CardProfile.demo()))
    assert invoke(["script", "run", "uicc", "--reader", "no such reader"]) == 3
    assert "There is no reader “no such reader”" in capsys.readouterr().err


def test_the_tap_sees_what_passes_and_changes_nothing(insert: Desk) -> None:
    collector = Collector()
    taps: list[Tap] = []
    threads: list[threading.Thread] = []

    def through_tap(port: int) -> Connection:
        tap = Tap(0, port, Recorder("tap", [collector]))
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
