"""Token Purchase with and without registration phase (change request on the AD, clauses 5.4.7.2.6 to 5.4.7.2.8)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from card.codec.bcast import bcast_extension
from host_tools.exchange.messages.ltkm_push import OMA_LTKM_PORT
from host_tools.exchange.messages.provisioning import Price
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer
from host_tools.exchange.messages.tokens import (
    KeyWish,
    PurseKind,
    TokenPurchaseAnswer,
    TokenPurchaseRequest,
    Tokens,
)
from host_tools.exchange.procedures import REGISTRATION, TOKEN_PURCHASE
from tests.flows import offers
from tests.flows.offers import FILM_ASKED, TOKENS
from tests.support.flows import ANSWER, PUSH, REQUEST, VERIFICATION, Log, raw_terminal
from tests.support.head_end import HeadEnd, head_end

_DIGEST = [REQUEST, ANSWER, REQUEST, ANSWER]
_PAY = bytes.fromhex("0003")


@pytest.fixture(scope="module")
def asked(served: HeadEnd) -> Log:
    """The whole of clause 5.4.7.2.6: the answer demands a registration."""
    with raw_terminal(served) as terminal:
        terminal.ask(TOKEN_PURCHASE, TokenPurchaseRequest("asked-1", items=(FILM_ASKED,)).encode())
        assert terminal.take(1, 0.3) == 0, "nothing comes before the registration"
        terminal.ask(REGISTRATION, Registration((FILM_ASKED.service_id,)).encode())
        assert terminal.take(1) == 1
        return terminal.log


@pytest.fixture(scope="module")
def implied(served: HeadEnd) -> Log:
    """The whole of clause 5.4.7.2.8, with tokens that belong to no key."""
    with raw_terminal(served) as terminal:
        terminal.ask(TOKEN_PURCHASE, TokenPurchaseRequest("implied-1", items=(TOKENS,)).encode())
        assert terminal.take(1) == 1
        return terminal.log


@pytest.mark.flow("002", "5.4.7.2.6", step="1", message="TokenPurchaseRequest")
def test_5_4_7_2_6_step_1(asked: Log) -> None:
    assert TokenPurchaseRequest.decode(asked.request(0).body).items == (FILM_ASKED,)
    assert asked.request(0).one("Authorization") is None


@pytest.mark.flow("002", "5.4.7.2.6", step="2", message="401 with a challenge")
def test_5_4_7_2_6_step_2(asked: Log) -> None:
    asked.require_challenge(1)


@pytest.mark.flow("002", "5.4.7.2.6", step="3", message="the request again, with B-TID and SRK")
def test_5_4_7_2_6_step_3(asked: Log) -> None:
    asked.require_credentials(2)


@pytest.mark.flow("002", "5.4.7.2.6", step="4", message="TokenPurchaseResponse, registrationRequired true, charged")
def test_5_4_7_2_6_step_4(asked: Log) -> None:
    answer = asked.require_signed(3)
    assert answer.status == 200
    told = TokenPurchaseAnswer.decode(answer.body)
    assert told.registration_required is True
    assert told.charged == Price(Decimal("1.50"), "EUR")


@pytest.mark.flow("002", "5.4.7.2.6", step="5", message="Registration with both identifiers of the item")
def test_5_4_7_2_6_step_5(asked: Log) -> None:
    asked.require_credentials(6)
    assert Registration.decode(asked.request(6).body).service_ids == (FILM_ASKED.service_id,)


@pytest.mark.flow("002", "5.4.7.2.6", step="6", message="200 OK to the Registration")
def test_5_4_7_2_6_step_6(asked: Log) -> None:
    assert [code.status for code in RegistrationAnswer.decode(asked.require_signed(7).body).codes] == [200]


@pytest.mark.flow("002", "5.4.7.2.6", step="7", message="LTKM with the policy, after the Registration; verification")
def test_5_4_7_2_6_step_7(asked: Log) -> None:
    assert asked.kinds() == [*_DIGEST, *_DIGEST, PUSH, VERIFICATION]
    assert asked.require_push(8).key_group == _PAY
    assert bcast_extension(asked.mikey(8)) is not None
    assert asked.crossed[8].port == OMA_LTKM_PORT


@pytest.mark.flow("002", "5.4.7.2.8", step="1", message="TokenPurchaseRequest")
def test_5_4_7_2_8_step_1(implied: Log) -> None:
    assert TokenPurchaseRequest.decode(implied.request(0).body).items == (TOKENS,)


@pytest.mark.flow("002", "5.4.7.2.8", step="2", message="401 with a challenge")
def test_5_4_7_2_8_step_2(implied: Log) -> None:
    implied.require_challenge(1)


@pytest.mark.flow("002", "5.4.7.2.8", step="3", message="the request again, with B-TID and SRK")
def test_5_4_7_2_8_step_3(implied: Log) -> None:
    implied.require_credentials(2)


@pytest.mark.flow("002", "5.4.7.2.8", step="4", message="TokenPurchaseResponse, registrationRequired false")
def test_5_4_7_2_8_step_4(implied: Log) -> None:
    answer = implied.require_signed(3)
    assert answer.status == 200
    assert TokenPurchaseAnswer.decode(answer.body).registration_required is False


@pytest.mark.flow("002", "5.4.7.2.8", step="5", message="LTKM with tokens and no key, acknowledgement asked and given")
def test_5_4_7_2_8_step_5(implied: Log) -> None:
    assert implied.kinds() == [*_DIGEST, PUSH, VERIFICATION]
    name = implied.require_push(4)
    assert (name.key_group, name.key_number) == (_PAY, bytes(2))


def test_tokens_by_purse_and_keys_by_name() -> None:
    """Ours, within clause 5.4.7.2.8: five tokens for the user purse, then a key with a span of timestamps."""
    with head_end(scenario=offers.scenario(), catalogue=offers.catalogue()) as served, raw_terminal(served) as terminal:
        log, key = terminal.log, served.network.bsm.keys("pay")[0]
        by_purse = TokenPurchaseRequest("purse-1", tokens=Tokens(PurseKind.USER, 5))
        answer = TokenPurchaseAnswer.decode(terminal.ask(TOKEN_PURCHASE, by_purse.encode()).body)
        assert answer.charged == Price(Decimal("0.50"), "EUR")
        assert terminal.take(1) == 1
        assert log.require_push(4).key_number == bytes(2)
        wish = KeyWish(key.key_domain_id + key.msk_id, 1, 2)
        by_key = TokenPurchaseRequest("key-1", keys=(wish,))
        answer = TokenPurchaseAnswer.decode(terminal.ask(TOKEN_PURCHASE, by_key.encode()).body)
        assert answer.results[0].item.global_id == "urn:example:film"
        assert answer.charged == Price(Decimal("1.50"), "EUR")
        assert terminal.take(1) == 1
        assert log.require_push(10).key_number == key.msk_id[2:]
        nobody_has = TokenPurchaseRequest("key-2", keys=(KeyWish(key.key_domain_id + b"\0\x09\0\x09"),))
        refused = terminal.ask(TOKEN_PURCHASE, nobody_has.encode())
        assert refused.status == 404
