"""What is included comes with the first request that is kept, and is looked for no more once it is there."""

from __future__ import annotations

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.procedures import Target
from host_tools.exchange.transport import Peer
from host_tools.headend.http.ua import Caller
from host_tools.headend.http.welcome import Welcome


class _Books:
    """Answers, and gives what is included; what is given is kept when the test says so."""

    def __init__(self) -> None:
        self.kept = False
        self.looked = 0

    def serve(self, request: HttpRequest, target: Target, caller: Caller) -> HttpResponse:
        return HttpResponse(200)

    def include(self, identity: str) -> bool:
        self.looked += 1
        return not self.kept


def test_what_was_given_and_not_kept_is_given_with_the_next_request() -> None:
    """An answer is no proof: the transaction of its request may fail when it is to be kept."""
    books = _Books()
    welcome = Welcome(books, books.include)

    def ask(identity: str = "me") -> int:
        welcome.serve(HttpRequest("GET", "/"), Target("/", ""), Caller(identity, "b@bsf", Peer("127.0.0.1")))
        return books.looked

    assert [ask(), ask()] == [1, 2]
    books.kept = True
    assert [ask(), ask(), ask()] == [3, 3, 3]
    assert ask("somebody else") == 4
