"""A Registration that waits for a client ID, whatever headers it came with."""

from __future__ import annotations

import pytest

from host_tools.exchange.digest.headers import Challenge
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.names import CLIENT_ID_WANTED, GBA_TOKEN, TAKEN_HEADER, client_id_agent
from host_tools.exchange.procedures import REGISTRATION
from host_tools.exchange.transport import Peer
from host_tools.headend.http.client_id import AnyTerminal
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from tests.support.flows import RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end

ONE = SERVICE_PREFIX + "one"


def answered(served: HeadEnd, terminal: RawTerminal, request: HttpRequest) -> HttpResponse:
    """Ask without a wire, which an `HttpRequest` with such headers does not cross."""
    server, peer = served.running.servers.ua, Peer(terminal.address, certificate="terminal-1")
    refused = served.call(lambda: server.handle(request, peer))
    (challenge,) = Challenge.parse_all(refused.all("WWW-Authenticate"))
    asked = terminal.authorised(request, challenge.nonce)
    return served.call(lambda: server.handle(asked, peer))


def registration(fqdn: str, headers: Headers) -> HttpRequest:
    built = REGISTRATION.build(fqdn, Registration((ONE,)).encode(), (("User-Agent", GBA_TOKEN),))
    return HttpRequest(built.method, built.target, (*built.headers, *headers), built.body)


@pytest.mark.parametrize("headers", [(("X" * 65, "x"),), (("X-More", "x"),) * 65, (("X-Long", "x" * 8000),) * 3])
def test_headers_that_say_nothing_do_not_wait_with_it(headers: Headers) -> None:
    with head_end(client_ids=AnyTerminal(wanted=True)) as served, raw_terminal(served) as terminal:
        fqdn = terminal.log.fqdn
        asked = answered(served, terminal, registration(fqdn, headers))
        assert (asked.status, asked.body.strip()) == (403, CLIENT_ID_WANTED.encode())
        agent = f"{GBA_TOKEN} {client_id_agent(bytes.fromhex('ff00010203040506'))}"
        shown = answered(served, terminal, HttpRequest("GET", "/", (("Host", fqdn), ("User-Agent", agent))))
        assert (shown.status, RegistrationAnswer.decode(shown.body).codes) == (200, (ServiceCode(ONE, 200),))
        assert served.defects == 0


def test_one_that_could_not_be_read_again_is_refused_at_once() -> None:
    with head_end(client_ids=AnyTerminal(wanted=True)) as served, raw_terminal(served) as terminal:
        asked = answered(served, terminal, registration(terminal.log.fqdn, ((TAKEN_HEADER, ""),) * 65))
        assert asked.status == 400
        assert served.defects == 0
