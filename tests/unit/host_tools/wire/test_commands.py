"""`headend serve` as a process of its own, and the terminal's commands before it."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.cli.headend.show import Show
from host_tools.cli.main import invoke
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.pricing import PricingAnswer, PricingRequest
from host_tools.exchange.messages.provisioning import Price, PurchaseItem
from host_tools.exchange.messages.zn import ZnRequest
from host_tools.exchange.messages.zn_json import decode_answer, encode_request
from host_tools.exchange.procedures import PRICING, ZN_JSON
from host_tools.exchange.transport import Endpoint
from host_tools.headend.permissions_issuer.certificates import LabCa
from host_tools.headend.scenario.reading import find_scenario
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from host_tools.sessions.air import transport_key
from host_tools.sessions.events import Event, TransportKeyMade
from host_tools.sessions.online import opening
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.network_file import NetworkFile, load_network
from tests.support.head_end import PIN, PatientTerminal, free_address

_MOST_SECONDS = 60


@dataclass
class Served:
    process: subprocess.Popen[str]
    network: NetworkFile
    file: Path
    certificates: Path
    address: str = field(default_factory=free_address)
    """Of the terminal: LTKMs go to where the registration came from."""

    def metrics(self) -> list[str]:
        end = self.network.others["metrics"].endpoint
        with urlopen(f"http://{end.address}:{end.port}/metrics", timeout=_MOST_SECONDS) as answer:
            lines: list[str] = answer.read().decode().splitlines()
        return lines

    def rests(self) -> bool:
        """Tell whether no LTKM waits, neither to be sent nor to be acknowledged."""
        return {"bcast_uicc_ordered 0", "bcast_uicc_outstanding 0"} <= {*self.metrics()}

    def interrupt(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(_MOST_SECONDS)


@contextmanager
def serving(folder: Path, *more: str, scenario: str = "demo") -> Iterator[Served]:
    """Run `headend serve` until the block ends."""
    file, certificates = folder / "net.toml", folder / "certificates"
    command = [sys.executable, "-m", "host_tools.cli.main", "headend", "serve", scenario, "--network-file", str(file)]
    command += ["--certificates", str(certificates), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("Registrations"):
                    break
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            yield Served(process, load_network(file), file, certificates)
        finally:
            process.kill()


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "a.card"
    create_card(CardProfile.demo(), path).close()
    return path


@pytest.fixture(autouse=True)
def _pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())


def run(served: Served, verb: str, card: Path, *more: str) -> int:
    """Run a command of the terminal, which takes all that the BSM has for it, however busy the computer is."""
    place = ["--network", str(served.file), "--address", served.address]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "OnlineTerminal", partial(PatientTerminal, rests=served.rests))
        return invoke(["terminal", verb, "--link", "inprocess", "--profile", str(card), "--json", *place, *more])


def test_a_terminal_registers_asks_and_leaves(tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path) as served:
        assert run(served, "keys", card) == ExitCode.DIFFERENT  # no key in the card, and none is named
        capsys.readouterr()
        for verb in ("register", "keys", "deregister"):
            assert run(served, verb, card) == ExitCode.OK
            told = json.loads(capsys.readouterr().out)
            assert [one["status"] for one in told["answers"]] == [200, 200]
            # One that is answered late, on a busy machine, goes out again.
            assert len(told["ltkms"]) >= 2
            assert {one["verdict"] for one in told["ltkms"]} == {"taken"}
        assert run(served, "register", card) == ExitCode.OK
        elsewhere = replace(served, address=free_address())
        capsys.readouterr()
        assert run(elsewhere, "keys", card) == ExitCode.OK  # it registers there first, so that they come to it
        assert {one["verdict"] for one in json.loads(capsys.readouterr().out)["ltkms"]} == {"taken"}
        assert run(served, "register", card, "urn:nobody:has:this") == ExitCode.DIFFERENT
        captured = capsys.readouterr()
        assert json.loads(captured.out)["answers"] == [{"service": "urn:nobody:has:this", "status": 403}]
        assert "refused 1 of 1" in captured.err
        lines = served.metrics()
        assert "bcast_uicc_unexpected_exceptions_total 0" in lines
        assert "bcast_uicc_acknowledged_total 12" in lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_with_0_and_leaves_no_port(tmp_path: Path, number: int) -> None:
    with serving(tmp_path) as served:
        # One connection is open meanwhile, and says nothing.
        end = served.network.bsm.endpoint
        with socket.create_connection((end.address, end.port)):
            assert served.interrupt(number) == ExitCode.OK
        assert served.process.stderr is not None
        assert served.process.stderr.read() == ""
        network = served.network
        for place in (network.bsf, network.bsm, *network.others.values()):
            with socket.socket() as again:
                assert again.connect_ex((place.endpoint.address, place.endpoint.port)) != 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind((network.push.address, network.push.port))


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert invoke(["headend", "serve", "--port", port]) == ExitCode.ENVIRONMENT
    assert f"port {port} of 127.0.0.1 cannot be had: Address already in use" in capsys.readouterr().err


def test_a_second_one_on_the_same_store_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, link = tmp_path / "a.db", tmp_path / "link.db"
    link.symlink_to(store)
    with serving(tmp_path, "--db", str(store)) as served:
        for name in (str(store), f"sqlite:///{link}"):
            assert invoke(["headend", "serve", "--db", name]) == ExitCode.LOCKED
            said = f"another head-end serves from this store: {store} is in use by process {served.process.pid}"
            assert said in capsys.readouterr().err
        assert served.interrupt() == ExitCode.OK
    with serving(tmp_path, "--db", f"sqlite:///{link}") as again:
        assert again.interrupt(signal.SIGKILL) == -signal.SIGKILL
    with serving(tmp_path, "--db", str(store)) as after_a_kill:
        assert after_a_kill.interrupt() == ExitCode.OK
    assert sorted(path.name for path in tmp_path.glob("*.lock")) == []


def test_a_transport_key_that_is_made_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, told = tmp_path / "typo.key", Listener()
    transport_key(path, told)
    made = path.read_bytes()
    transport_key(path, told)
    assert path.read_bytes() == made
    assert told.events == [TransportKeyMade(path)]
    Show().emit(told.events[0])
    assert f"{path}: a new transport key" in capsys.readouterr().err


class Listener:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event, /) -> None:
        self.events.append(event)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["headend", "serve", "--db", "sqlite:///file:a.db?uri=true"], ExitCode.INPUT, "is named by its path"),
        (["headend", "serve", "--zn-port", "1"], ExitCode.USAGE, "--zn-port needs --certificates"),
        (["headend", "serve", "--tls-port", "1"], ExitCode.USAGE, "--tls-port needs --certificates"),
        (["headend", "serve", "--bsf-tls-port", "1"], ExitCode.USAGE, "--bsf-tls-port needs --certificates"),
        (["headend", "serve", "--no-pages", "--shop-port", "1"], ExitCode.USAGE, "--shop-port needs --pages"),
        (["headend", "serve", "--db", "postgresql://x@127.0.0.1:1/x"], ExitCode.ENVIRONMENT, "Connection refused"),
        (["terminal", "online", "--show-client-id"], ExitCode.USAGE, "--show-client-id needs --client-id"),
    ],
)
def test_what_does_not_go_together(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(arguments) == status
    assert said in capsys.readouterr().err


def test_a_server_that_asks_over_zn_shows_its_certificate(
    tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path) as served:
        assert run(served, "register", card) == ExitCode.OK
        b_tid = json.loads(capsys.readouterr().out)["b_tid"]
        zn, bsm = served.network.others["zn"], served.network.bsm
        naf_id = bsm.name.encode() + bytes.fromhex("0100000001")
        request = ZN_JSON.build(zn.name, encode_request(ZnRequest(b_tid, naf_id, gba_u_aware=True)))
        context = ssl.create_default_context(cafile=str(served.certificates / "ca.pem"))
        with pytest.raises(TransportError, match="broke off"):
            ask(zn.endpoint, zn.name, context, request)
        context.load_cert_chain(served.certificates / "naf.pem", served.certificates / "naf.key")
        answer = ask(zn.endpoint, zn.name, context, request)
        assert answer.status == 200
        assert decode_answer(answer.body).impi is not None
        foreign = ZN_JSON.build(zn.name, encode_request(ZnRequest(b_tid, b"other" + naf_id[-5:], gba_u_aware=True)))
        assert ask(zn.endpoint, zn.name, context, foreign).status == 403


def ask(place: Endpoint, name: str, context: ssl.SSLContext, request: HttpRequest) -> HttpResponse:
    return HttpTransport(place, tls=context, tls_name=name).exchange(request)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["--address", "localhost"], "an IPv4 address is wanted"),
        (["--resolve", "bsf.example.org"], "NAME:ADDRESS:PORT is wanted"),
        (["--resolve", "bsf.example.org:127.0.0.1:0"], "NAME:ADDRESS:PORT is wanted"),
        (["--resolve", "nobody.example.org:127.0.0.1:80"], "the network file has bsf.example.org and bsm.example.org"),
    ],
)
def test_options_that_cannot_be_used(
    tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str], more: list[str], complaint: str
) -> None:
    assert offline(tmp_path, card, *more) == ExitCode.USAGE
    assert complaint in capsys.readouterr().err


def offline(tmp_path: Path, card: Path, *more: str) -> int:
    """Register with the servers of a file that names a port where nobody listens."""
    file = tmp_path / "net.toml"
    file.write_text(
        'format = 1\nservices = ["urn:x"]\n'
        'bsf = { name = "bsf.example.org", address = "127.9.9.7", port = 9 }\n'
        'bsm = { name = "bsm.example.org", address = "127.9.9.7", port = 9 }\n'
        'push = { address = "127.9.9.7", port = 9 }\n'
    )
    words = ["terminal", "register", "--link", "inprocess", "--profile", str(card), "--network", str(file)]
    return invoke([*words, "--address", free_address(), *more])


def test_nobody_listens(tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert offline(tmp_path, card) == ExitCode.ENVIRONMENT
    assert "no connection to 127.9.9.7:9: Connection refused" in capsys.readouterr().err


def test_a_name_is_resolved_elsewhere(tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert offline(tmp_path, card, "--resolve", "bsf.example.org:127.9.9.6:7") == ExitCode.ENVIRONMENT
    assert "no connection to 127.9.9.6:7" in capsys.readouterr().err


def test_a_catalogue_of_its_own_and_client_ids(tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue = tmp_path / "catalogue.toml"
    item = 'id = "urn:example:item1"\ndata = "urn:example:data1"\ndays = 30\nprice = "1"\nservices = ["tone-a"]\n'
    catalogue.write_text(f"[[item]]\n{item}")
    with serving(tmp_path, "--catalogue", str(catalogue), "--client-ids") as served:
        assert run(served, "register", card, "urn:example:item1urn:example:data1") == ExitCode.DIFFERENT
        assert "refused" in capsys.readouterr().err
        tls = served.network.others["bsm-tls"]
        assert tls.name == served.network.bsm.name
        context = ssl.create_default_context(cafile=str(served.certificates / "ca.pem"))
        context.load_cert_chain(served.certificates / "terminal.pem", served.certificates / "terminal.key")
        body = PricingRequest("p", (PurchaseItem("urn:example:item1", "urn:example:data1"),)).encode()
        told = ask(tls.endpoint, tls.name, context, PRICING.build(tls.name, body, (("User-Agent", "raw"),)))
        assert PricingAnswer.decode(told.body).results[0].prices == (Price(Decimal(1), "EUR", "period"),)


def test_certificates_that_are_there_are_used_and_nothing_is_written(
    tmp_path: Path, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, ca = tmp_path / "certificates", LabCa(datetime.now(UTC))
    folder.mkdir()
    (folder / "ca.pem").write_bytes(ca.certificate)
    names = find_scenario("demo").network
    ca.certify_server([names.bsm_fqdn, names.bsf_name]).write(folder / "server")
    ca.certify_terminal("mine").write(folder / "terminal")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with serving(tmp_path, "--no-included") as served:
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
        assert served.network.service_ids == ()
        end = served.network.others["bsm-tls"].endpoint
        url = f"https://{names.bsm_fqdn}:{end.port}"
        over_tls = [
            "--certificates",
            str(folder),
            "--bsm",
            url,
            "--resolve",
            f"{names.bsm_fqdn}:{end.address}:{end.port}",
        ]
        assert run(served, "register", card, SERVICE_PREFIX + "tone-a", *over_tls) == ExitCode.DIFFERENT
        captured = capsys.readouterr()
        assert [one["status"] for one in json.loads(captured.out)["answers"]] == [403], captured.err
        assert 'bcast_uicc_http_answers_total{server="bsm-tls",status="200"} 1' in served.metrics()


def test_certificates_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ca, command = LabCa(datetime.now(UTC)), ["headend", "serve", "--certificates", str(tmp_path)]
    certificate, key = ca.certify_server(["bsm.example"]).write(tmp_path / "server")
    assert invoke(command) == ExitCode.INPUT
    assert "has server.pem and no ca.pem" in capsys.readouterr().err
    (tmp_path / "ca.pem").write_bytes(ca.certificate)
    secret = key.read_text()
    key.write_bytes(ca.certify_server(["bsm.example"]).key)
    assert invoke(command) == ExitCode.INPUT
    told = capsys.readouterr().err
    assert "cannot be used: KEY_VALUES_MISMATCH" in told
    for broken in ("nothing", secret[:60]):
        key.write_text(broken)
        assert invoke(command) == ExitCode.INPUT
        told = capsys.readouterr().err
        assert "cannot be used" in told
        assert secret[40:60] not in told
    assert certificate.exists()


def test_a_catalogue_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text('[[item]]\nid = "urn:example:item1"\nprice = "1"\nservices = ["tone-z"]\n')
    assert invoke(["headend", "serve", "--catalogue", str(catalogue)]) == ExitCode.INPUT
    told = capsys.readouterr().err
    assert f"{catalogue}:4: item[1].services: a list of at most 64 of tone-a, tone-b is wanted" in told
    assert "item[1].days: a subscription lasts" in told
    assert invoke(["headend", "serve", "--client-ids"]) == ExitCode.USAGE
