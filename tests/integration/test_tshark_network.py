"""Independent eyes: Wireshark listens to a terminal that registers and buys, and reads its HTTP and MIKEY."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from host_tools.exchange.messages.ltkm_push import MIKEY_PORT, OMA_LTKM_PORT
from host_tools.exchange.messages.orders import ServiceRequest
from host_tools.exchange.messages.tokens import TokenPurchaseRequest
from host_tools.exchange.procedures import BOOTSTRAPPING, REGISTRATION, TOKEN_PURCHASE
from host_tools.terminal.client.wishes import Order
from tests.flows import offers
from tests.flows.offers import BOTH, TOKENS
from tests.support.capabilities import program
from tests.support.head_end import HeadEnd, free_address, fresh_card, head_end, terminal
from tests.support.tshark_files import MARK_PORT, wait_for_all, wait_for_beginning

_SECONDS = 30.0


@contextmanager
def captured(file: Path, ports: str) -> Iterator[None]:
    """Capture what crosses the loopback interface to and from these ports while the block runs."""
    filtered = f"({ports}) or udp port {MARK_PORT}"
    command = [str(program("tshark")), "-i", "lo", "-f", filtered, "-w", str(file), "-q"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = ""
        for line in process.stderr:
            if line.startswith("Capturing"):
                break
        else:
            pytest.fail(f"tshark may not capture here: {line}")
        try:
            wait_for_beginning(file)
            yield
            wait_for_all(file)
        finally:
            process.terminate()
            process.communicate(timeout=_SECONDS)


def read(file: Path, shown: str, *options: str) -> list[dict[str, Any]]:
    """Return the layers of each packet that the filter shows."""
    command = [str(program("tshark")), "-r", str(file), "-Y", shown, "-T", "json", "--no-duplicate-keys", *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return [flat(packet["_source"]["layers"]) for packet in json.loads(done.stdout)]


def flat(layers: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of all layers by name, the first of each."""
    found: dict[str, Any] = {}
    for name, value in layers.items():
        if isinstance(value, dict):
            for inner, said in flat(value).items():
                found.setdefault(inner, said)
        else:
            found.setdefault(name, value)
    return found


@pytest.fixture
def served() -> Iterator[HeadEnd]:
    with head_end(scenario=offers.scenario(), catalogue=offers.catalogue()) as found:
        yield found
        assert found.defects == 0


@pytest.mark.usefixtures("patient_bsm")
def test_a_registration_and_a_purchase(served: HeadEnd, tmp_path: Path) -> None:
    network, file, place = served.running.network, tmp_path / "run.pcapng", free_address()
    bsf, bsm = network.bsf.endpoint.port, network.bsm.endpoint.port
    ports = f"tcp port {bsf} or tcp port {bsm} or udp port {network.push.port}"
    with captured(file, ports), terminal(fresh_card(), served, place) as online:
        assert online.ask(Order(ServiceRequest("s-1", (BOTH,)))).failure is None
        assert len(online.listen()) == 2
        assert online.register((BOTH.service_id,)).granted
        assert online.ask(Order(TokenPurchaseRequest("t-1", items=(TOKENS,)))).failure is None
        receipts = online.listen()
        assert [receipt.taken for receipt in receipts] == [True]
    options = ("-d", f"tcp.port=={bsf},http", "-d", f"tcp.port=={bsm},http", "-d", f"udp.port=={OMA_LTKM_PORT},mikey",
               "-d", f"udp.port=={MARK_PORT},data")  # fmt: skip

    http = read(file, "http", *options)
    asked = [one for one in http if "http.request.method" in one]  # an answer has the URI, too, by Wireshark 4.4
    targets = Counter(one["http.request.uri"] for one in asked)
    assert targets == {BOOTSTRAPPING.target: 2, TOKEN_PURCHASE.target: 3, REGISTRATION.target: 1}
    assert {one["http.host"] for one in asked} == {network.bsf.name, network.bsm.name}
    shown = [one["http.authorization"] for one in asked if "http.authorization" in one]
    assert len(shown) == 5  # the introduction, RES, the subscription; registration and tokens at once
    assert all('qop="auth-int"' in one or "qop=auth-int" in one for one in shown[1:])
    told = [one for one in http if "http.response.code" in one]
    assert len(told) == len(asked)
    assert sum("http.www_authenticate" in one for one in told) == 2

    mikey = read(file, "mikey", *options)
    ways = [(int(one["udp.srcport"]), int(one["udp.dstport"])) for one in mikey]
    push = network.push.port
    out, back = [to for at, to in ways if at == push], [at for at, to in ways if to == push]
    assert sorted(out) == sorted(back) == [MIKEY_PORT] * 4 + [OMA_LTKM_PORT]
    assert {one["ip.src"] for one in mikey} == {place, network.push.address}
    kinds = Counter(str(one.get("mikey.type")) for one in mikey)
    assert len(kinds) == 2, "pre-shared key messages, and verification messages"
    assert set(kinds.values()) == {5}

    # Wireshark 4.4 has a fault of its own behind parameter 13 of an SP for SRTP.
    wrong = '_ws.malformed or (_ws.expert.severity == error and not _ws.expert.message contains "Unregistered hf")'
    assert read(file, wrong, *options) == []
