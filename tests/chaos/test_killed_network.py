"""Real processes, real SIGKILLs: `headend serve --db` or `terminal buy` ends at a chosen point, and comes back.

Then the books of card file, database and journal must say the same, as in the other tests here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from card import CardProfile, create_card
from host_tools.wire.network_file import NetworkFile, load_network
from tests.support.chaos.books import Books, books, is_at_rest
from tests.support.chaos.world import bootstrap
from tests.support.head_end import free_address

_PATIENCE = 90.0
_PRICE, _TOKENS, _INCLUDED = Decimal("1.00"), 10, 20
_PROGRAM = [sys.executable, "-m", "tests.support.chaos.dying"]


@dataclass(frozen=True)
class Case:
    """Who dies where; `new_smk`: before it comes to itself again, the card has another SMK."""

    victim: str
    point: str
    new_smk: bool = False
    in_ci: bool = False

    @property
    def name(self) -> str:
        return f"{self.victim}: {self.point}{', and a new SMK' if self.new_smk else ''}"


CASES = (
    Case("terminal", "journal written"),
    Case("terminal", "request goes out:2"),
    Case("terminal", "answer came:2"),
    Case("terminal", "card gets the LTKM"),
    Case("terminal", "card has answered"),
    Case("terminal", "card has answered", new_smk=True, in_ci=True),
    Case("terminal", "card gets the LTKM", new_smk=True),
    Case("terminal", "acknowledgement goes out"),
    Case("terminal", "acknowledgement is out"),
    Case("head-end", "purchase is written"),
    Case("head-end", "purchase before its commit"),
    Case("head-end", "purchase after its commit", in_ci=True),
    Case("head-end", "LTKM before its commit"),
    Case("head-end", "LTKM after its commit"),
    Case("head-end", "LTKM after its commit", new_smk=True),
    Case("head-end", "acknowledgement before its commit"),
    Case("head-end", "acknowledgement after its commit"),
)


class Town:
    """The files of a head-end, a terminal and its card, and the processes on them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._address = free_address()
        self._network = folder / "net.toml"
        self._ports: list[str] = []
        self.card, self.store, self.state = folder / "a.card", folder / "a.db", folder / "state.json"
        create_card(CardProfile.demo(), self.card).close()

    @contextmanager
    def head_end(self, point: str = "none") -> Iterator[subprocess.Popen[str]]:
        """Serve, on the ports of the time before."""
        command = [*_PROGRAM, point, "headend", "serve", "pay_per_time", "--db", str(self.store),
                   "--network-file", str(self._network), *self._ports]  # fmt: skip
        process = self._start(command)
        try:
            assert process.stdout is not None
            if not any(line.startswith("Registrations") for line in process.stdout):
                raise AssertionError(process.stderr.read() if process.stderr else "")
            network = self.network
            self._ports = ["--port", str(network.bsm.endpoint.port), "--bsf-port", str(network.bsf.endpoint.port),
                           "--push-port", str(network.push.port)]  # fmt: skip
            yield process
        finally:
            process.kill()
            process.communicate(timeout=_PATIENCE)

    def terminal(self, *arguments: str, point: str = "none") -> subprocess.Popen[str]:
        """Start a command of the terminal."""
        return self._start(
            [*_PROGRAM, point, "terminal", *arguments, "--network", str(self._network), "--address", self._address,
             "--state", str(self.state), "--link", "inprocess", "--profile", str(self.card), "--pin", "1234",
             "--wait", "2", "--json"]
        )  # fmt: skip

    def run(self, *arguments: str, point: str = "none") -> int:
        """Run a command of the terminal to its end and return its exit status."""
        process = self.terminal(*arguments, point=point)
        _, words = process.communicate(timeout=_PATIENCE)
        assert "Traceback" not in words, words
        return process.returncode

    @property
    def network(self) -> NetworkFile:
        return load_network(self._network)

    def books(self) -> Books:
        return books(self.card, self.store, self.state)

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )


def _settled(town: Town) -> Books:
    """Let the terminal register until everything has come to rest."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        town.run("register")
        if is_at_rest(town.store, town.state):
            break
    return town.books()


def _killed(town: Town, case: Case) -> None:
    """Buy tokens; the victim dies meanwhile."""
    buy = ("buy", "--tokens", str(_TOKENS), "--purse", "live")
    if case.victim == "terminal":
        with town.head_end():
            assert town.run(*buy, point=case.point) == -signal.SIGKILL
        return
    with town.head_end(case.point) as served:
        town.run(*buy)
        assert served.wait(_PATIENCE) == -signal.SIGKILL


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=() if case.in_ci else pytest.mark.nightly) for case in CASES],
)
def test_killed(tmp_path: Path, case: Case) -> None:
    town = Town(tmp_path)
    with town.head_end():
        assert town.run("register") == 0
    assert (town.books().purses, town.books().granted) == (_INCLUDED, _INCLUDED)
    _killed(town, case)
    with town.head_end():
        if case.new_smk:
            assert bootstrap(town.card, town.network)
        found = _settled(town)
    assert (found.on_the_way, found.pending, found.unknown) == (0, frozenset(), 0), found
    # It was begun in every case, so it is paid once, and brought once.
    assert found.spent == _PRICE, found
    assert set(found.charges.values()) == {1}, found
    assert (found.granted, found.purses) == (_INCLUDED + _TOKENS,) * 2, found
    assert found.items == found.registered <= found.rights, found
    print(f"\n{case.name}: paid {found.spent}, {found.purses} tokens in the purse, nothing on the way")
