"""BSM and BSD/A as two processes reach each other over TLS, in both directions, with certificates on both sides."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import pytest

from host_tools.exchange.errors import TransportError
from host_tools.exchange.procedures import SEK_HANDOVER
from host_tools.exchange.transport import Endpoint
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.network_file import BSDA, load_network
from tests.support.free_ports import free_ports

PATIENCE = 60.0
PROGRAM = [sys.executable, "-m", "host_tools.cli.main", "headend"]
DEMO = Path(sys.modules["host_tools"].__path__[0]) / "headend" / "scenarios" / "demo.toml"
_CONSOLE = re.compile(r"console, opens once: (\S+)")
_METRICS = re.compile(r"BSD/A, http, /metrics: (\S+)")
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


@contextmanager
def started(last_line: str, *arguments: str) -> Iterator[str]:
    """Run a program until the block ends; yield what it said up to the line that begins so."""
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if line.startswith(last_line):
                    break
            assert process.poll() is None, said
            yield said
        finally:
            process.kill()


def metrics(place: str) -> dict[str, float]:
    with urlopen(f"http://{place}/metrics", timeout=PATIENCE) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def roll(console: str, service: str) -> None:
    """Press the button of the console."""
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    page = browser.open(console, timeout=PATIENCE).read().decode()
    token = _TOKEN.search(page)
    assert token is not None
    address = urlsplit(console)
    origin = f"{address.scheme}://{address.netloc}"
    form = urlencode({"act": "roll", "service": service, "token": token[1]}).encode()
    browser.open(Request(f"{origin}/act", form, {"Origin": origin}), timeout=PATIENCE).close()


@pytest.mark.parametrize("by", ["bsm", "bsd"])
def test_both_directions_are_over_tls(tmp_path: Path, by: str) -> None:
    scenario, folder, file = tmp_path / "demo.toml", tmp_path / "certificates", tmp_path / "net.toml"
    scenario.write_text(DEMO.read_text().replace("\nduration", f'\nstkm_by = "{by}"\nduration'))
    shared = ["--clock-file", str(tmp_path / "clock"), "--speed", "4", "--loop", "--listener", "127.0.0.9:6400"]
    shared += ["--transport-key", str(tmp_path / "key"), "--certificates", str(folder)]
    place = Endpoint("127.0.0.1", free_ports("127.0.0.1"))
    bsm = ["serve", str(scenario), "--network-file", str(file), "--bsda", f"127.0.0.1:{place.port}", "--db", "memory"]
    with started("again and again", *bsm, *shared) as said:
        network = load_network(file)
        assert network.others[BSDA].endpoint == place
        console, end = _CONSOLE.search(said), network.others["metrics"].endpoint
        assert console is not None
        with started("again and again", "air", str(scenario), "--network", str(file), *shared) as told:
            station = _METRICS.search(told)
            assert station is not None
            wait_until(lambda: any(name.startswith("bcast_uicc_air_packets_total{") for name in metrics(station[1])))
            roll(console[1], "tone-a")
            taken = 'bcast_uicc_seks_handed_over_total{outcome="taken"}'
            wait_until(lambda: metrics(f"{end.address}:{end.port}")[taken] == 1)
            counted = metrics(station[1])
            assert counted["bcast_uicc_air_behind_total"] == 0
            assert counted["bcast_uicc_unexpected_exceptions_total"] == 0
            # Nobody comes in without a certificate, and what listens in the clear takes nothing.
            name, request = network.others[BSDA].name, SEK_HANDOVER.build("bsda", b"{}", ())
            stranger = ssl.create_default_context(cafile=str(folder / "ca.pem"))
            for tls in (None, stranger):
                with pytest.raises(TransportError):
                    HttpTransport(place, tls=tls, tls_name=name).exchange(request)
            terminal = ssl.create_default_context(cafile=str(folder / "ca.pem"))
            terminal.load_cert_chain(folder / "terminal.pem", folder / "terminal.key")
            # A certificate alone is not enough: who has no transport key hands nothing over.
            assert HttpTransport(place, tls=terminal, tls_name=name).exchange(request).status == 403
            clear = Endpoint("127.0.0.1", int(station[1].rpartition(":")[2]))
            assert HttpTransport(clear).exchange(request).status in (404, 405)
        counted = metrics(f"{end.address}:{end.port}")
        assert counted['bcast_uicc_http_answers_total{server="bsm-tls",status="200"}'] > 0
        assert 'bcast_uicc_http_answers_total{server="bsm",status="200"}' not in counted
        assert counted["bcast_uicc_unexpected_exceptions_total"] == 0


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    key = ["--transport-key", str(tmp_path / "key")]
    cases = (
        (["air", *key], "give --bsm ADDRESS:PORT or --network FILE"),
        (["air", *key, "--bsm", "127.0.0.1:1", "--tls-port", "9"], "--tls-port needs --certificates"),
        (["air", *key, "--bsm", "127.0.0.1:1", "--certificates", str(tmp_path)], "has no ca.pem: all of ca.pem, bsda"),
        (["serve", "--air", "--bsda", "127.0.0.1:9"], "--bsda needs --transport-key"),
        (["serve", "--bsda", "nowhere", *key, "--clock-file", str(tmp_path / "c")], "--bsda nowhere: ADDRESS:PORT"),
    )
    for arguments, words in cases:
        done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert words in done.stderr
        assert done.returncode != 0
