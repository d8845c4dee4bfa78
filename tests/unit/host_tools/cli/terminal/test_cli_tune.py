"""`bcast-uicc terminal tune` before a head-end that is on the air: registered, missing keys asked for, played."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from card.profile.schema import demo_path
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.cli.terminal.key_presses import KeyPresses
from host_tools.cli.terminal.live_show import LiveShow
from host_tools.sessions.events import Event, LiveProgressed
from host_tools.wire.network_file import load_network
from tests.support.free_ports import free_ports
from tests.support.head_end import free_address

CARD = ("--link", "inprocess", "--profile", str(demo_path()), "--pin", "1234")
_MOST_SECONDS = 60
_LONGEST = "300"


class OnAir:
    """A head-end in a process of its own that streams the demo without end, to one address."""

    def __init__(self, folder: Path, address: str, speed: str) -> None:
        self.address = address
        self.network = folder / "net.toml"
        self._log = (folder / "serve.log").open("w")
        port = free_ports(address, 8)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "host_tools.cli.main", "headend", "serve", "demo", "--air", "--loop",
             "--speed", speed, "--listener", f"{address}:{port}", "--network-file", str(self.network)],
            stdout=self._log, stderr=self._log,
        )  # fmt: skip
        until = time.monotonic() + _MOST_SECONDS
        while not self.network.exists() and time.monotonic() < until:
            assert self._process.poll() is None, (folder / "serve.log").read_text()
            time.sleep(0.05)

    def end(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_MOST_SECONDS)
        self._log.close()


@pytest.fixture
def on_air(tmp_path: Path) -> Iterator[OnAir]:
    made = OnAir(tmp_path, free_address(), "2")
    yield made
    made.end()


def ends_after(packets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press q when more packets than these have been opened, however long a busy computer takes for it."""
    emit, opened = LiveShow.emit, [0]

    def noting(show: LiveShow, event: Event) -> None:
        emit(show, event)
        if isinstance(event, LiveProgressed):
            opened[0] = event.statistics.packets_decrypted

    monkeypatch.setattr(LiveShow, "emit", noting)
    monkeypatch.setattr(KeyPresses, "poll", lambda _: "q" if opened[0] > packets else None)


def test_a_terminal_registers_and_listens(
    on_air: OnAir, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ends_after(200, monkeypatch)
    page = tmp_path / "page.html"
    arguments = ["--network", str(on_air.network), "--address", on_air.address, *CARD, "--json", "--duration", _LONGEST]
    status = invoke(["terminal", "tune", "tone-b", *arguments, "--report", str(page), "-o", str(tmp_path / "heard")])
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert status == ExitCode.OK, err
    ended = events[-1]
    assert (ended["event"], ended["service"]) == ("ended", "tone-b")
    assert ended["packets"]["decrypted"] > 200
    assert (ended["dropped"], ended["packets"]["failed"]) == (0, 0)
    assert {event["event"] for event in events} >= {"online", "tuned", "answer", "ltkm", "progress", "ended"}
    tuned = next(event for event in events if event["event"] == "tuned")
    assert (tuned["number"], tuned["of"]) == (1, 2)
    assert tuned["registers_for"] == ["urn:x-bcast-uicc:service:tone-b"]
    assert "tone-b" in page.read_text()
    assert "LTKM for key" in page.read_text()
    assert [path.suffix for path in tmp_path.glob("heard-*")] == [".wav"]


def test_a_terminal_buys_and_listens(
    on_air: OnAir, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ends_after(100, monkeypatch)
    arguments = ["--network", str(on_air.network), "--address", on_air.address, *CARD, "--json", "--duration", _LONGEST]
    bought = "urn:x-bcast-uicc:item:tone-a,urn:x-bcast-uicc:data:month"
    status = invoke(["terminal", "tune", "tone-a", *arguments, "--no-register", "--buy", bought])
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert status == ExitCode.OK, err
    answers = [event for event in events if event["event"] == "answer"]
    assert any(event["request"] == "service request" for event in answers), answers
    assert [event["registers_for"] for event in events if event["event"] == "tuned"] == [[]]
    assert events[-1]["packets"]["decrypted"] > 100


def test_an_announced_server_that_is_not_reached_is_passed_over(
    on_air: OnAir, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal goes to the next one; here that is the BSM of the network file, the last resort."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    network = load_network(on_air.network)
    place = network.bsm.endpoint
    announced = f"http://{network.bsm.name}/".encode()
    for name in ("session.sdp", "security.xml", "usd.xml"):
        with urlopen(f"http://{place.address}:{place.port}/guide/tone-a/{name}", timeout=_MOST_SECONDS) as answer:
            body = answer.read()
        assert name != "security.xml" or announced in body
        (tmp_path / name).write_bytes(body.replace(announced, b"http://gone.example/"))
    ends_after(0, monkeypatch)
    arguments = ["--network", str(on_air.network), "--address", on_air.address, *CARD, "--json", "--duration", _LONGEST]
    gone = ["--resolve", "gone.example:127.9.9.7:9", "--offset-time", "0"]
    status = invoke(["terminal", "tune", str(tmp_path / "usd.xml"), *arguments, *gone])
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert status == ExitCode.OK, err
    assert [event["server"] for event in events if event["event"] == "passed over"] == ["gone.example"]
    assert [event["bsm"] for event in events if event["event"] == "online"] == [network.bsm.name]
    assert events[-1]["packets"]["decrypted"] > 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nothing"], ExitCode.USAGE, "no URL and no file"),
        ([], ExitCode.USAGE, "there is nothing to tune to: name an announcement"),
        (["https://127.0.0.1:9/guide/"], ExitCode.USAGE, "fetched from http:// alone"),
        (["http://127.0.0.1:9/guide/"], ExitCode.ENVIRONMENT, "no service to tune to"),
        (["session.sdp", "--service", "other"], ExitCode.USAGE, "other is not announced; there are news"),
        (["session.sdp", "--buy", "urn:x"], ExitCode.USAGE, "needs a BSM"),
        (["session.sdp", "--sdp", "p.sdp"], ExitCode.USAGE, "give both"),
        (["session.sdp", "--record", "session.sdp"], ExitCode.USAGE, "session.sdp is what this command reads"),
    ],
)
def test_what_cannot_be_tuned_to(
    arguments: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    sdp = "v=0\ns=news\nc=IN IP4 127.9.9.8\nm=audio 45004 RTP/AVP 0\n"
    Path("session.sdp").write_text(sdp)
    got = invoke(["terminal", "tune", *arguments, *CARD])
    err = capsys.readouterr().err
    assert said in err
    assert got == status
    assert [path.name for path in tmp_path.iterdir()] == ["session.sdp"]
