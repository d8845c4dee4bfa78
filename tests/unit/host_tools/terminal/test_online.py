"""The terminal's loop before a card that answers oddly, and before a BSM that is busy."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from card.crypto.secret import Secret
from host_tools.exchange.digest.client import FixedPassword
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.names import gba_realm
from host_tools.exchange.transport import Datagram
from host_tools.terminal import online
from host_tools.terminal.client.events import Wanted
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.way import Bsm
from host_tools.terminal.client.wishes import Register
from host_tools.terminal.errors import MalformedAnswerError
from host_tools.terminal.http.session import UaIdentity
from host_tools.terminal.identities import OnlineCard
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.online import OnlineTerminal, Patience
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.system import SystemClock, SystemRng
from tests.support.head_end import HeadEnd, fresh_card, head_end, terminal


@pytest.fixture(scope="module")
def served() -> Iterator[HeadEnd]:
    with head_end() as found:
        yield found
        assert found.defects == 0


@pytest.mark.parametrize("took", [False, True])
def test_an_answer_of_the_card_that_is_none_ends_nothing(
    served: HeadEnd, monkeypatch: pytest.MonkeyPatch, took: bool
) -> None:
    """Whether the card took the LTKM all the same EF_MUK shows."""
    deliver, odd = TerminalMiddleware.deliver, iter([True])

    def answers_oddly(self: TerminalMiddleware, ltkm: bytes) -> LtkmReceipt:
        if not next(odd, False):
            return deliver(self, ltkm)
        if took:
            deliver(self, ltkm)
        raise MalformedAnswerError("The card answers otherwise.")

    monkeypatch.setattr(TerminalMiddleware, "deliver", answers_oddly)
    with terminal(fresh_card(), served) as found:
        found.start(stays=False)
        asked = found.register(served.running.network.service_ids[:1])
        assert asked.receipts[0].taken is took
        assert found.register(served.running.network.service_ids[:1]).receipts[-1].taken


class QuietSockets:
    """Brings nothing, and no time passes but on the clock of this test."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks = 0

    def __enter__(self) -> QuietSockets:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, longest: float, *_: object) -> tuple[Datagram, ...]:
        self.looks += 1
        assert self.looks < 1000, "it turns without rest"
        self.now += longest
        return ()


class Busy:
    """A BSM that is."""

    def exchange(self, request: HttpRequest) -> HttpResponse:
        del request
        return HttpResponse(503, (("Retry-After", "999999"),))


def test_listening_ends_though_the_bsm_is_busy_and_does_not_turn_without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = UaIdentity("b", gba_realm("bsm.example"), FixedPassword(Secret(b"p")))
    session = SimpleNamespace(agent="x", current=lambda: identity, renew=lambda: identity)
    application = SimpleNamespace(read_msks=lambda: ())
    middleware = SimpleNamespace(application=application)
    card: Any = SimpleNamespace(session=session, tmpi="", use_tmpi=lambda _: None, middleware=middleware)
    sockets = QuietSockets()
    monkeypatch.setattr(online, "monotonic", lambda: sockets.now)
    made = OnlineTerminal(
        cast(OnlineCard, card),
        Bsm("bsm.example"),
        Busy(),
        cast(KeySockets, sockets),
        SystemClock(),
        SystemRng(),
        rules=Rules(),
    )
    with made:
        made.start(stays=False)
        made.tell(Wanted(Register(("urn:x",), only=True), patient=True))
        assert made.is_busy
        assert made.listen(Patience(0.5, 0.5)) == ()
    assert 60 < sockets.now < 62
