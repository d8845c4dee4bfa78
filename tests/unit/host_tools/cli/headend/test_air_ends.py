"""`headend air` ends in order, whichever signal tells it to: before it has its first STKMs and on the air."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from host_tools.cli.exits import INTERRUPTED, OK
from tests.support.free_ports import free_ports
from tests.support.head_end import free_address
from tests.support.live import Program

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def bsda(folder: Path) -> Program:
    address = free_address()
    listener = f"{address}:{free_ports(address, 8)}"
    key, clock = str(folder / "back.key"), str(folder / "clock.json")
    return Program(
        "headend", "air", "demo", "--bsm", "127.0.0.1:1", "--transport-key", key, "--clock-file", clock, "--loop",
        "--listener", listener,
    )  # fmt: skip


@pytest.mark.parametrize("number", SIGNALS)
def test_on_the_air(number: signal.Signals, tmp_path: Path) -> None:
    with bsda(tmp_path) as station:
        station.wait_for("again and again")
        station.process.send_signal(number)
        assert station.wait() == OK, station.text


@pytest.mark.parametrize("number", SIGNALS)
def test_before_it_is_on_the_air(number: signal.Signals, tmp_path: Path) -> None:
    with bsda(tmp_path) as station:
        station.wait_for("the BSM gives nothing")
        station.process.send_signal(number)
        assert station.wait() == INTERRUPTED, station.text
    assert "on the air" not in station.text
    assert "Traceback" not in station.text


def test_one_that_waits_for_its_begin_says_when_that_is(tmp_path: Path) -> None:
    clock, address = tmp_path / "clock.json", free_address()
    clock.write_text('{"scenario": "demo", "speed": 1.0, "began": "2099-12-31T20:15:00+00:00"}')
    listener = f"{address}:{free_ports(address, 8)}"
    options = ("--air", "--loop", "--listener", listener, "--clock-file", str(clock))
    with Program("headend", "serve", "demo", *options) as station:
        station.wait_for("it begins in")
    assert "at 2099-12-31 20:15:00 UTC, as its clock file says" in station.text
