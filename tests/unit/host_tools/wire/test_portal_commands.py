"""`terminal portal` as a user runs it: what a browser buys there is the terminal's, as with `terminal buy`."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.headend.scenario.wares import ITEM_PREFIX, MONTH
from tests.support.csim import write_csim_subscriber
from tests.support.head_end import PIN, free_address
from tests.support.live import Program, wait_until
from tests.unit.host_tools.wire.test_commands import Served, run, serving

BOUGHT = f"{ITEM_PREFIX}tone-a{MONTH}"
_FORM = re.compile(r'<form[^>]*action="([^"]*buy)"(.*?)</form>', re.DOTALL)
_FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')
_PATIENCE = 60
_KILLED_WITH_THE_ORDER = """
import os, signal
from host_tools.wire.http_client import HttpTransport
exchange = HttpTransport.exchange
def killed(self, request):
    answer = exchange(self, request)
    if request.target == "/shop/buy" and answer.status == 303:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
HttpTransport.exchange = killed
from host_tools.cli.main import main
main()
"""


@dataclass
class Browser:
    """A browser that was let into a portal."""

    opener: OpenerDirector
    origin: str

    def buy(self, item: str) -> str:
        """Press the button of an item; return the page that follows."""
        page = self._text(f"{self.origin}/shop/")
        forms = [(where, dict(_FIELD.findall(inside))) for where, inside in _FORM.findall(page)]
        where, fields = next((where, fields) for where, fields in forms if fields["item"] == item)
        sent = Request(self.origin + where, urlencode(fields).encode(), {"Origin": self.origin})
        return self._text(sent)

    def _text(self, what: str | Request) -> str:
        with self.opener.open(what, timeout=_PATIENCE) as answer:
            return str(answer.read().decode())


class Portal(Program):
    """`terminal portal`, with what it says as JSON."""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines) if line.startswith("{") and line.endswith("\n")]

    def wait_for_event(self, name: str) -> dict[str, Any]:
        """Return the first event of a name, when it has come."""

        def come() -> bool:
            assert self.process.poll() is None, self.text
            return any(one["event"] == name for one in self.events)

        wait_until(come, lambda: self.text)
        return next(one for one in self.events if one["event"] == name)

    def enter(self) -> Browser:
        """Open the address that it prints."""
        url = self.wait_for_event("opened")["url"]
        opener = build_opener(HTTPCookieProcessor(CookieJar()))
        with opener.open(url, timeout=_PATIENCE) as answer:
            assert answer.status == 200
        return Browser(opener, "http://" + urlsplit(url).netloc)


@pytest.fixture(autouse=True)
def _pin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(params=["usim", "csim"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def card(tmp_path: Path, profile: str) -> Path:
    path = tmp_path / "a.card"
    create_card(CardProfile.demo(profile), path).close()
    return path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    subscribers = write_csim_subscriber(tmp_path / "subscribers.toml")
    with serving(tmp_path, "--subscribers", str(subscribers), "--db", str(tmp_path / "a.db")) as found:
        yield found


@contextmanager
def portal(served: Served, card: Path, more: list[str], address: str) -> Iterator[Portal]:
    """Run it until the block ends."""
    place = ["--network", str(served.file), "--address", address, *more]
    with Portal("terminal", "portal", "--link", "inprocess", "--profile", str(card), "--json", *place) as opened:
        yield opened


def items_in(folder: Path) -> dict[str, Any]:
    """Return the items in force by the state file of the one terminal."""
    (file,) = (folder / "state").rglob("*.json")
    (journal,) = json.loads(file.read_text())["bsms"].values()
    return {one["service"]: one.get("ends") for one in journal["items"]}


def test_what_is_bought_there_is_in_force(
    served: Served, card: Path, profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its keys come to the card at once, and its end is known; the next command knows of it, too."""
    more = ["--csim"] if profile == "csim" else []
    with portal(served, card, more, served.address) as opened:
        assert "Bought: tone-a, a month." in opened.enter().buy(BOUGHT)
        shop = opened.wait_for_event("shop")
        assert [one["service"] for one in shop["bought"]] == [BOUGHT]
        assert opened.wait_for_event("ltkm")["verdict"] == "taken"
        assert opened.end() == ExitCode.OK
    assert items_in(tmp_path)[BOUGHT] is not None
    asked = {one["request"] for one in opened.events if one["event"] == "answer"}
    assert ("registration" in asked) == (profile == "usim")
    # A message of before the end may be on its way again meanwhile: the next one waits behind it.
    assert run(served, "keys", card, *more, "--wait", str(_PATIENCE)) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert {one["verdict"] for one in told["ltkms"]} == {"taken"}


@pytest.mark.parametrize("profile", ["usim"], indirect=True)
def test_its_keys_come_here_though_the_terminal_registered_elsewhere(
    served: Served, card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(served, "register", card) == ExitCode.OK
    capsys.readouterr()
    before = set(items_in(tmp_path))
    with portal(served, card, [], free_address()) as opened:
        opened.enter().buy(BOUGHT)
        opened.wait_for_event("shop")
        opened.wait_for_event("ltkm")
        assert opened.end() == ExitCode.OK
    assert next(one["request"] for one in opened.events if one["event"] == "answer") == "registration"
    assert set(items_in(tmp_path)) == {*before, BOUGHT}


@pytest.mark.parametrize("profile", ["usim"], indirect=True)
def test_a_terminal_that_died_with_the_order_learns_of_it(
    served: Served, card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next command looks up its outcome, before anything else."""
    monkeypatch.setattr(Portal, "program", [sys.executable, "-c", _KILLED_WITH_THE_ORDER])
    with portal(served, card, [], served.address) as opened:
        browser = opened.enter()
        with pytest.raises(OSError, match=r".*"):
            browser.buy(BOUGHT)
        assert opened.wait() == -signal.SIGKILL
    assert BOUGHT not in items_in(tmp_path)
    assert run(served, "account", card) == ExitCode.OK
    capsys.readouterr()
    assert BOUGHT in items_in(tmp_path)


@pytest.mark.parametrize("profile", ["usim"], indirect=True)
def test_what_is_sold_is_listed_with_what_may_be_done(
    served: Served, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed() -> dict[str, dict[str, Any]]:
        assert run(served, "prices", card) == ExitCode.OK
        found = json.loads(capsys.readouterr().out)
        assert found["more"] is False
        assert {one["purse"]: (one["amount"], one["currency"]) for one in found["tokens"]}["live"] == ("0.10", "EUR")
        return {one["item"]: one for one in found["sold"]}

    sold = listed()
    assert set(sold) == {f"{ITEM_PREFIX}{name}" for name in ("tone-a", "tone-b", "all-services")}
    first = sold[f"{ITEM_PREFIX}tone-a"]
    assert first == {
        "item": f"{ITEM_PREFIX}tone-a",
        "data": MONTH,
        "title": "tone-a, a month",
        "kind": "subscription",
        "prices": [{"amount": "4.99", "currency": "EUR"}],
        "seconds": 30 * 86_400,
        "tokens": None,
        "held": False,
        "to": None,
        "may": ["buy"],
    }
    assert run(served, "buy", card, f"{ITEM_PREFIX}tone-a,{MONTH}") == ExitCode.OK
    capsys.readouterr()
    again = listed()[f"{ITEM_PREFIX}tone-a"]
    assert (again["held"], again["may"]) == (True, ["renew", "unsubscribe"])
    assert again["to"] is not None
