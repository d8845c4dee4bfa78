"""Real processes, real SIGKILLs: `headend serve --db` or `terminal buy` ends at a chosen point, and comes back.

Then the books of card file, database and journal must say the same, as in the other tests here. What is bought: tokens
of a key group, or of the user; a subscription of two keys; its end, which withdraws both; and an item for which the
terminal must register first.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from card import CardProfile, create_card
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.wire.network_file import NetworkFile, load_network
from tests.flows.offers import BOTH, CATALOGUE, FILM_ASKED, SCENARIO
from tests.support.chaos.books import Books, books, is_at_rest
from tests.support.chaos.sheet import Sheet
from tests.support.chaos.world import bootstrap
from tests.support.free_ports import head_end_ports
from tests.support.head_end import free_address

_PATIENCE = 600.0
"""Until a process that does not end counts as stuck: nothing is measured by it, and the machine may be loaded."""
_SHORT, _LONG = 2.0, 60.0
"""How long a terminal waits for the first key: where none may come, and where one does; it ends soon after it."""
STORES = ("sqlite", "postgresql")
_PROGRAM = [sys.executable, "-m", "tests.support.chaos.dying"]


@dataclass(frozen=True)
class Trade:
    """What is bought while somebody dies, where it is sold, and what everybody must have afterwards."""

    serve: tuple[str, ...]
    deed: tuple[str, ...]
    before: tuple[str, ...] = ()
    """What is bought before that, in peace."""
    spent: Decimal = Decimal(0)
    included: int = 0
    """Tokens that come with the first registration."""
    tokens: int = 0
    groups: frozenset[int] | None = None
    """Key groups of which the card has a good key; None where that is not looked at."""
    charges: int = 1
    """Orders in all."""


def _item(item: PurchaseItem) -> str:
    return f"{item.global_id},{item.data_id}"


TRADES = {
    "tokens of a key group": Trade(
        ("pay_per_time",), ("buy", "--tokens", "10", "--purse", "live"), spent=Decimal("1.00"), included=20, tokens=10
    ),
    "tokens of the user": Trade(("flows",), ("buy", "--tokens", "10"), spent=Decimal("1.00"), tokens=10),
    "a month of two": Trade(("flows",), ("buy", _item(BOTH)), spent=Decimal("7.99"), groups=frozenset({1, 2})),
    "the end of a month": Trade(
        ("flows",), ("unsubscribe", _item(BOTH)), ("buy", _item(BOTH)), Decimal("7.99"), groups=frozenset()
    ),
    "a film after registration": Trade(
        ("flows",), ("buy", _item(FILM_ASKED)), spent=Decimal("1.50"), groups=frozenset({3})
    ),
}


@dataclass(frozen=True)
class Case:
    """Who dies where; `new_smk`: before it comes to itself again, the card has another SMK."""

    victim: str
    point: str
    new_smk: bool = False
    trade: str = "tokens of a key group"
    store: str = "sqlite"

    @property
    def wait(self) -> float:
        """How long the terminal waits: a head-end that dies at an LTKM does so behind its answer, and sends no key."""
        return _SHORT if self.point.startswith("LTKM") else _LONG

    @property
    def name(self) -> str:
        return f"{self.trade}, {self.store}, {self.victim}: {self.point}{', and a new SMK' if self.new_smk else ''}"


_POINTS = (
    Case("terminal", "journal written"),
    Case("terminal", "request goes out:2"),
    Case("terminal", "answer came:2"),
    Case("terminal", "card gets the LTKM"),
    Case("terminal", "card has answered"),
    Case("terminal", "card has answered", new_smk=True),
    Case("terminal", "card gets the LTKM", new_smk=True),
    Case("terminal", "acknowledgement goes out"),
    Case("terminal", "acknowledgement is out"),
    Case("head-end", "purchase is written"),
    Case("head-end", "purchase before its commit"),
    Case("head-end", "purchase after its commit"),
    Case("head-end", "LTKM before its commit"),
    Case("head-end", "LTKM after its commit"),
    Case("head-end", "LTKM after its commit", new_smk=True),
    Case("head-end", "acknowledgement before its commit"),
    Case("head-end", "acknowledgement after its commit"),
)
CASES = tuple(replace(case, trade=trade, store=store) for store in STORES for trade in TRADES for case in _POINTS)
IN_CI = (
    Case("terminal", "journal written"),
    Case("terminal", "request goes out:2"),
    Case("terminal", "answer came:2"),
    Case("terminal", "card gets the LTKM"),
    Case("terminal", "card has answered"),
    Case("terminal", "card has answered", new_smk=True),
    Case("terminal", "acknowledgement goes out"),
    Case("terminal", "acknowledgement is out"),
    Case("head-end", "purchase before its commit"),
    Case("head-end", "purchase after its commit"),
    Case("head-end", "LTKM after its commit"),
    Case("head-end", "acknowledgement before its commit", store="postgresql"),
)


class Town:
    """The files of a head-end, a terminal and its card, and the processes on them."""

    def __init__(self, folder: Path, trade: Trade, store: str) -> None:
        self._folder = folder
        self._address = free_address()
        self._network = folder / "net.toml"
        self._ports = head_end_ports()
        self._trade = trade
        self.card, self.store, self.state = folder / "a.card", store, folder / "state.json"
        create_card(CardProfile.demo(), self.card).close()

    @contextmanager
    def head_end(self, point: str = "none") -> Iterator[subprocess.Popen[str]]:
        """Serve, always on the same ports."""
        command = [*_PROGRAM, point, "headend", "serve", *self._sold(), "--db", self.store,
                   "--network-file", str(self._network), "--no-pages", *self._ports]  # fmt: skip
        process = self._start(command)
        try:
            assert process.stdout is not None
            if not any(line.startswith("Registrations") for line in process.stdout):
                raise AssertionError(process.stderr.read() if process.stderr else "")
            yield process
        finally:
            process.kill()
            process.communicate(timeout=_PATIENCE)

    def _sold(self) -> tuple[str, ...]:
        """Scenario and catalogue; those of the flows are written where they are wanted."""
        if self._trade.serve != ("flows",):
            return self._trade.serve
        scenario, catalogue = self._folder / "flows.toml", self._folder / "catalogue.toml"
        scenario.write_text(SCENARIO)
        catalogue.write_text(CATALOGUE)
        return str(scenario), "--catalogue", str(catalogue)

    def terminal(self, *arguments: str, point: str = "none", wait: float = _SHORT) -> subprocess.Popen[str]:
        """Start a command of the terminal, which waits so long for the first key."""
        return self._start(
            [*_PROGRAM, point, "terminal", *arguments, "--network", str(self._network), "--address", self._address,
             "--state", str(self.state), "--link", "inprocess", "--profile", str(self.card), "--pin", "1234",
             "--wait", str(wait), "--json"]
        )  # fmt: skip

    def run(self, *arguments: str, point: str = "none", wait: float = _SHORT) -> int:
        """Run a command of the terminal to its end and return its exit status."""
        process = self.terminal(*arguments, point=point, wait=wait)
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
    """Let the terminal register, or be there, until everything has come to rest."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        # Whoever has nothing to register for says what it took with any other request. What the head-end sends then
        # needs somebody who stays: `account` ends with its answer, and the next try comes two seconds later.
        if town.run("register") != 0:
            town.run("account")
            if not is_at_rest(town.store, town.state):
                assert town.run("online", "--for", "5") == 0
        if is_at_rest(town.store, town.state):
            break
    return town.books()


