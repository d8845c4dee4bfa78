"""Our client before a BSM of other people: aiohttp, the oracle's digest, and everything written its own way."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from host_tools.exchange.messages.registration import RegistrationAnswer
from host_tools.exchange.transport import Endpoint
from host_tools.terminal.client.errands import Outcome, Trouble
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.way import Bsm
from host_tools.terminal.client.wishes import Register
from host_tools.terminal.http.session import UaIdentity
from host_tools.terminal.identities import OnlineCard
from host_tools.terminal.online import OnlineTerminal
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.system import SystemClock, SystemRng
from tests.oracle import http_digest
from tests.support.client import FQDN, REALM, SRK, identity
from tests.support.head_end import free_address, fresh_card

_MOST_SECONDS = 30.0
SERVICE = "urn:item:one"
Handler = Callable[[web.Request], Awaitable[web.Response]]
BODY = (
    "<?xml version='1.0'?>\n<!-- somebody else's -->\n"
    "<m:mbmsSecurityRegisterResponse  xmlns:m='urn:3GPP:metadata:2005:MBMS:securityRegistrationResponse' more='1'>\n"
    f" <m:Response ><m:serviceID>\n{SERVICE} </m:serviceID><m:ResponseCode>200  Fine</m:ResponseCode></m:Response>\n"
    "</m:mbmsSecurityRegisterResponse>"
).encode()
KIND = 'application/mbms-register-response+xml ; Charset="utf-8"'


class OtherSession:
    """An identity that was agreed on beforehand; `renewals` counts how often a new one was wanted."""

    agent = "somebody 3gpp-gba"

    def __init__(self) -> None:
        self.renewals = 0

    def current(self) -> UaIdentity:
        return identity(1 + self.renewals)

    def renew(self) -> UaIdentity:
        self.renewals += 1
        return self.current()


def fields(request: web.Request) -> dict[str, str]:
    """Read the credentials without the product's reader."""
    text = request.headers["Authorization"].removeprefix("Digest ")
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', text)}


def is_right(request: web.Request, body: bytes) -> bool:
    shown = fields(request)
    first = http_digest.ha1(shown["username"], shown["realm"], SRK)
    second = http_digest.ha2("POST", request.path_qs, "auth-int", body)
    wanted = http_digest.response(first, shown["nonce"], shown["nc"], shown["cnonce"], "auth-int", second)
    return shown["response"] == wanted and shown["uri"] == request.path_qs and shown["realm"] == REALM


def rspauth(request: web.Request, body: bytes) -> str:
    shown = fields(request)
    first = http_digest.ha1(shown["username"], shown["realm"], SRK)
    second = http_digest.ha2("", request.path_qs, "auth-int", body)
    return http_digest.response(first, shown["nonce"], shown["nc"], shown["cnonce"], "auth-int", second)


@dataclass
class OtherBsm:
    """What it answers, one after the other; what it was asked."""

    answers: list[Handler]
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert request.headers["Host"] == f"{FQDN}:{self.port}"  # TS 33.246 clause H.2.1
        if "Authorization" in request.headers:
            assert is_right(request, body)
            self.asked.append(fields(request))
        return await self.answers.pop(0)(request)


def demand(*headers: str) -> Handler:
    """Return what challenges with these `WWW-Authenticate` headers, between others."""

    async def answer(_request: web.Request) -> web.Response:
        response = web.Response(status=401, reason="Who are you", text="<html>no</html>")
        for number, value in enumerate(headers):
            response.headers.add(f"X-Other-{number}", "a, b")
            response.headers.add("www-authenticate", value)
        return response

    return answer


def grant(*, info: str = 'qop = auth-int , rspauth="{rspauth}"', body: bytes = BODY) -> Handler:
    """Return what registers, with `Authentication-Info` in front of everything else."""

    async def answer(request: web.Request) -> web.Response:
        headers = {"AUTHENTICATION-INFO": info.format(rspauth=rspauth(request, BODY))} if info else {}
        return web.Response(status=200, body=body, headers={**headers, "Content-Type": KIND, "Expires": "0"})

    return answer


@pytest.fixture
def other() -> Iterator[OtherBsm]:
    """Serve on a port that is free, in a thread."""
    bsm = OtherBsm([])
    listening = socket.create_server(("127.0.0.1", 0))
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", bsm.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        ended = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), ended))
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    loop, ended = started.result(_MOST_SECONDS)
    bsm.port = listening.getsockname()[1]
    try:
        yield bsm
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(_MOST_SECONDS)


