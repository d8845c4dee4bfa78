"""A head-end that is killed and comes back: a real process, SIGKILL, the same store and the same ports."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from host_tools.exchange.messages.msk import MskName
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.seeded_keys import service_keys
from host_tools.terminal.http.session import GbaSession
from host_tools.terminal.http.ua import UaClient
from host_tools.terminal.http.ub import HttpBsf
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.network_file import NetworkFile, load_network
from host_tools.wire.system import SystemClock, SystemRng
from tests.support.free_ports import head_end_ports
from tests.support.head_end import free_address, fresh_card, terminal_at
from tests.support.postgresql import PostgreSql

_MOST_SECONDS = 30


class Killed:
    """A head-end that can be killed and started again where it was."""

    def __init__(self, folder: Path, db: str) -> None:
        self._folder = folder
        self._db = db
        self._ports = head_end_ports()
        self.process = self._start()

    @property
    def network(self) -> NetworkFile:
        return load_network(self._folder / "net.toml")

    def restart(self) -> None:
        """Kill it and start it on the ports it has."""
        self.process.kill()
        self.process.communicate(timeout=_MOST_SECONDS)
        assert self.process.returncode == -signal.SIGKILL
        self.process = self._start()

    def metrics(self) -> dict[str, float]:
        end = self.network.others["metrics"].endpoint
        with urlopen(f"http://{end.address}:{end.port}/metrics", timeout=_MOST_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def rests(self) -> bool:
        """Tell whether no LTKM waits, neither to be sent nor to be acknowledged."""
        metrics = self.metrics()
        return metrics["bcast_uicc_ordered"] == metrics["bcast_uicc_outstanding"] == 0

    def _start(self) -> subprocess.Popen[str]:
        command = [
            sys.executable, "-m", "host_tools.cli.main", "headend", "serve", "demo", "--db", self._db,
            "--key-file", str(self._folder / "store.key"), "--network-file", str(self._folder / "net.toml"),
            *self._ports,
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Registrations"):
                return process
        raise AssertionError(process.stderr.read() if process.stderr else "")


@contextmanager
def killed(folder: Path, db: str) -> Iterator[Killed]:
    made = Killed(folder, db)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "a.db")
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.database()


def current_key() -> MskName:
    key = service_keys(shipped_scenario("demo"))[0]
    return MskName(key.key_domain_id, key.msk_id[:2] + bytes(2))


def ask_and_hear_nothing(card: TerminalMiddleware, network: NetworkFile, address: str, ports: KeySockets) -> bytes:
    """Ask for a key as a terminal whose acknowledgement never arrives; return the LTKM."""
    bsf = HttpBsf(HttpTransport(network.bsf.endpoint, address), network.bsf.name, SystemRng())
    session = GbaSession(card, bsf, network.bsm.name, SystemClock().now)
    UaClient(HttpTransport(network.bsm.endpoint, address), network.bsm.name, session, SystemRng()).request_keys(
        [current_key()]
    )
    return ports.wait(_MOST_SECONDS)[0].payload


def test_what_was_agreed_registered_and_outstanding_is_there_again(tmp_path: Path, db: str) -> None:
    card, address = fresh_card(), free_address()
    with killed(tmp_path, db) as headend:
        with terminal_at(card, headend.network, headend.rests, address) as online:
            registered = online.register(headend.network.service_ids)
        assert [receipt.taken for receipt in registered.receipts] == [True, True]
        with KeySockets(address) as ports:
            first = ask_and_hear_nothing(card, headend.network, address, ports)
            headend.restart()
            again = ports.wait(_MOST_SECONDS)[0]
        # It goes out again by itself, with the next T, and the new process sends it.
        assert again.payload != first
        assert again.source == headend.network.push
        with terminal_at(card, headend.network, headend.rests, address) as online:
            asked = online.request_keys([current_key()])
        assert all(receipt.taken for receipt in asked.receipts)
        assert asked.b_tid == registered.b_tid
        metrics = headend.metrics()
        assert metrics["bcast_uicc_unexpected_exceptions_total"] == 0
        assert 'bcast_uicc_http_answers_total{server="bsf",status="200"}' not in metrics  # no bootstrapping was needed
        assert metrics["bcast_uicc_outstanding"] == 0
        assert metrics["bcast_uicc_subscribers"] == 1
        assert metrics["bcast_uicc_registrations"] == 1
    assert (tmp_path / "store.key").stat().st_mode & 0o777 == 0o600


def test_the_file_of_a_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    place = tmp_path / "a.db"
    with killed(tmp_path, str(place)):
        assert place.stat().st_mode & 0o777 == 0o600
        with sqlite3.connect(place) as connection:
            (stored,) = connection.execute("SELECT k FROM subscribers").fetchone()
        connection.close()
    assert stored[0] == 1
