"""Requests that nobody waits for: the answer, or the error, comes where it is asked for, once."""

from __future__ import annotations

import threading

from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.wire.background import BackgroundRequests
from tests.support.live import wait_until

ASKED = HttpRequest("GET", "/", ())


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.answer: HttpResponse | None = HttpResponse(200, (), b"", "OK")

    def exchange(self, request: HttpRequest) -> HttpResponse:
        assert request is ASKED
        self.go.wait(30)
        if self.answer is None:
            raise TransportError("nobody there")
        return self.answer


def test_an_answer_comes_once() -> None:
    server, found = Slow(), list[HttpResponse]()
    requests = BackgroundRequests(server)
    requests.begin(ASKED)
    assert requests.answer() is None
    server.go.set()

    def came() -> bool:
        answer = requests.answer()
        found.extend([] if answer is None else [answer])
        return bool(found)

    wait_until(came)
    assert found == [server.answer]
    assert requests.answer() is None


def test_an_error_is_raised_where_the_answer_is_taken() -> None:
    server = Slow()
    server.answer = None
    server.go.set()
    requests = BackgroundRequests(server)
    requests.begin(ASKED)

    def raised() -> bool:
        try:
            assert requests.answer() is None
        except TransportError:
            return True
        return False

    wait_until(raised)
    assert requests.answer() is None
