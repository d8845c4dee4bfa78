"""Buying over the wire, by command and while playing; a purchase whose answer dies with the process acts once."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from tests.support.head_end import PIN
from tests.unit.host_tools.wire.test_commands import Served, run, serving

_MOST_SECONDS = 60
_KILLED_WITH_THE_ANSWER = """
import os, signal
from host_tools.wire.http_client import HttpTransport
exchange = HttpTransport.exchange
def killed(self, request):
    answer = exchange(self, request)
    if request.target == "/sprov" and answer.status == 200:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
HttpTransport.exchange = killed
from host_tools.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a broadcast of six TEKs at 5 tokens each, of which the network sends 20 tokens."""
    path = tmp_path_factory.mktemp("made") / "b.pcap"
    assert invoke(["headend", "record", "pay_per_time", "-o", str(path)]) == ExitCode.OK
    return path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, scenario="pay_per_time") as found:
        yield found


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "a.card"
    create_card(CardProfile.demo(), path).close()
    return path


@pytest.fixture(autouse=True)
def _pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def play(served: Served, capture: Path, card: Path, *more: str) -> list[str]:
    place = ["--network", str(served.file), "--address", served.address]
    return ["terminal", "play", str(capture), "--link", "inprocess", "--profile", str(card), "--json", *place, *more]


def test_a_player_gets_its_keys_from_the_network(
    served: Served, card: Path, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(play(served, capture, card)) == ExitCode.OK
    found = told(capsys)
    assert found["teks"] == 4
    assert found["packets"]["decrypted"] == 400  # type: ignore[index]


def test_a_player_buys_what_the_card_lacks(tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = tmp_path / "two.pcap"
    assert invoke(["headend", "record", "subscribe", "-o", str(capture)]) == ExitCode.OK
    with serving(tmp_path, scenario="subscribe") as served:
        capsys.readouterr()
        assert invoke(play(served, capture, card, "--buy")) == ExitCode.OK
        found = told(capsys)
        assert found["packets"]["decrypted"] == 1200  # type: ignore[index]
        assert found["stkms"]["remedies"] == 1  # type: ignore[index]
        assert run(served, "account", card) == ExitCode.OK
        assert told(capsys)["charged"] == [{"amount": "1.50", "currency": "EUR"}]


def test_tokens_are_bought_and_spent(served: Served, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(served, "register", card) == ExitCode.OK
    capsys.readouterr()
    assert run(served, "buy", card, "--tokens", "10", "--purse", "live") == ExitCode.OK
    bought = told(capsys)
    assert bought["charged"] == {"amount": "1.00", "currency": "EUR"}
    assert [one["verdict"] for one in bought["ltkms"]] == ["taken"]  # type: ignore[attr-defined]
    assert run(served, "account", card) == ExitCode.OK
    account = told(capsys)
    assert account["charged"] == [{"amount": "1.00", "currency": "EUR"}]
    assert account["purses"] == [{"purse": "live", "granted": 30}]


def test_a_purchase_whose_answer_is_lost_acts_once(
    served: Served, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(served, "register", card) == ExitCode.OK
    place = ["--network", str(served.file), "--address", served.address]
    command = ["terminal", "buy", "--link", "inprocess", "--profile", str(card), *place, "--tokens", "10"]
    killed = [sys.executable, "-c", _KILLED_WITH_THE_ANSWER, *command, "--purse", "live"]
    assert subprocess.run(killed, timeout=_MOST_SECONDS, check=False, capture_output=True).returncode == -signal.SIGKILL
    # The next command sends it again under its name first: it is answered once more, and charged no more.
    capsys.readouterr()
    assert run(served, "account", card) == ExitCode.OK
    assert told(capsys)["charged"] == [{"amount": "1.00", "currency": "EUR"}]
    # The tokens are in flight, and outstanding until they are taken.
    online = ["terminal", "online", "--link", "inprocess", "--profile", str(card), "--json", *place, "--for", "4"]
    assert invoke(online) == ExitCode.OK
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert not any(one.get("request", "").endswith("sent again") for one in events)
    assert run(served, "account", card) == ExitCode.OK
    assert told(capsys)["purses"] == [{"purse": "live", "granted": 30}]


def test_who_orders_once_more_what_came_to_nothing_pays_once(
    tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The order was kept when nobody answered, and both would be done."""
    tokens = ("--tokens", "10", "--purse", "live")
    with serving(tmp_path, scenario="pay_per_time") as served:
        assert run(served, "register", card) == ExitCode.OK
        text = served.file.read_text()
        served.file.write_text(re.sub(r"(\[bsm\][^\[]*port = )\d+", r"\g<1>1", text))  # nobody listens there
        capsys.readouterr()
        assert run(served, "buy", card, *tokens) == ExitCode.ENVIRONMENT
        assert "the order is kept, and the next command sends it again" in capsys.readouterr().err
        served.file.write_text(text)
        assert run(served, "buy", card, *tokens) == ExitCode.OK
        assert told(capsys)["charged"] == {"amount": "1.00", "currency": "EUR"}
        assert run(served, "account", card) == ExitCode.OK
        assert told(capsys)["charged"] == [{"amount": "1.00", "currency": "EUR"}]
        # What has an answer is bought anew.
        assert run(served, "buy", card, *tokens) == ExitCode.OK
        capsys.readouterr()
        assert run(served, "account", card) == ExitCode.OK
        assert told(capsys)["charged"] == [{"amount": "2.00", "currency": "EUR"}]


def test_without_a_network_nobody_sells(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["terminal", "buy", "urn:x"]) == ExitCode.USAGE
    assert "name the network" in capsys.readouterr().err
    assert invoke(["terminal", "buy", "--network", "x.toml"]) == ExitCode.USAGE
    assert invoke(["terminal", "online", "--bsm", "http://127.0.0.1:8080"]) == ExitCode.USAGE
    assert "the name of the BSM is part of its keys" in capsys.readouterr().err


def test_there_must_be_something_to_ask_for(
    served: Served, card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.toml"
    lines = served.file.read_text().splitlines()
    empty.write_text("\n".join("services = []" if line.startswith("services") else line for line in lines))
    place = ["--network", str(empty), "--address", served.address]
    for verb in ("register", "deregister"):
        assert invoke(["terminal", verb, "--link", "inprocess", "--profile", str(card), *place]) == ExitCode.USAGE
        assert "name a SERVICE" in capsys.readouterr().err


def test_what_is_bought_by_the_item_alone_is_registered_for(
    tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its serviceID has the purchase data in it, which the order left out and the answer says."""
    item, data = "urn:x-bcast-uicc:item:tone-a", "urn:x-bcast-uicc:data:month"
    with serving(tmp_path, scenario="demo") as served:
        capsys.readouterr()
        assert run(served, "buy", card, item) == ExitCode.OK
        bought: Any = told(capsys)["answers"]
        assert [(one["item"], one["data"]) for one in bought] == [(item, data)]
        place = ["--network", str(served.file), "--address", served.address]
        online = ["terminal", "online", "--link", "inprocess", "--profile", str(card), "--json", *place, "--for", "2"]
        assert invoke(online) == ExitCode.OK
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (registered,) = (one["answers"] for one in events if one["event"] == "answer")
        assert registered == [{"service": item + data, "status": 200}]
        assert run(served, "unsubscribe", card, item) == ExitCode.OK
        ended: Any = told(capsys)["answers"]
        assert [one["data"] for one in ended] == [data]
