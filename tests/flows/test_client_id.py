"""BCAST_Client_ID in its three forms (change request on SPCP, clause 6.9.2)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from host_tools.exchange.http import HttpRequest
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.names import client_id_agent
from host_tools.exchange.procedures import REGISTRATION
from host_tools.headend.http.client_id import AnyTerminal
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from tests.support.flows import ANSWER, PUSH, REQUEST, VERIFICATION, RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end
from tests.support.lab_tls import LabTls
from tests.unit.host_tools.headend.networks import small_scenario

FQDN = small_scenario().network.bsm_fqdn
ONE = SERVICE_PREFIX + "one"
CLIENT_ID, REFUSED = bytes.fromhex("ff00010203040506"), bytes.fromhex("ffff010203040506")
_BODY = Registration((ONE,)).encode()
_DIGEST = [REQUEST, ANSWER, REQUEST, ANSWER]


@pytest.fixture
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HeadEnd, LabTls]]:
    """A head-end that wants client IDs and has TLS."""
    tls = LabTls(tmp_path_factory.mktemp("tls"))
    rule = AnyTerminal(wanted=True, refused=frozenset({REFUSED}))
    with head_end(ua_tls=tls.server(FQDN), client_ids=rule) as found:
        yield found, tls
        assert found.defects == 0


def show(terminal: RawTerminal, agent: str) -> HttpRequest:
    """The GET that shows a client ID, or an empty agent."""
    headers = (("Host", FQDN), ("User-Agent", agent), ("Date", "Thu, 08 Jan 2004 10:13:18 GMT"))
    nonce = terminal.log.answer(3).one("Authentication-Info") or ""
    following = nonce.partition('nextnonce="')[2].partition('"')[0]
    return terminal.authorised(HttpRequest("GET", "/", headers), following)


@pytest.mark.flow("003", "6.9.2.1", step="1", message="TLS with certificates on both sides before the Registration")
@pytest.mark.flow("003", "6.9.2.2", step="1", message="Registration with User-Agent:BCAST_Client_ID=base64")
@pytest.mark.flow("003", "6.9.2.5", step="1", message="RegistrationResponse with success")
def test_6_9_2_2_the_terminal_shows_its_client_id_at_once(secured: tuple[HeadEnd, LabTls]) -> None:
    served, tls = secured
    with raw_terminal(served, tls.terminal("terminal-1")) as terminal:
        terminal.agent = client_id_agent(CLIENT_ID)
        terminal.ask(REGISTRATION, _BODY)
        log = terminal.log
        assert (
            f"User-Agent: BCAST_Client_ID={base64.b64encode(CLIENT_ID).decode()}\r\n".encode() in log.crossed[2].octets
        )
        log.require_credentials(2)
        answer = log.require_signed(3)
        assert (answer.status, RegistrationAnswer.decode(answer.body).codes) == (200, (ServiceCode(ONE, 200),))
        assert terminal.take(1) == 1
        assert log.kinds() == [*_DIGEST, PUSH, VERIFICATION]


@pytest.mark.flow("003", "6.9.2.3", step="1", message="403 Not acceptable, send_BCAST_Client_ID")
@pytest.mark.flow("003", "6.9.2.4", step="1", message="GET / with User-Agent: BCAST_Client_ID=base64, over TLS")
@pytest.mark.flow("003", "6.9.2.5", step="1", message="RegistrationResponse with success")
def test_6_9_2_3_the_bsm_asks_and_the_terminal_answers(secured: tuple[HeadEnd, LabTls]) -> None:
    served, tls = secured
    with raw_terminal(served, tls.terminal("terminal-1")) as terminal:
        asked = terminal.ask(REGISTRATION, _BODY)
        log = terminal.log
        octets = log.crossed[3].octets
        assert octets.startswith(b"HTTP/1.1 403 Not acceptable\r\n")
        assert b"\r\nServer: BCAST NAF Server\r\n" in octets
        assert asked.one("Date")
        assert asked.body.strip() == b"send_BCAST_Client_ID"
        log.require_signed(3)
        assert terminal.take(1, 0.2) == 0
        answer = terminal.exchange(show(terminal, client_id_agent(CLIENT_ID)))
        assert log.crossed[4].octets.startswith(b"GET / HTTP/1.1\r\n")
        log.require_signed(5)
        assert (answer.status, RegistrationAnswer.decode(answer.body).codes) == (200, (ServiceCode(ONE, 200),))
        assert terminal.take(1) == 1
        assert log.kinds() == [*_DIGEST, REQUEST, ANSWER, PUSH, VERIFICATION]
        # It is known from now on, and not asked for again.
        assert terminal.ask(REGISTRATION, _BODY).status == 200


@pytest.mark.flow("003", "6.9.2.4", step="2", message="GET / with an empty User-Agent; the Registration is refused")
def test_6_9_2_4_a_terminal_without_a_client_id_is_refused(secured: tuple[HeadEnd, LabTls]) -> None:
    served, _ = secured
    with raw_terminal(served) as terminal:
        assert terminal.ask(REGISTRATION, _BODY).body.strip() == b"send_BCAST_Client_ID"
        answer = terminal.exchange(show(terminal, ""))
        assert (answer.status, RegistrationAnswer.decode(answer.body).codes) == (403, (ServiceCode(ONE, 403),))
        assert terminal.take(1, 0.2) == 0
        impi, keys = served.network.subscriber.impi, served.running.servers.keys
        assert served.call(lambda: keys.registration(impi)) is None
        # What was refused is over: the client ID alone brings nothing.
        assert terminal.exchange(show(terminal, client_id_agent(CLIENT_ID))).status in (401, 403)


@pytest.mark.flow("003", "6.9.2.2", step="2", message="a client ID outside TLS counts as none")
def test_6_9_2_2_a_client_id_without_tls_is_not_taken(secured: tuple[HeadEnd, LabTls]) -> None:
    served, _ = secured
    with raw_terminal(served) as terminal:
        terminal.agent = client_id_agent(CLIENT_ID)
        assert terminal.ask(REGISTRATION, _BODY).body.strip() == b"send_BCAST_Client_ID"


def test_a_client_id_that_is_refused(secured: tuple[HeadEnd, LabTls]) -> None:
    served, tls = secured
    with raw_terminal(served, tls.terminal("terminal-1")) as terminal:
        terminal.agent = client_id_agent(REFUSED)
        answer = terminal.ask(REGISTRATION, _BODY)
        assert (answer.status, RegistrationAnswer.decode(answer.body).codes) == (403, (ServiceCode(ONE, 403),))
