"""The pages of a head-end in one process, without a socket, and a visitor who asks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from urllib.parse import urlencode

from card import CardProfile
from card.spec.bcast.p1 import P1
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.procedures import Target
from host_tools.exchange.transport import Endpoint, Peer
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.clock import ManualClock
from host_tools.headend.http.ua import Caller
from host_tools.headend.operating.happenings import Happenings
from host_tools.headend.operating.operator import Operator
from host_tools.headend.scenario.servers import Servers
from host_tools.headend.scenario.stored import stored_parts
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.store.store import Store
from host_tools.headend.subscribers.personalised import record_of, subscriber_of
from host_tools.web.pages import Answer
from host_tools.web.rooms import Rooms
from tests.unit.host_tools.headend.networks import IMPI, small_scenario

SHOP, CONSOLE = Endpoint("127.0.0.1", 8001), Endpoint("127.0.0.1", 8002)
PUSH = Endpoint("127.0.0.1", 8003)
BROWSER = Peer("127.0.0.1", 40_000)
TERMINAL = Peer("127.0.0.9", 40_001)
B_TID = "somebody@bsf.example"
MONTH = "urn:x-bcast-uicc:item:oneurn:x-bcast-uicc:data:month"
INCLUDED = "urn:x-bcast-uicc:service:one"
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_INVITED = re.compile(r"/\?key=[0-9a-f]+")
_HIDDEN = re.compile(r'name="token" value="([^"]+)"')


@dataclass
class PageBench:
    """A head-end with pages; its clock stands still. With a `store` everything is kept there; without a
    `catalogue` the scenario makes one."""

    store: Store | None = None
    catalogue: Catalogue | None = None
    over: bool | None = None
    clock: ManualClock = field(init=False)
    cookie: Headers = ()

    def __post_init__(self) -> None:
        scenario = small_scenario()
        self.clock = ManualClock(scenario.start)
        subscriber, parts = subscriber_of(CardProfile.demo()), None
        if self.store is not None:
            parts = stored_parts(self.store, scenario, [record_of(CardProfile.demo())], self.clock)
        with self.store.database.transaction() if self.store else nullcontext():
            self.network = UsimNetwork(scenario, subscriber, self.clock, "web", tables=P1, parts=parts)
        rng = SeededRng(Seeded("web"), "pages")
        self.servers = Servers.of(self.network, self.clock, rng, PUSH, self.catalogue)
        with self.servers.books.transactions.transaction():
            self.servers.selling.include(IMPI)
        self.happenings = Happenings(self.clock)
        self.operator = Operator(
            self.network, self.servers, self.clock, rng, self.happenings, "127.0.0.2",
            is_over=None if self.over is None else lambda: self.over is True,
        )  # fmt: skip
        self.rooms = Rooms.of(rng, self.clock, self.operator, {"shop": SHOP, "console": CONSOLE})
        self.servers.front.shop = self.rooms.behind_digest
        self.caller = Caller(IMPI, B_TID, TERMINAL)

    @property
    def code(self) -> str:
        """The order code of the subscriber."""
        return self.operator.codes.of(IMPI)

    def shop(self, target: str = "/", form: Mapping[str, str] | None = None, headers: Headers = ()) -> HttpResponse:
        """Ask the open shop."""
        return whole(self.rooms.shop.handle(request(SHOP, target, form, headers), BROWSER))

    def known(self, target: str = "/shop/", form: Mapping[str, str] | None = None) -> HttpResponse:
        """Ask the shop behind the digest, as the subscriber."""
        asked = request(SHOP, target, form)
        with self.servers.books.transactions.transaction():
            return self.servers.front.serve(asked, Target.parse(asked.target), self.caller)

    def console(self, target: str = "/", form: Mapping[str, str] | None = None, headers: Headers = ()) -> Answer:
        """Ask the console."""
        return self.rooms.console.handle(request(CONSOLE, target, form, headers), BROWSER)

    def enter(self) -> Headers:
        """Open the console with the key, which opens once; return the cookie as a header."""
        if not self.cookie:
            self.cookie = self._opened("/?" + self.rooms.console_url.partition("?")[2])
        return self.cookie

    def enter_again(self) -> Headers:
        """Open the console in one more browser."""
        cookie = self.enter()
        page = text_of(self.console("/invite", {"token": token_of(self.console(headers=cookie))}, cookie))
        return self._opened(_INVITED.findall(page)[0])

    def _opened(self, target: str) -> Headers:
        opened = whole(self.console(target))
        assert opened.status == 303
        return (("Cookie", (opened.one("Set-Cookie") or "").partition(";")[0]),)


def request(
    place: Endpoint,
    target: str,
    form: Mapping[str, str] | None = None,
    headers: Headers = (),
    origin: str | None = None,
) -> HttpRequest:
    """Return what a browser sends: a GET, or with a form a POST from a page of that server."""
    host = f"{place.address}:{place.port}"
    sent: Headers = (("Host", host), *headers)
    if form is None:
        return HttpRequest("GET", target, sent)
    sent = (*sent, ("Origin", origin or f"http://{host}"), _FORM)
    return HttpRequest("POST", target, sent, urlencode(form).encode())


def whole(answer: Answer) -> HttpResponse:
    """Return an answer that is no stream."""
    assert isinstance(answer, HttpResponse)
    return answer


def text_of(answer: Answer) -> str:
    """Return the text of a page."""
    return whole(answer).body.decode()


def token_of(answer: Answer, number: int = 0) -> str:
    """Return the token of a form on a page."""
    return str(_HIDDEN.findall(text_of(answer))[number])
