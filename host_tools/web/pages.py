"""What the servers of pages share: pages by path and method, and an answer whatever happens."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic, TypeVar

from card.errors import CardError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.procedures import Target
from host_tools.exchange.transport import Peer
from host_tools.headend.errors import HeadendError
from host_tools.web.forms import read_form, read_query
from host_tools.web.rendering import Renderer, static
from host_tools.wire.streams import LAST_EVENT, Streamed
from host_tools.wire.visitors import SAFE_METHODS, VisitRefusedError

_log = logging.getLogger(__name__)
_STATIC = "static/"
_Who = TypeVar("_Who")


@dataclass(frozen=True, slots=True)
class Visit(Generic[_Who]):
    """A request for a page: who asks, the parameters of the address, the fields of the form.

    `last_event` is the number of the last event that a stream brought before it broke, "" for none.
    """

    who: _Who
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    last_event: str = ""

    def field_of(self, name: str) -> str:
        """Return a field that the form must have. Raises `VisitRefusedError`."""
        if name not in self.form:
            raise VisitRefusedError(HTTPStatus.BAD_REQUEST, f"the form has no {name}")
        return self.form[name]


Answer = HttpResponse | Streamed
Page = Callable[[Visit[_Who]], Answer]


class Pages(Generic[_Who]):
    """Pages below one path. `shown` are answered to GET, `acts` to POST; a path is what stands behind `base`."""

    def __init__(
        self, base: str, renderer: Renderer, shown: Mapping[str, Page[_Who]], acts: Mapping[str, Page[_Who]]
    ) -> None:
        """Take where the pages begin, what renders errors, and the pages."""
        self._base = base
        self._renderer = renderer
        self._shown = shown
        self._acts = acts

    def answer(self, request: HttpRequest, who: _Who) -> Answer:
        """Answer a request. Raises `VisitRefusedError`, `HeadendError`, `DecodeError`."""
        target = Target.parse(request.target)
        path = target.path.removeprefix(self._base)
        if target.host or not target.path.startswith(self._base):
            raise VisitRefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        if request.method in SAFE_METHODS and path.startswith(_STATIC):
            found = static(path.removeprefix(_STATIC))
            if found is not None:
                return found
        table = self._shown if request.method in SAFE_METHODS else self._acts
        page = table.get(path)
        if page is None:
            if path not in self._shown and path not in self._acts:
                raise VisitRefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
            raise VisitRefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "the page does not take this method")
        form = {} if request.method in SAFE_METHODS else read_form(request)
        return page(Visit(who, read_query(target.query), form, request.one(LAST_EVENT) or ""))

    def refused(self, status: int, words: str) -> HttpResponse:
        """Return the page that says why something is refused."""
        return self._renderer.page("error.html", status, title=HTTPStatus(status).phrase, words=words)


class PageServer(ABC):
    """A server of pages that always answers. `defects` counts exceptions that nobody expected."""

    name = "pages"

    def __init__(self, renderer: Renderer) -> None:
        """Take what renders errors."""
        self._renderer = renderer
        self.defects = 0

    def handle(self, request: HttpRequest, peer: Peer) -> Answer:
        """Answer a request."""
        try:
            return self._answer(request, peer)
        except VisitRefusedError as error:
            return self._refused(error.status, str(error))
        except HeadendError as error:
            return self._refused(HTTPStatus.CONFLICT, str(error))
        except CardError:
            return self._refused(HTTPStatus.BAD_REQUEST, "the request cannot be read")
        except Exception as error:  # whoever asks must not be able to end the server
            self.defects += 1
            _log.error("%s met an unexpected %s", self.name, type(error).__name__)
            return self._refused(HTTPStatus.SERVICE_UNAVAILABLE, "the server met an error of its own")

    @abstractmethod
    def _answer(self, request: HttpRequest, peer: Peer) -> Answer:
        """Answer a request. May raise as `Pages.answer`."""

    def _refused(self, status: HTTPStatus, words: str) -> HttpResponse:
        return self._renderer.page("error.html", status, title=status.phrase, words=words)
