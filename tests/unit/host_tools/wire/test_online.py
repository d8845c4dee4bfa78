"""`terminal online` as a process of its own before `headend serve`: it stays, it ends, it is killed and goes on."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.exchange.messages.ltkm_push import MIKEY_PORT
from host_tools.terminal.client.journal_text import decode_state
from tests.support.head_end import PIN
from tests.unit.host_tools.wire.test_commands import Served, serving

_MOST_SECONDS = 60.0
_PROGRAM = [sys.executable, "-m", "host_tools.cli.main"]
_KILLED_BEFORE_THE_ANSWER_GOES = """
from host_tools.wire.key_sockets import KeySockets
KeySockets.send = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""
_KILLED_BEFORE_IT_IS_WRITTEN_DOWN = """
from host_tools.terminal.state_file import StateFile
save = StateFile.save
def killed(self):
    if any(one.taken for one in self.journal.ltkms):
        os.kill(os.getpid(), signal.SIGKILL)
    save(self)
StateFile.save = killed
"""
_THEN = "from host_tools.cli.main import main\nmain()"


class Online:
    """A terminal that stays, whose events are read as they come."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.events: list[dict[str, object]] = []
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, wanted: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """Return the next event that is wanted; what comes before it is kept in `events`."""
        deadline = time.monotonic() + _MOST_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            except Empty:
                pytest.fail(f"it never came; {self.events}, {self.process.poll()}")
            event: dict[str, object] = json.loads(line)
            self.events.append(event)
            if wanted(event):
                return event

    def wait_for_state(self, name: str) -> dict[str, object]:
        return self.wait_for(lambda event: event["event"] == "state" and event["after"] == name)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(_MOST_SECONDS)

    def close(self) -> None:
        """End at once. What is read is read to its end first: `communicate` closes the pipe."""
        self.process.kill()
        self._reader.join(_MOST_SECONDS)
        self.process.communicate()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, "--db", str(folder / "a.db")) as found:
        yield found


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "a.card"
    create_card(CardProfile.demo(), path).close()
    return path


@pytest.fixture(autouse=True)
def _pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())


def arguments(served: Served, verb: str, card: Path, *more: str) -> list[str]:
    place = ["--network", str(served.file), "--address", served.address, "--state", str(state_of(card))]
    return ["terminal", verb, "--link", "inprocess", "--profile", str(card), "--json", *place, *more]


def state_of(card: Path) -> Path:
    return card.with_suffix(".state")


@contextmanager
def online(served: Served, card: Path, *more: str, program: list[str] | None = None) -> Iterator[Online]:
    running = Online([*(program or _PROGRAM), *arguments(served, "online", card, *more)])
    try:
        yield running
    finally:
        running.close()


def is_ltkm(event: dict[str, object]) -> bool:
    return event["event"] == "ltkm"


def test_it_stays_and_one_process_has_its_state(served: Served, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with online(served, card, *served.network.service_ids) as running:
        running.wait_for_state("ready")
        assert [running.wait_for(is_ltkm)["verdict"] for _ in range(2)] == ["taken", "taken"]
        # The card file is in use, too; a second card would still meet the state.
        other = card.with_name("b.card")
        create_card(CardProfile.demo(), other).close()
        command = arguments(served, "keys", other)
        command[command.index("--state") + 1] = str(state_of(card))
        assert invoke(command) == ExitCode.LOCKED
        assert f"in use by process {running.process.pid}" in capsys.readouterr().err
        assert running.end() == ExitCode.OK
        assert running.process.stderr is not None
        assert running.process.stderr.read() == ""
    # It registers again by itself: what is in force is in its state.
    with online(served, card, "--leave") as running:
        running.wait_for_state("ready")
        assert running.end(signal.SIGTERM) == ExitCode.OK
        left = running.wait_for(lambda event: event.get("request") == "deregistration")
        assert left["answers"] == [{"service": one, "status": 200} for one in served.network.service_ids]
    _, journals = decode_state(state_of(card).read_text(), "state")
    (journal,) = journals.values()
    assert (journal.items, journal.is_registered) == ({}, False)


def test_killed_before_the_answer_goes_out_it_gives_the_same_answer_later(served: Served, card: Path) -> None:
    code = "import os, signal\n" + _KILLED_BEFORE_THE_ANSWER_GOES + _THEN
    with online(served, card, *served.network.service_ids, program=[sys.executable, "-c", code]) as running:
        assert running.process.wait(_MOST_SECONDS) == -signal.SIGKILL
    (kept, *_) = json.loads(state_of(card).read_text())["bsms"][served.network.bsm.name]["ltkms"]
    assert kept["taken"]
    with online(served, card) as running, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bsm:
        running.wait_for_state("ready")
        bsm.bind(("127.0.0.1", 0))
        bsm.settimeout(_MOST_SECONDS)
        bsm.sendto(base64.b64decode(kept["octets"]), (served.address, MIKEY_PORT))
        assert bsm.recv(2000) == base64.b64decode(kept["verification"])
        assert running.wait_for(lambda event: event["event"] == "ltkm again")["answered"] is True
        running.end()


def test_killed_before_the_cards_answer_is_written_down_the_bsm_is_told(served: Served, card: Path) -> None:
    code = "import os, signal\n" + _KILLED_BEFORE_IT_IS_WRITTEN_DOWN + _THEN
    with online(served, card, *served.network.service_ids, program=[sys.executable, "-c", code]) as running:
        assert running.process.wait(_MOST_SECONDS) == -signal.SIGKILL
    (kept,) = json.loads(state_of(card).read_text())["bsms"][served.network.bsm.name]["ltkms"]
    assert not kept["taken"]
    with online(served, card) as running:
        # EF_MUK shows that the card took it: it is not given again, and the registration says so.
        told = running.wait_for(is_ltkm)
        assert (told["verdict"], told["before_last_end"]) == ("taken", True)
        running.wait_for_state("ready")
        assert running.wait_for(is_ltkm)["verdict"] == "taken"
        running.end()
    ltkms = json.loads(state_of(card).read_text())["bsms"][served.network.bsm.name]["ltkms"]
    assert [one["owed"] for one in ltkms if one["octets"] == kept["octets"]] == [False]


def test_without_a_server_it_backs_off_and_ctrl_c_ends_it(served: Served, card: Path) -> None:
    nowhere = served.network.bsm.name + ":127.9.9.9:9"
    with online(served, card, "urn:x", "--resolve", nowhere) as running:
        waiting = running.wait_for(lambda event: event["event"] == "waiting")
        assert 48.0 <= float(str(waiting["seconds"])) <= 60.0
        assert running.end() == ExitCode.OK