def _killed(town: Town, case: Case, deed: tuple[str, ...]) -> None:
    """Do it; the victim dies meanwhile."""
    if case.victim == "terminal":
        with town.head_end():
            assert town.run(*deed, point=case.point, wait=case.wait) == -signal.SIGKILL
        return
    with town.head_end(case.point) as served:
        town.run(*deed, wait=case.wait)
        assert served.wait(_PATIENCE) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("case", "store_url"),
    [
        pytest.param(case, case.store, id=case.name, marks=() if case in IN_CI else pytest.mark.nightly)
        for case in CASES
    ],
    indirect=["store_url"],
)
def test_killed(tmp_path: Path, case: Case, store_url: str, sheet: Sheet) -> None:
    trade = TRADES[case.trade]
    town = Town(tmp_path, trade, store_url)
    with town.head_end():
        if trade.included:
            assert town.run("register", wait=_LONG) == 0
        if trade.before:
            assert town.run(*trade.before, wait=_LONG) == 0
    assert (town.books().purses, town.books().granted) == (trade.included, trade.included)
    _killed(town, case, trade.deed)
    sheet.kills += 1
    with town.head_end():
        if case.new_smk:
            assert bootstrap(town.card, town.network)
        found = _settled(town)
    sheet.balances += 1
    sheet.strike(found, trade.charges, int(trade.spent * 100), trade.included + trade.tokens)
    assert (found.on_the_way, found.pending, found.unknown) == (0, frozenset(), 0), found
    # It was begun in every case, so it is paid once, and brought once.
    assert found.spent == trade.spent, found
    assert (len(found.charges), set(found.charges.values())) == (trade.charges, {1}), found
    assert (found.granted, found.purses) == (trade.included + trade.tokens,) * 2, found
    assert found.items == found.registered <= found.rights, found
    assert trade.groups in (None, found.groups), found
