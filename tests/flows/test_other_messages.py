"""Prices and accounts under mutual authentication (clause 5.4.7.2.15), renewal, the end of a subscription."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.orders import (
    Name,
    RenewalAnswer,
    RenewalRequest,
    Sender,
    ServiceAnswer,
    ServiceRequest,
    UnsubscribeAnswer,
    UnsubscribeRequest,
)
from host_tools.exchange.messages.pricing import PricingAnswer, PricingRequest
from host_tools.exchange.messages.provisioning import REPEATED_HEADER, Price, ProvisioningStatus
from host_tools.exchange.messages.tokens import AccountAnswer, AccountInquiry, PurseKind, Scope, TokenPurchaseRequest
from host_tools.exchange.procedures import (
    ACCOUNT,
    PRICING,
    SERVICE_REQUEST,
    SUBSCRIPTION_RENEWAL,
    TOKEN_PURCHASE,
    UNSUBSCRIBE,
    Procedure,
)
from tests.flows import offers
from tests.flows.offers import BOTH, FILM, ITEM1, TOKENS, UNKNOWN
from tests.support.flows import ANSWER, PUSH, REQUEST, VERIFICATION, Log, RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end
from tests.support.lab_tls import LabTls

_Status = ProvisioningStatus
FQDN = offers.scenario().network.bsm_fqdn


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HeadEnd, LabTls]]:
    tls = LabTls(tmp_path_factory.mktemp("tls"))
    with head_end(scenario=offers.scenario(), catalogue=offers.catalogue(), ua_tls=tls.server(FQDN)) as found:
        yield found, tls
        assert found.defects == 0


@pytest.fixture(scope="module")
def told(served: HeadEnd) -> Log:
    """Prices and account under the digest, which proves both sides."""
    with raw_terminal(served) as terminal:
        terminal.ask(PRICING, PricingRequest("p", (ITEM1, TOKENS, UNKNOWN)).encode())
        terminal.ask(ACCOUNT, AccountInquiry("a", Scope.ALL).encode())
        return terminal.log


def open_ask(terminal: RawTerminal, procedure: Procedure, body: bytes) -> HttpResponse:
    """Ask without the digest."""
    request: HttpRequest = procedure.build(FQDN, body, (("User-Agent", terminal.agent),))
    return terminal.exchange(request)


@pytest.mark.flow("002", "5.4.7.2.15", step="1", message="both sides prove themselves: digest and rspauth")
def test_5_4_7_2_15_step_1(told: Log) -> None:
    told.require_challenge(1)
    told.require_credentials(2)
    told.require_signed(3)


@pytest.mark.flow("002", "5.4.7.2.15", step="2", message="PricingInformationRequest, AccountInquiryRequest")
def test_5_4_7_2_15_step_2(told: Log) -> None:
    assert PricingRequest.decode(told.request(2).body).items == (ITEM1, TOKENS, UNKNOWN)
    assert AccountInquiry.decode(told.request(6).body).scope is Scope.ALL


@pytest.mark.flow("002", "5.4.7.2.15", step="3", message="the response, with prices, items, purses and money")
def test_5_4_7_2_15_step_3(told: Log) -> None:
    prices = PricingAnswer.decode(told.require_signed(3).body)
    assert [one.status for one in prices.results] == [_Status.SUCCESS, _Status.SUCCESS, _Status.ITEM_UNKNOWN]
    assert prices.results[0].prices == (Price(Decimal("4.99"), "EUR", "period"),)
    account = AccountAnswer.decode(told.require_signed(7).body)
    assert "urn:x-bcast-uicc:service:one" not in [one.item.global_id for one in account.items]
    assert PUSH not in told.kinds()


@pytest.mark.flow("002", "5.4.7.2.15", step="1", message="both sides prove themselves: TLS with certificates")
def test_5_4_7_2_15_by_certificates(secured: tuple[HeadEnd, LabTls]) -> None:
    """Without the digest: prices for any certified terminal, an account for one that was seen with its subscriber."""
    served, tls = secured
    pricing, account = PricingRequest("p", (ITEM1,)).encode(), AccountInquiry("a").encode()
    with raw_terminal(served, tls.terminal("terminal-1")) as terminal:
        told = open_ask(terminal, PRICING, pricing)
        assert told.status == 200
        assert PricingAnswer.decode(told.body).results[0].prices[0].amount == Decimal("4.99")
        assert open_ask(terminal, ACCOUNT, account).status == 401, "nobody knows this terminal yet"
        bought = terminal.ask(TOKEN_PURCHASE, TokenPurchaseRequest("t", items=(TOKENS,)).encode())
        assert bought.status == 200
        assert terminal.take(1) == 1
        found = AccountAnswer.decode(open_ask(terminal, ACCOUNT, account).body)
        assert [(one.kind, one.balance) for one in found.purses] == [(PurseKind.USER, 10)]
        assert found.charged == (Price(Decimal(2), "EUR"),)
        assert open_ask(terminal, SERVICE_REQUEST, ServiceRequest("s", (ITEM1,)).encode()).status == 401
        refusals, subscriber = served.running.servers.refusals, served.network.subscriber.impi
        served.call(lambda: refusals.put(subscriber, refused=True))
        assert [open_ask(terminal, *one).status for one in ((ACCOUNT, account), (PRICING, pricing))] == [403, 403]
        served.call(lambda: refusals.put(subscriber, refused=False))
        assert open_ask(terminal, ACCOUNT, account).status == 200
    with raw_terminal(served, tls.terminal("terminal-2")) as other:
        assert open_ask(other, ACCOUNT, account).status == 401
    with raw_terminal(served) as plain:
        assert open_ask(plain, PRICING, pricing).status == 401, "without TLS there is the digest"


@pytest.mark.flow("002", "5.4.7.2.3", step="5", message="SubscriptionRenewalResponse with the new window")
def test_a_subscription_is_renewed_and_ended(served: HeadEnd) -> None:
    """Two items have service one: its key stays when one of them ends, and is withdrawn with the other.

    OMA BCAST, change request on SPCP, clause 6.4: only keys that no other item uses are invalidated.
    """
    with raw_terminal(served) as terminal:
        log = terminal.log
        first = ServiceAnswer.decode(terminal.ask(SERVICE_REQUEST, ServiceRequest("r-1", (ITEM1, BOTH)).encode()).body)
        window = first.results[0].window
        assert window is not None
        assert terminal.take(3) == 3  # the key of one for each item, and that of two
        again = terminal.ask(SUBSCRIPTION_RENEWAL, RenewalRequest("r-2", (ITEM1, UNKNOWN)).encode())
        renewed = RenewalAnswer.decode(again.body)
        assert [one.status for one in renewed.results] == [_Status.SUCCESS, _Status.ITEM_UNKNOWN]
        assert renewed.status is _Status.SUCCESS
        moved = renewed.results[0].window
        assert moved is not None
        assert (moved.start, moved.end - window.end) == (window.start, timedelta(days=30))
        assert terminal.take(1) == 1
        place = len(log.crossed)
        left = terminal.ask(UNSUBSCRIBE, UnsubscribeRequest("u-1", (BOTH,)).encode())
        assert UnsubscribeAnswer.decode(left.body).results[0].status is _Status.SUCCESS
        assert terminal.take(1) == 1
        assert log.require_push(place + 4).key_group == bytes.fromhex("0002")
        assert log.kinds()[place:] == [REQUEST, ANSWER, REQUEST, ANSWER, PUSH, VERIFICATION]
        terminal.ask(UNSUBSCRIBE, UnsubscribeRequest("u-2", (ITEM1,)).encode())
        assert terminal.take(1) == 1
        assert log.require_push(place + 10).key_group == bytes.fromhex("0001")
        nothing = terminal.ask(UNSUBSCRIBE, UnsubscribeRequest("u-3", (ITEM1,)).encode())
        assert nothing.status == 404
        assert UnsubscribeAnswer.decode(nothing.body).status is _Status.NO_SUBSCRIPTION


def test_a_request_acts_once_and_another_of_its_name_is_refused(served: HeadEnd) -> None:
    impi = served.network.subscriber.impi
    ledger, books = served.running.servers.selling.sales.ledger, served.running.servers.books
    body = TokenPurchaseRequest("once-1", items=(TOKENS,)).encode()

    def waiting() -> int:
        """How many LTKMs wait to be sent, or for the card's answer: one that credits stays until that comes."""
        with books.transactions.transaction():
            return len(books.outbox.outstanding_of(impi)) + len(tuple(books.outbox.orders(impi)))

    with raw_terminal(served) as terminal:
        before = served.call(lambda: ledger.spent(impi))
        first = terminal.ask(TOKEN_PURCHASE, body)
        assert terminal.take(1) == 1
        assert terminal.settled(lambda: waiting() == 0)
        repeated = terminal.ask(TOKEN_PURCHASE, body)
        assert (repeated.status, repeated.body) == (first.status, first.body)
        assert repeated.one(REPEATED_HEADER) == "1"
        assert first.one(REPEATED_HEADER) is None
        assert served.call(waiting) == 0, "nothing is given twice"
        other = terminal.ask(TOKEN_PURCHASE, TokenPurchaseRequest("once-1", items=(TOKENS, TOKENS)).encode())
        assert other.status == 409
        after = served.call(lambda: ledger.spent(impi))
        assert sum(one.amount for one in after) - sum(one.amount for one in before) == 2


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (ServiceRequest("f-1", (UNKNOWN,)), 404, _Status.ITEM_UNKNOWN),
        (ServiceRequest("f-2", (replace(TOKENS, price=Price(Decimal(1), "EUR")),)), 402, _Status.CHARGING_ERROR),
        (
            ServiceRequest("f-3", (TOKENS,), Sender((Name(3, "somebody@else"),))),
            403,
            _Status.USER_AUTHENTICATION_FAILED,
        ),
        (RenewalRequest("f-4", (FILM,)), 404, _Status.NO_SUBSCRIPTION),
    ],
)
def test_what_is_refused(
    served: HeadEnd, request_: ServiceRequest | RenewalRequest, status: int, code: ProvisioningStatus
) -> None:
    with raw_terminal(served) as terminal:
        refused = terminal.ask(SERVICE_REQUEST, request_.encode())
        terminal.log.require_signed(3)
    kind = RenewalAnswer if isinstance(request_, RenewalRequest) else ServiceAnswer
    assert (refused.status, kind.decode(refused.body).status) == (status, code)


def test_a_message_that_names_itself_and_cannot_be_read(served: HeadEnd, tmp_path: Path) -> None:
    with raw_terminal(served) as terminal:
        named = terminal.ask(SERVICE_REQUEST, b'<ServiceRequest requestID="x"/>')
        assert (named.status, ServiceAnswer.decode(named.body).status) == (400, _Status.MALFORMED_MESSAGE)
        for body in (b"<ServiceRequest/>", b"<Other/>", b"", b'<!DOCTYPE a><ServiceRequest requestID="x"/>'):
            assert terminal.ask(SERVICE_REQUEST, body).status == 400
