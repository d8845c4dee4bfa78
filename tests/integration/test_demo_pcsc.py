"""The whole job and its parts through a real pcscd and vpcd, and how they end when something is pulled out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from card.profile.schema import Transport
from card.spec.bcast.p1 import P1
from host_tools.apdu.response import StatusError
from host_tools.cli.exits import ExitCode
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import NoReader, ReaderGone, TransmissionProtocol
from host_tools.links.pcsc import PcscLink
from host_tools.sessions.keys import keys_from_network
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.usim import EF_IMSI
from tests.integration.conftest import Desk

pytestmark = pytest.mark.pcscd

DEMO = [sys.executable, "-m", "host_tools.cli.main", "demo"]
PATIENCE = 60.0


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder for temporary files that pcscd's own user can enter, and whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="bu-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def descendants(pid: int) -> set[int]:
    """Return the process ids below `pid`. A thread or a process may end while it is looked at."""
    found: set[int] = set()
    tasks: list[Path] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        tasks += Path(f"/proc/{pid}/task").iterdir()
    for task in tasks:
        children = ""
        with suppress(FileNotFoundError, ProcessLookupError):
            children = (task / "children").read_text()
        for child in map(int, children.split()):
            found |= {child} | descendants(child)
    return found


class TestDemo:
    def test_everything_equals_the_head_end(self, shared_folder: Path, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        done = subprocess.run(
            [*DEMO, "--json", "--keep", str(kept)],
            env={**os.environ, "TMPDIR": str(shared_folder)},
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr.count("Error")) == (ExitCode.OK, 0), done.stderr
        result = json.loads(done.stdout)
        assert (result["link"], result["differences"]) == ("pcsc", [])
        assert result["wire"]["udp"] == {"LTKMs to the terminal": 3, "verification messages to the BSM": 3}
        assert result["packets"]["decrypted"] == result["packets"]["seen"] > 1000
        assert [Path(file).name for file in result["files"]] == ["broadcast-5004.wav", "broadcast-5006.wav"]
        for file in result["files"]:
            with wave.open(file) as audio:
                assert audio.getnframes() > 0
        assert list(shared_folder.iterdir()) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted_it_leaves_nothing_behind(self, shared_folder: Path, number: signal.Signals) -> None:
        process = subprocess.Popen(
            [*DEMO, "--no-keep"], env={**os.environ, "TMPDIR": str(shared_folder), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "ATR" in line:
                    break
            below = descendants(process.pid)
            process.send_signal(number)
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
        assert len(below) >= 2  # pcscd and the card
        assert (process.returncode, errors.strip()) == (ExitCode.INTERRUPTED, "interrupted")
        assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []
        assert list(shared_folder.iterdir()) == []


class TestLink:
    def test_both_protocols_carry_the_same_job(self, insert: Desk) -> None:
        for offered, protocol in (
            (Transport.T0, TransmissionProtocol.T0),
            (Transport.T1, TransmissionProtocol.T1),
        ):
            profile = replace(CardProfile.demo(), transport=offered)
            link = PcscLink.open(insert(memory_card(profile, strict=True)))
            try:
                assert link.protocol is protocol
                assert TerminalMiddleware(link, tables=P1).connect(profile.pins.pin1.value).imsi == profile.usim.imsi
            finally:
                link.close()

    def test_a_reset_forgets_the_pin(self, insert: Desk) -> None:
        profile = CardProfile.demo()
        link = PcscLink.open(insert(memory_card(profile, strict=True)))
        try:
            middleware = TerminalMiddleware(link, tables=P1)
            middleware.connect(profile.pins.pin1.value)
            assert len(middleware.usim.read_file(EF_IMSI)) == 9
            assert link.reset() == link.atr
            middleware.usim.select_usim()
            with pytest.raises(StatusError, match="6982"):
                middleware.usim.read_file(EF_IMSI)
        finally:
            link.close()

    def test_a_card_pulled_out_while_keys_are_delivered(self, insert: Desk) -> None:
        profile = CardProfile.demo()
        reader = insert(memory_card(profile, strict=True))
        link = PcscLink.open(reader)
        try:
            middleware = TerminalMiddleware(link, tables=P1)
            middleware.connect(profile.pins.pin1.value)
            network = UsimNetwork(shipped_scenario("demo"), subscriber_of(profile), tables=P1)
            delivery = keys_from_network(middleware, network)
            insert.remove(reader)
            with pytest.raises(ReaderGone, match="vanished"):
                delivery.deliver_until(network.scenario.start.timestamp())
        finally:
            link.close()

    def test_an_empty_reader(self, insert: Desk) -> None:
        reader = insert(memory_card(CardProfile.demo()))
        insert.remove(reader)
        with pytest.raises(NoReader, match="No card in reader"):
            PcscLink.open(reader, wait=0.3)
