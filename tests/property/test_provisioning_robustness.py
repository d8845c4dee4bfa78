"""Whatever an authenticated subscriber sends in order to buy gets a regular answer, and the books stay in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from card import CardProfile
from card.errors import DecodeError
from card.spec.bcast.p1 import P1
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.orders import (
    RenewalRequest,
    ServiceRequest,
    UnsubscribeRequest,
)
from host_tools.exchange.messages.pricing import PricingRequest
from host_tools.exchange.messages.provisioning import HTTP_STATUS_OF
from host_tools.exchange.messages.tokens import AccountInquiry, KeyWish, PurseKind, TokenPurchaseRequest, Tokens
from host_tools.exchange.procedures import SERVICE_REQUEST, Target
from host_tools.exchange.transport import Endpoint, Peer
from host_tools.headend.clock import ManualClock
from host_tools.headend.http.ua import Caller
from host_tools.headend.scenario.servers import Servers
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.personalised import subscriber_of
from tests.flows import offers
from tests.flows.offers import BOTH, FILM, ITEM1, TOKENS
from tests.property.test_exchange_robustness import damaged
from tests.support.mutation import damaged as mutated

NETWORK = UsimNetwork(offers.scenario(), subscriber_of(CardProfile.demo()), tables=P1)
CLOCK = ManualClock(NETWORK.scenario.start)
RNG = SeededRng(Seeded("hostile"), "serve")
SERVERS = Servers.of(NETWORK, CLOCK, RNG, Endpoint("127.0.0.1", 9), offers.catalogue())
CALLER = Caller(NETWORK.subscriber.impi, "b-tid@bsf", Peer("127.0.0.9", certificate="terminal"))
KEY = NETWORK.bsm.keys("pay")[0]
WISH = KeyWish(KEY.key_domain_id + KEY.msk_id, 1, 9)
GOOD = [
    ServiceRequest("r1", (ITEM1, BOTH)).encode(),
    RenewalRequest("r2", (ITEM1,)).encode(),
    UnsubscribeRequest("r3", (BOTH, FILM)).encode(),
    PricingRequest("r4", (TOKENS,)).encode(),
    AccountInquiry("r5").encode(),
    TokenPurchaseRequest(
        "r6", (TOKENS,), (KeyWish(KEY.key_domain_id + KEY.msk_id, 1, 9),), Tokens(PurseKind.USER, 3)
    ).encode(),
]
STATUSES = {int(status) for status in HTTP_STATUS_OF.values()}


def ask(body: bytes) -> HttpResponse:
    """Ask as one who has been authenticated, and once more over TLS without the digest."""
    request = HttpRequest("POST", "/sprov", (("Content-Type", SERVICE_REQUEST.request),), body)
    target = Target.parse(request.target)
    before = SERVERS.selling.sales.ledger.spent(CALLER.identity)
    CLOCK.advance(1)
    try:
        answer = SERVERS.selling.routes.serve(request, target, CALLER)
    except DecodeError:
        answer = HttpResponse(400)
    assert answer.status in STATUSES
    after = {one.currency: one.amount for one in SERVERS.selling.sales.ledger.spent(CALLER.identity)}
    assert all(after[one.currency] >= one.amount for one in before)
    open_answer = SERVERS.ua.handle(request, CALLER.peer)
    assert open_answer.status in {200, 400, 401, 403}
    assert SERVERS.ua.defects == 0
    return answer


def test_the_good_ones_are_good() -> None:
    assert [ask(body).status for body in GOOD] == [200] * len(GOOD)


@given(data=damaged(GOOD))
@settings(max_examples=300)
def test_damaged_requests(data: bytes) -> None:
    ask(data)


@given(number=st.integers(0, 1 << 32))
@settings(max_examples=300)
def test_mutated_requests(number: int) -> None:
    ask(mutated(GOOD, number))
