"""The portal between a browser and a real BSM: digest on the way out, rspauth on the way back, and nobody else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from card.codec.mikey import MikeyMessage
from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.transport import Datagram, Peer, Transport
from host_tools.terminal.http.portal import Portal
from host_tools.terminal.http.session import GbaSession
from host_tools.terminal.reach import reach_network
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.system import SystemClock, SystemRng
from host_tools.wire.visitors import Visitors
from tests.support.head_end import HeadEnd, free_address, fresh_card, head_end
from tests.support.web import MONTH, token_of

HOST = "127.0.0.1:9000"
HOME = (("Host", HOST),)
_PATIENCE = 20.0
BROWSER = Peer("127.0.0.1", 1)
_FORM = ("Content-Type", "application/x-www-form-urlencoded")


@dataclass
class Wire:
    """Carries to the BSM, and lets a test spoil what comes back."""

    real: Transport
    spoil: Callable[[HttpResponse], HttpResponse] = lambda response: response
    asked: list[HttpRequest] = field(default_factory=list)

    def exchange(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request)
        return self.spoil(self.real.exchange(request))


@dataclass
class Open:
    portal: Portal
    wire: Wire
    visitors: Visitors
    address: str
    cookie: Headers = ()

    def ask(self, target: str = "/shop/", form: dict[str, str] | None = None, headers: Headers = ()) -> HttpResponse:
        sent = (*HOME, *self.cookie, *headers)
        if form is None:
            return self.portal.handle(HttpRequest("GET", target, sent), BROWSER)
        sent = (*sent, ("Origin", f"http://{HOST}"), _FORM)
        return self.portal.handle(HttpRequest("POST", target, sent, urlencode(form).encode()), BROWSER)


@contextmanager
def opened(served: HeadEnd) -> Iterator[Open]:
    card, clock, rng = fresh_card(), SystemClock(), SystemRng()
    address = free_address()
    reach = reach_network(served.running.network, address)
    bsf = reach.to_bsf(card.identity.home_domain, rng)
    session = GbaSession(card, bsf, reach.bsm.fqdn, clock.now)
    visitors, wire = Visitors([HOST], rng), Wire(reach.to_bsm())
    found = Open(Portal(wire, reach.bsm.fqdn, session, rng, visitors), wire, visitors, address)
    entered = found.ask(f"/?key={visitors.new_key()}")
    found.cookie = (("Cookie", (entered.one("Set-Cookie") or "").partition(";")[0]),)
    yield found
    assert found.portal.defects == 0


@pytest.fixture(scope="module")
def served() -> Iterator[HeadEnd]:
    with head_end(pages=True) as found:
        yield found
        assert found.defects == 0


def test_a_browser_buys_in_the_name_of_the_card(served: HeadEnd) -> None:
    with opened(served) as found:
        assert found.ask("/").one("Location") == "/shop/"
        page = found.ask()
        assert page.status == 200
        assert "You are <b>001010123456789@" in page.body.decode()
        # The browser sends no credentials, and gets to see none; both went over the wire behind it.
        assert found.wire.asked[-1].all("Authorization")
        assert page.all("Authentication-Info") == ()
        token = token_of(page)
        sold, again = (found.ask("/shop/buy", {"token": token, "item": MONTH}) for _ in range(2))
        assert (sold.status, again.status) == (303, 303)
        assert "Bought: one, a month." in found.ask(sold.one("Location") or "").body.decode()
    identity = served.network.subscriber.impi
    charges = served.call(lambda: served.running.servers.selling.sales.ledger.charges(identity))
    assert [charge.what for charge in charges] == [MONTH]


@dataclass
class Flow:
    """A purchase through the portal, as octets of both wires: HTTP to the BSM, and the LTKM by UDP."""

    crossed: list[tuple[HttpRequest, HttpResponse]]
    pushed: list[Datagram]


@pytest.fixture(scope="module")
def flow() -> Iterator[Flow]:
    with head_end(pages=True, seed="flow") as served, opened(served) as found:
        crossed: list[tuple[HttpRequest, HttpResponse]] = []

        def noted(response: HttpResponse) -> HttpResponse:
            crossed.append((found.wire.asked[-1], response))
            return response

        found.wire.spoil = noted
        with KeySockets(found.address) as sockets:
            page = found.ask()
            found.ask("/shop/buy", {"token": token_of(page), "item": MONTH})
            yield Flow(crossed, [*sockets.wait(_PATIENCE)])


@pytest.mark.flow("002", "5.4.7.2.9", step="1", message="GET of the portal, without credentials")
def test_the_portal_is_contacted_by_http(flow: Flow) -> None:
    asked, _ = flow.crossed[0]
    assert asked.encode().startswith(b"GET /shop/ HTTP/1.1\r\nHost: ")
    assert asked.all("Authorization") == ()


@pytest.mark.flow("002", "5.4.7.2.9", step="2", message="401 with a challenge")
def test_the_bsm_answers_with_a_challenge(flow: Flow) -> None:
    asked, answer = flow.crossed[0]
    assert answer.status == 401
    challenge = answer.one("WWW-Authenticate") or ""
    assert f'realm="3GPP-bootstrapping@{asked.one("Host")}"' in challenge
    assert "auth-int" in challenge


@pytest.mark.flow("002", "5.4.7.2.9", step="3", message="the request again, with the digest under B-TID and SRK")
def test_the_request_comes_again_with_the_digest(flow: Flow) -> None:
    asked, _ = flow.crossed[1]
    shown = asked.one("Authorization") or ""
    assert shown.startswith("Digest ")
    assert 'username="' in shown
    assert "qop=auth-int" in shown


@pytest.mark.flow("002", "5.4.7.2.9", step="4", message="200 OK with the page and rspauth")
def test_the_bsm_answers_with_the_page(flow: Flow) -> None:
    _, answer = flow.crossed[1]
    assert answer.status == 200
    assert "rspauth=" in (answer.one("Authentication-Info") or "")
    assert b"What there is to buy" in answer.body


@pytest.mark.flow("002", "5.4.7.2.9", step="8", message="POST of the form that buys an item")
def test_an_item_is_bought_by_a_form(flow: Flow) -> None:
    asked, answer = flow.crossed[2]
    assert asked.encode().startswith(b"POST /shop/buy HTTP/1.1\r\n")
    assert dict(parse_qsl(asked.body.decode()))["item"] == MONTH
    assert answer.status == 303
    assert "rspauth=" in (answer.one("Authentication-Info") or "")


@pytest.mark.flow("002", "5.4.7.2.9", step="9", message="LTKM by UDP, with the V bit")
def test_the_ltkm_is_pushed(flow: Flow) -> None:
    (pushed, *_) = flow.pushed
    assert pushed.destination.port == 2269
    assert MikeyMessage.decode(pushed.payload).header.verification_requested


def test_no_key_of_the_subscriber_is_on_any_page(served: HeadEnd) -> None:
    """Neither on those of the shop nor on the wire to it, and not in the console either."""
    with opened(served) as found:
        seen = b"".join(found.ask(path).body for path in ("/shop/", "/shop/account", "/shop/static/style.css"))
        seen += b"".join(request.encode() for request in found.wire.asked)
        username = Credentials.parse(found.wire.asked[-1].one("Authorization") or "").username
    assert served.running.pages is not None
    console, url = served.running.pages.console, urlsplit(served.running.pages.console_url)
    host = (("Host", url.netloc),)
    entered = console.handle(HttpRequest("GET", f"/?{url.query}", host), BROWSER)
    assert isinstance(entered, HttpResponse)
    cookie = ("Cookie", (entered.one("Set-Cookie") or "").partition(";")[0])
    page = served.call(lambda: console.handle(HttpRequest("GET", "/", (*host, cookie)), BROWSER))
    assert isinstance(page, HttpResponse)
    assert username.encode() in page.body
    seen += page.body
    bsm = served.network.bsm
    for secret in served.call(lambda: (bsm.srk(username), bsm.smk(username))):
        for octets in (secret.reveal(), secret.reveal().hex().encode(), base64.b64encode(secret.reveal())):
            assert octets[:12] not in seen


def test_what_is_not_signed_is_not_shown(served: HeadEnd) -> None:
    def forged(response: HttpResponse) -> HttpResponse:
        return replace(response, body=response.body.replace(b"4.99", b"0.01"))

    def unsigned(response: HttpResponse) -> HttpResponse:
        return replace(response, headers=tuple(one for one in response.headers if one[0] != "Authentication-Info"))

    def elsewhere(response: HttpResponse) -> HttpResponse:
        return HttpResponse(303, (("Location", "http://evil.example/"),))

    with opened(served) as found:
        assert found.ask().status == 200
        for spoil in (forged, unsigned, elsewhere):
            found.wire.spoil = spoil
            refused = found.ask()
            assert refused.status == 502
            assert b"evil" not in refused.body
            assert b"0.01" not in refused.body
        found.wire.spoil = lambda response: response
        assert found.ask().status == 200


def test_a_redirect_out_of_the_shop_is_not_followed(served: HeadEnd) -> None:
    """Also when the shop itself says so: `Location` is in no digest."""
    with opened(served) as found:
        found.wire.spoil = lambda response: replace(
            response, status=303, headers=(*response.headers, ("Location", "//evil.example/shop/"))
        )
        assert found.ask().status == 502


def test_who_gets_in(served: HeadEnd) -> None:
    with opened(served) as found:
        before = len(found.wire.asked)
        handle = found.portal.handle
        form = (("Origin", f"http://{HOST}"), _FORM)
        refused = [
            (HttpRequest("GET", "/shop/", HOME), 403),
            (HttpRequest("GET", "/shop/", (("Host", "evil.example"), *found.cookie)), 421),
            (HttpRequest("POST", "/shop/buy", (*HOME, *found.cookie, ("Origin", "http://evil.example"), _FORM)), 403),
            (HttpRequest("POST", "/shop/buy", (*HOME, *found.cookie, _FORM)), 403),
            (HttpRequest("GET", "/keymanagement?requesttype=register", (*HOME, *found.cookie)), 404),
            (HttpRequest("POST", "/sprov", (*HOME, *found.cookie, *form)), 404),
            (HttpRequest("GET", "/shop/../sprov", (*HOME, *found.cookie)), 404),
            (HttpRequest("GET", "/shop/%2e%2e/sprov", (*HOME, *found.cookie)), 404),
            (HttpRequest("GET", "http://evil.example/shop/", (*HOME, *found.cookie)), 404),
            (HttpRequest("PUT", "/shop/", (*HOME, *found.cookie, *form)), 405),
            (HttpRequest("POST", "/shop/buy", (*HOME, *found.cookie, *form), b"a" * 16_385), 413),
        ]
        for request, status in refused:
            assert handle(request, BROWSER).status == status, request
        assert len(found.wire.asked) == before


def test_a_shop_that_is_gone(served: HeadEnd) -> None:
    def gone(_: HttpResponse) -> HttpResponse:
        raise TransportError("it is gone")

    with opened(served) as found:
        found.wire.spoil = gone
        answer = found.ask()
        assert (answer.status, answer.body) == (502, b"The shop is not reached: it is gone.\n")
