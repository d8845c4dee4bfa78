"""A page made from the trace of a playing shows what the card was given and what it answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.profile.schema import demo_path
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke

CARD = ("--link", "inprocess", "--profile", str(demo_path()), "--pin", "1234", "--scenario", "pay_per_time")


@pytest.mark.parametrize("suffix", [".jsonl", ".pcapng"])
def test_a_trace_becomes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    capture, trace, page = tmp_path / "b.pcap", tmp_path / f"trace{suffix}", tmp_path / "page.html"
    assert invoke(["headend", "record", "pay_per_time", "-o", str(capture)]) == ExitCode.OK
    assert invoke(["terminal", "play", str(capture), *CARD, "--trace", str(trace)]) == ExitCode.OK
    assert invoke(["trace", "report", str(trace), str(page)]) == ExitCode.OK
    assert f"{page}: what happened" in capsys.readouterr().err
    told = page.read_text()
    assert "4 traffic keys from 12 STKMs, 4 STKMs refused." in told
    assert "LTKM for key 00f11000010001: BCAST status 00" in told
    assert "GBA bootstrapping: done" in told
    assert "BCAST status" in told


def test_what_is_no_trace_makes_no_page(tmp_path: Path) -> None:
    trace, page = tmp_path / "empty.jsonl", tmp_path / "page.html"
    trace.write_text("")
    assert invoke(["trace", "report", str(trace), str(page)]) == ExitCode.INPUT
    assert not page.exists()