def register(other: OtherBsm, *answers: Handler, times: int = 1) -> tuple[OtherSession, list[Outcome]]:
    """Register so many times before these answers."""
    other.answers[:] = answers
    session, address = OtherSession(), free_address()
    port: int = other.port
    transport = HttpTransport(Endpoint("127.0.0.1", port), address)
    bsm, clock, rng = Bsm(FQDN, "/some/where", port=port), SystemClock(), SystemRng()
    card = OnlineCard(fresh_card(), session)
    with OnlineTerminal(card, bsm, transport, KeySockets(address), clock, rng, rules=Rules(chases=False)) as terminal:
        return session, [terminal.ask(Register((SERVICE,))) for _ in range(times)]


def granted(outcome: Outcome) -> bool:
    assert outcome.failure is None, outcome.failure
    assert isinstance(outcome.answer, RegistrationAnswer)
    return [(code.service_id, code.status) for code in outcome.answer.codes] == [(SERVICE, 200)]


@pytest.mark.parametrize(
    "headers",
    [
        (f'Digest realm="{REALM};3GPP-bootstrapping-uicc@{FQDN}", nonce="n", qop="auth,auth-int"',),
        (f'Digest  QOP="auth-int" ,  opaque = "a b",nonce="n/+==" , Realm="{REALM}",algorithm=md5,x-more=1',),
        ('Digest realm="home", nonce="x", qop="auth-int"', f'Digest nonce="n",realm="{REALM}",qop=auth-int'),
        (f'Basic realm="home", Digest realm="{REALM}", qop="auth-int", nonce="n", domain="/a /b"',),
        (f'Digest realm="{REALM}", nonce="n", qop="auth", Digest realm="{REALM}", nonce="i", qop="auth-int"',),
    ],
)  # fmt: skip
def test_challenges_in_other_words(other: OtherBsm, headers: tuple[str, ...]) -> None:
    _, (outcome,) = register(other, demand(*headers), grant())
    assert granted(outcome)
    (shown,) = other.asked
    assert (shown["qop"], shown["nc"]) == ("auth-int", "00000001")
    assert ("opaque" in shown) == ("opaque" in headers[0])


CHALLENGE = f'Digest realm="{REALM}", nonce="n1", qop="auth-int"'


def test_the_same_nonce_is_counted_and_the_next_one_begins_again(other: OtherBsm) -> None:
    follow = grant(info='nextnonce="n2", rspauth="{rspauth}"')
    _, outcomes = register(other, demand(CHALLENGE), grant(), follow, grant(), times=3)
    assert all(map(granted, outcomes))
    assert [(one["nonce"], one["nc"]) for one in other.asked] == [
        ("n1", "00000001"),
        ("n1", "00000002"),
        ("n2", "00000001"),
    ]


def test_stale_in_other_words_asks_for_no_bootstrapping(other: OtherBsm) -> None:
    stale = demand(f'Digest STALE=True , nonce="n2", realm="{REALM}", qop="auth-int"')
    session, (outcome,) = register(other, demand(CHALLENGE), stale, grant())
    assert granted(outcome)
    assert (session.renewals, [one["nonce"] for one in other.asked]) == (0, ["n1", "n2"])


def test_a_second_challenge_asks_for_one(other: OtherBsm) -> None:
    session, (outcome,) = register(other, demand(CHALLENGE), demand(CHALLENGE.replace("n1", "n2")), grant())
    assert granted(outcome)
    assert session.renewals == 1
    assert [one["username"] for one in other.asked] == ["b-tid-1@bsf", "b-tid-2@bsf"]


@pytest.mark.parametrize(
    "answer",
    [
        grant(info=""),
        grant(info='nextnonce="n2"'),
        grant(info=f'rspauth="{32 * "0"}"'),
        grant(body=BODY.replace(b"200", b"201")),
    ],
    ids=["none", "nextnonce alone", "wrong", "the body was changed"],
)
def test_who_does_not_show_that_it_knows_the_srk_has_registered_nobody(other: OtherBsm, answer: Handler) -> None:
    _, (outcome,) = register(other, demand(CHALLENGE), answer)
    assert outcome.failure is not None
    assert outcome.failure.trouble is Trouble.NOT_AUTHENTIC


def test_another_realm_is_not_answered(other: OtherBsm) -> None:
    foreign = CHALLENGE.replace(FQDN, "other.example.org")
    _, (outcome,) = register(other, demand(foreign))
    assert outcome.failure is not None
    assert outcome.failure.trouble is Trouble.NOT_ADMITTED
    assert other.asked == []
