"""Terminal binding: who gets a binding key, what a bound TEK is worth without one, and hostile issuers and clients."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import pytest

from card.crypto.secret import Secret
from host_tools.headend.bsda.management import bind
from host_tools.headend.permissions_issuer.certificates import LabCa
from host_tools.headend.permissions_issuer.service import PermissionsIssuer
from host_tools.headend.scenario.seeded_keys import binding_key
from host_tools.terminal.bcast import Refusal, RefusalReason
from host_tools.terminal.tbk import BindingFeed, Credentials, PermissionsClient, PermissionsError, unbind
from tests.support.stage import Stage

HOST = "permissions.mnc001.mcc001.pub.3gppnetwork.org"
URI = f"https://{HOST}"
ALL = range(1, 7)
KEY_ID = 7


@pytest.fixture(scope="module")
def ca() -> LabCa:
    return LabCa(datetime.now(UTC))


@pytest.fixture
def issuer(ca: LabCa) -> Iterator[PermissionsIssuer]:
    keys = {KEY_ID: binding_key(Stage("terminal_binding").network.scenario, KEY_ID)}
    with PermissionsIssuer.with_test_ca(ca, HOST, keys, frozenset({"phone"})) as running:
        yield running


def credentials(ca: LabCa, folder: Path, terminal: str) -> Credentials:
    trusted = folder / "ca.pem"
    trusted.write_bytes(ca.certificate)
    return Credentials(trusted, *ca.certify_terminal(terminal).write(folder / terminal))


def client(ca: LabCa, issuer: PermissionsIssuer, folder: Path, terminal: str = "phone") -> PermissionsClient:
    return PermissionsClient(credentials(ca, folder, terminal).context(), issuer.address)


def test_binding_goes_both_ways() -> None:
    tek, tbk = Secret(bytes(range(16))), Secret(bytes(range(16, 32)))
    assert bind(tek, tbk) != tek
    assert unbind(bind(tek, tbk), tbk) == tek


class TestPlaying:
    def test_a_bound_terminal_hears_everything(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path) -> None:
        stage = Stage("terminal_binding")
        feed = BindingFeed(stage.middleware, client(ca, issuer, tmp_path))
        result = stage.play(feed=feed)
        stage.require("premium", ALL)
        assert (result.packets_failed, result.packets_without_key) == (0, 0)
        assert issuer.served == [("phone", KEY_ID, HTTPStatus.OK)]

    def test_a_terminal_that_knows_nothing_of_binding_gets_teks_it_cannot_use(self) -> None:
        stage = Stage("terminal_binding")
        result = stage.play()
        assert (result.teks, result.stkms_refused) == (6, 0)
        assert (result.packets_decrypted, result.packets_failed) == (0, 600)
        true = stage.true_teks("premium", ALL)
        assert set(stage.teks) == set(true)
        assert not set(stage.teks.values()) & set(true.values())

    def test_a_second_terminal_is_refused_by_the_issuer(
        self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path
    ) -> None:
        stage, problems = Stage("terminal_binding"), list[PermissionsError]()
        other = client(ca, issuer, tmp_path, "other")
        feed = BindingFeed(stage.middleware, other, on_problem=problems.append)
        result = stage.play(feed=feed)
        assert (result.teks, result.packets_decrypted) == (0, 0)
        assert all(isinstance(d.outcome, Refusal) for d in stage.decisions)
        assert ["403" in str(problem) for problem in problems] == [True] * 3
        assert {status for _, _, status in issuer.served} == {HTTPStatus.FORBIDDEN}

    def test_a_terminal_without_certificate_says_so(self) -> None:
        stage = Stage("terminal_binding")
        stage.play(feed=BindingFeed(stage.middleware, None))
        outcome = stage.decisions[0].outcome
        assert isinstance(outcome, Refusal)
        assert outcome.reason is RefusalReason.BINDING_KEY_MISSING

    def test_other_services_need_no_binding_key(self) -> None:
        stage = Stage("subscribe")
        stage.play(feed=BindingFeed(stage.middleware, None))
        assert stage.teks == stage.true_teks("news", ALL)

    def test_audit_shows_the_binding(self) -> None:
        stage = Stage("terminal_binding")
        stage.play()
        (policy,) = stage.policies("premium")
        assert policy.properties == {"terminal_binding"}


class TestIssuer:
    def test_no_certificate_no_connection(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_bytes(ca.certificate)
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with pytest.raises(PermissionsError):
            PermissionsClient(context, issuer.address).fetch(URI, KEY_ID)
        assert issuer.served == []

    def test_a_certificate_of_another_authority(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path) -> None:
        foreign = LabCa(datetime.now(UTC)).certify_terminal("phone").write(tmp_path / "phone")
        (tmp_path / "ca.pem").write_bytes(ca.certificate)
        context = Credentials(tmp_path / "ca.pem", *foreign).context()
        with pytest.raises(PermissionsError):
            PermissionsClient(context, issuer.address).fetch(URI, KEY_ID)
        assert issuer.served == []

    def test_a_servers_certificate_is_no_terminals(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path) -> None:
        wrong = ca.certify_server(["phone"]).write(tmp_path / "phone")
        (tmp_path / "ca.pem").write_bytes(ca.certificate)
        with pytest.raises(PermissionsError):
            PermissionsClient(Credentials(tmp_path / "ca.pem", *wrong).context(), issuer.address).fetch(URI, KEY_ID)
        assert issuer.served == []

    def test_the_issuer_must_have_the_name_in_the_stkm(
        self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path
    ) -> None:
        with pytest.raises(PermissionsError, match="elsewhere"):
            client(ca, issuer, tmp_path).fetch("https://elsewhere.example.org", KEY_ID)
        assert issuer.served == []

    def test_an_unknown_key(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path) -> None:
        with pytest.raises(PermissionsError, match="404"):
            client(ca, issuer, tmp_path).fetch(URI, 8)

    def test_a_path_in_the_address(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path) -> None:
        assert len(client(ca, issuer, tmp_path).fetch(f"{URI}/some/where/", KEY_ID)) == 16

    @pytest.mark.parametrize("path", ["/", "/tbk/7", "/tbk/000000070", "/tbk/0000000G", "/tbk/00000007?x=1"])
    def test_other_paths(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path, path: str) -> None:
        context = credentials(ca, tmp_path, "phone").context()
        with socket.create_connection(issuer.address, 10) as plain:
            secured = context.wrap_socket(plain, server_hostname=HOST)
            connection = http.client.HTTPConnection(HOST)
            connection.sock = secured
            connection.request("GET", path)
            assert connection.getresponse().status == HTTPStatus.NOT_FOUND
            connection.close()
        assert issuer.served == []

    def test_a_silent_client_holds_up_nobody(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path) -> None:
        with socket.create_connection(issuer.address, 10):
            assert len(client(ca, issuer, tmp_path).fetch(URI, KEY_ID)) == 16

    @pytest.mark.parametrize(
        "uri", ["", "http://example.org", "ftp://example.org", "https://", "https://a b", "https://[", "https://x:99999",
                "https://ä.example", "https://x\r\n.example"],
    )  # fmt: skip
    def test_addresses_that_are_none(self, ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path, uri: str) -> None:
        with pytest.raises(PermissionsError):
            client(ca, issuer, tmp_path).fetch(uri, KEY_ID)

    def test_nobody_there(self, ca: LabCa, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            address = unused.getsockname()
        context = credentials(ca, tmp_path, "phone").context()
        with pytest.raises(PermissionsError, match="refused"):
            PermissionsClient(context, (address[0], address[1])).fetch(URI, KEY_ID)

    def test_certificates_that_cannot_be_read(self, tmp_path: Path) -> None:
        missing = tmp_path / "none.pem"
        with pytest.raises(PermissionsError):
            Credentials(missing, missing, missing).context()

    def test_the_private_key_is_nobody_elses(self, ca: LabCa, tmp_path: Path) -> None:
        _, key = ca.certify_terminal("phone").write(tmp_path / "phone")
        assert key.stat().st_mode & 0o777 == 0o600

    def test_keys_are_in_no_repr(self, ca: LabCa, issuer: PermissionsIssuer) -> None:
        key = issuer.keys[KEY_ID].reveal()
        stage = Stage("terminal_binding")
        feed = BindingFeed(stage.middleware, None)
        for shown in (repr(issuer.keys), repr(feed), repr(ca.certify_terminal("phone"))):
            assert key.hex() not in shown
            assert "PRIVATE" not in shown


def test_an_answer_of_another_size_is_refused(ca: LabCa, tmp_path: Path) -> None:
    short = {KEY_ID: Secret(bytes(15))}
    issuer = PermissionsIssuer.with_test_ca(ca, HOST, short, frozenset({"phone"}))
    with issuer, pytest.raises(PermissionsError, match="15 bytes"):
        client(ca, issuer, tmp_path).fetch(URI, KEY_ID)


def test_a_resent_bound_tek_is_opened_too(ca: LabCa, issuer: PermissionsIssuer, tmp_path: Path) -> None:
    stage = Stage("terminal_binding")
    stage.play(feed=BindingFeed(stage.middleware, client(ca, issuer, tmp_path)))
    assert sum(decision.resent and decision.granted for decision in stage.decisions) == 6
    assert stage.teks == stage.true_teks("premium", ALL)


def test_what_an_issuer_notes_has_a_bound(issuer: PermissionsIssuer) -> None:
    for key_id in range(1100):
        issuer.answer("phone", key_id)
    assert [key_id for _, key_id, _ in issuer.served] == list(range(76, 1100))
