"""Ctrl-C, `kill` and a terminal that is closed while a broadcast plays: whole files, and what was counted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ, mkfifo
from pathlib import Path

import pytest

from card.profile.schema import demo_path
from card.spec.bcast.p1 import P1
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record
from host_tools.links.inprocess import InProcessLink
from tests.unit.vpicc_bridge.fakes import wait_until

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WITH_KEYS = ("--link", "inprocess", "--profile", str(demo_path()), "--scenario", "demo", "--json")
PATIENCE = 60.0
WAV_HEADER = 44


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "host_tools.cli.main", "terminal", *arguments, *WITH_KEYS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environ, "BCAST_UICC_PIN": "1234"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def demo() -> bytes:
    return record(shipped_scenario("demo"), tables=P1).pcap


@pytest.mark.parametrize("number", ENDINGS)
def test_a_broadcast_that_is_still_coming_in(tmp_path: Path, demo: bytes, number: signal.Signals) -> None:
    pipe, wav = tmp_path / "live.pcap", tmp_path / "heard-5004.wav"
    mkfifo(pipe)
    with started("play", str(pipe), "-o", str(tmp_path / "heard")) as process, pipe.open("wb") as file:
        file.write(demo[: len(demo) // 2])
        file.flush()
        wait_until(lambda: wav.exists() and wav.stat().st_size > WAV_HEADER)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert (process.returncode, err) == (ExitCode.INTERRUPTED, "interrupted\n")
    assert 0 < result["packets"]["decrypted"] < 1200
    with wave.open(str(wav)) as audio:
        assert WAV_HEADER + 2 * audio.getnframes() == wav.stat().st_size > WAV_HEADER


@pytest.mark.parametrize("number", ENDINGS)
def test_a_recording_that_was_not_finished_leaves_no_file(tmp_path: Path, demo: bytes, number: signal.Signals) -> None:
    pipe, film = tmp_path / "live.pcap", tmp_path / "film.bcrec"
    mkfifo(pipe)
    with started("record", str(pipe), "-o", str(film), "--no-card") as process, pipe.open("wb") as file:
        file.write(demo[: len(demo) // 2])
        file.flush()
        wait_until(lambda: [path.name for path in tmp_path.iterdir()] != ["live.pcap"])
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (ExitCode.INTERRUPTED, "interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["live.pcap"]


@pytest.fixture
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDINGS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_as_before")
@pytest.mark.parametrize("number", ENDINGS)
def test_a_replay(
    tmp_path: Path,
    demo: bytes,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", "1234")
    capture, film = tmp_path / "demo.pcap", tmp_path / "film.bcrec"
    capture.write_bytes(demo)
    assert invoke(["terminal", "record", str(capture), "-o", str(film), "--no-card"]) == ExitCode.OK
    whole, calls = InProcessLink.transmit, iter(range(1000))

    def transmit(link: InProcessLink, apdu: bytes) -> bytes:
        if next(calls) == 50:
            signal.raise_signal(number)
        return whole(link, apdu)

    monkeypatch.setattr(InProcessLink, "transmit", transmit)
    capsys.readouterr()
    status = invoke(["terminal", "replay", str(film), "-o", str(tmp_path / "heard"), *WITH_KEYS])
    out, err = capsys.readouterr()
    (piece,) = json.loads(out)["pieces"]
    assert (status, err) == (ExitCode.INTERRUPTED, "interrupted\n")
    assert 0 < piece["packets"]["decrypted"] < 1200
    wav = tmp_path / "heard-5004.wav"
    with wave.open(str(wav)) as audio:
        assert WAV_HEADER + 2 * audio.getnframes() == wav.stat().st_size > WAV_HEADER
