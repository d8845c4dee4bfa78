"""The console as a server: pages, parts of them that are asked for anew, events as they come, and acts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.transport import Peer
from host_tools.headend.operating.happenings import Happening
from host_tools.headend.operating.operator import Operator
from host_tools.web.console.timeline import drawing
from host_tools.web.forms import FormTokens
from host_tools.web.pages import Answer, Pages, PageServer, Visit
from host_tools.web.rendering import Renderer, html, to
from host_tools.wire.streams import Leave, Listener, Streamed, event
from host_tools.wire.visitors import KEY_PARAMETER, Visitors, VisitRefusedError

_AT_ONCE = 30
"""Happenings that a page begins with."""
_MOST_DONE = 256
_PAGE, _LONGEST_NAME = ("after", "begins"), 253


class Console(PageServer):
    """Answers the operator, who has shown the key that `headend serve` printed."""

    name = "the console"

    def __init__(self, operator: Operator, visitors: Visitors, rng: Rng, clock: Clock) -> None:
        """Take the desk, who may come, randomness and time."""
        super().__init__(Renderer(base="/", brand="Console"))
        self._operator = operator
        self._visitors = visitors
        self._tokens = FormTokens(rng, clock)
        self._done: OrderedDict[str, None] = OrderedDict()
        self._pages: Pages[str] = Pages(
            "/",
            self._renderer,
            {"": self._all, "air": self._air, "subscribers": self._subscribers, "events": self._events},
            {"act": self._act, "invite": self._invite},
        )

    def _answer(self, request: HttpRequest, peer: Peer) -> Answer:
        del peer
        self._visitors.check(request)
        opened = self._visitors.opened(request)
        if opened is not None:
            return opened
        cookie = self._visitors.cookie(request)
        if cookie is None:
            words = "open the address that `headend serve` printed: it holds a key that opens once"
            raise VisitRefusedError(HTTPStatus.FORBIDDEN, words)
        return self._pages.answer(request, cookie)

    def _all(self, visit: Visit[str]) -> HttpResponse:
        picture = self._operator.picture(*_page(visit.query))
        return self._renderer.page(
            "console/console.html",
            title=f"{picture.name}: console",
            picture=picture,
            air=picture.air,
            drawings=[drawing(one) for one in picture.services],
            happenings=self._operator.happenings.newest()[-_AT_ONCE:],
            token=self._tokens.make(visit.who),
        )

    def _air(self, visit: Visit[str]) -> HttpResponse:
        picture, token = self._operator.picture(), self._tokens.make(visit.who)
        drawings = [drawing(one) for one in picture.services]
        return html(self._renderer.part("console/air.html", air=picture.air, drawings=drawings, token=token))

    def _subscribers(self, visit: Visit[str]) -> HttpResponse:
        picture = self._operator.picture(*_page(visit.query))
        token = self._tokens.make(visit.who)
        return html(self._renderer.part("console/subscribers.html", picture=picture, token=token))

    def _events(self, visit: Visit[str]) -> Streamed:
        """Tell what happens from now on, and what has happened since the page was made or the stream broke."""
        after = max(_number(visit.query.get("after", "")), _number(visit.last_event))

        def listen(listener: Listener) -> Leave:
            def tell(happening: Happening) -> None:
                line = self._renderer.part("console/happening.html", one=happening)
                listener(event("happening", line, happening.number))

            for happening in self._operator.happenings.newest():
                if happening.number > after:
                    tell(happening)
            return self._operator.happenings.listen(tell)

        return Streamed(listen)

    def _act(self, visit: Visit[str]) -> HttpResponse:
        """Do what a button says. The same form twice acts once."""
        name = self._tokens.check(visit.who, visit.field_of("token"))
        done = " ".join((name, *(visit.form.get(field, "") for field in ("act", "who", "item", "service"))))
        if done not in self._done:
            self._do(visit)
            self._done[done] = None
            if len(self._done) > _MOST_DONE:
                self._done.popitem(last=False)
        shown = {name: text for name, text in zip(_PAGE, _page(visit.form), strict=True) if text}
        return to(f"/?{urlencode(shown)}#subscribers" if shown else "/")

    def _do(self, visit: Visit[str]) -> None:
        operator = self._operator
        match visit.field_of("act"):
            case "roll":
                operator.roll(visit.field_of("service"))
            case "push":
                operator.push(visit.field_of("who"))
            case "pull":
                operator.pull(visit.field_of("who"))
            case "withdraw":
                operator.withdraw(visit.field_of("who"), visit.field_of("item"))
            case "trigger":
                operator.trigger(visit.field_of("who"), [visit.field_of("item")])
            case "refuse":
                operator.refuse(visit.field_of("who"), refused=True)
            case "admit":
                operator.refuse(visit.field_of("who"), refused=False)
            case _:
                raise VisitRefusedError(HTTPStatus.BAD_REQUEST, "the console has no such button")

    def _invite(self, visit: Visit[str]) -> HttpResponse:
        """Make an address that lets one more browser in."""
        self._tokens.check(visit.who, visit.field_of("token"))
        address = f"/?{KEY_PARAMETER}={self._visitors.new_key()}"
        return self._renderer.page("console/invite.html", title="One more browser", address=address)


def _page(said: Mapping[str, str]) -> tuple[str, str]:
    """Return which subscribers are shown: those behind a name, and how their names begin."""
    after, begins = (said.get(name, "").strip()[:_LONGEST_NAME] for name in _PAGE)
    return after, begins


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
