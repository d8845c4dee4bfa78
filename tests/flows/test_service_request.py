"""Service Request with and without registration phase (change request on the AD, clauses 5.4.7.2.3 to 5.4.7.2.5)."""

from __future__ import annotations

import pytest

from host_tools.exchange.http import media_type
from host_tools.exchange.messages.orders import ServiceAnswer, ServiceRequest
from host_tools.exchange.messages.provisioning import ProvisioningStatus
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.procedures import REGISTRATION, SERVICE_REQUEST
from tests.flows.offers import ASKED, ITEM1
from tests.support.flows import ANSWER, PUSH, REQUEST, VERIFICATION, Log, raw_terminal
from tests.support.head_end import HeadEnd

_DIGEST = [REQUEST, ANSWER, REQUEST, ANSWER]


@pytest.fixture(scope="module")
def asked(served: HeadEnd) -> Log:
    """The whole of clause 5.4.7.2.4: the answer demands a registration."""
    with raw_terminal(served) as terminal:
        terminal.ask(SERVICE_REQUEST, ServiceRequest("asked-1", (ASKED,)).encode())
        assert terminal.take(1, 0.3) == 0, "nothing comes before the registration"
        terminal.ask(REGISTRATION, Registration((ASKED.service_id,)).encode())
        assert terminal.take(1) == 1
        return terminal.log


@pytest.fixture(scope="module")
def implied(served: HeadEnd) -> Log:
    """The whole of clause 5.4.7.2.5: the purchase registers."""
    with raw_terminal(served) as terminal:
        terminal.ask(SERVICE_REQUEST, ServiceRequest("implied-1", (ITEM1,)).encode())
        assert terminal.take(1) == 1
        keys = served.running.servers.keys
        registered = served.call(lambda: keys.registration(served.network.subscriber.impi))
        assert registered is not None
        assert ITEM1.service_id in registered.service_ids
        assert registered.route.address == terminal.address
        return terminal.log


@pytest.mark.flow("002", "5.4.7.2.3", step="1", message="a service provisioning request by POST")
@pytest.mark.flow("002", "5.4.7.2.4", step="1", message="ServiceRequest")
def test_5_4_7_2_4_step_1(asked: Log) -> None:
    request = asked.request(0)
    assert request.method == "POST"
    assert media_type(request.one("Content-Type")) == SERVICE_REQUEST.request
    assert request.one("Authorization") is None
    assert ServiceRequest.decode(request.body).items == (ASKED,)


@pytest.mark.flow("002", "5.4.7.2.3", step="2", message="401 with a challenge")
@pytest.mark.flow("002", "5.4.7.2.4", step="2", message="401 with a challenge")
def test_5_4_7_2_4_step_2(asked: Log) -> None:
    asked.require_challenge(1)


@pytest.mark.flow("002", "5.4.7.2.3", step="3", message="the request again, with B-TID and SRK")
@pytest.mark.flow("002", "5.4.7.2.4", step="3", message="the request again, with B-TID and SRK")
def test_5_4_7_2_4_step_3(asked: Log) -> None:
    asked.require_credentials(2)
    assert asked.request(2).body == asked.request(0).body


@pytest.mark.flow("002", "5.4.7.2.3", step="5", message="200 OK with the status code of the message")
@pytest.mark.flow("002", "5.4.7.2.4", step="5", message="ServiceResponse, registrationRequired true")
def test_5_4_7_2_4_step_5(asked: Log) -> None:
    answer = asked.require_signed(3)
    assert answer.status == 200
    told = ServiceAnswer.decode(answer.body)
    assert told.status is ProvisioningStatus.SUCCESS
    assert [one.registration_required for one in told.results] == [True]
    assert told.results[0].window is not None


@pytest.mark.flow("002", "5.4.7.2.4", step="6", message="Registration with both identifiers of the item")
def test_5_4_7_2_4_step_6(asked: Log) -> None:
    asked.require_credentials(6)
    body = asked.request(6).body
    assert Registration.decode(body).service_ids == (ASKED.service_id,)
    assert b">urn:example:askedurn:example:data3<" in body


@pytest.mark.flow("002", "5.4.7.2.4", step="7", message="200 OK to the Registration")
def test_5_4_7_2_4_step_7(asked: Log) -> None:
    answer = asked.require_signed(7)
    assert answer.status == 200
    assert RegistrationAnswer.decode(answer.body).codes == (ServiceCode(ASKED.service_id, 200),)


@pytest.mark.flow("002", "5.4.7.2.4", step="8", message="LTKM by UDP after the Registration, and verification")
def test_5_4_7_2_4_step_8(asked: Log) -> None:
    assert asked.kinds() == [*_DIGEST, *_DIGEST, PUSH, VERIFICATION]
    assert asked.require_push(8).key_group == bytes.fromhex("0001")


@pytest.mark.flow("002", "5.4.7.2.5", step="1", message="ServiceRequest")
def test_5_4_7_2_5_step_1(implied: Log) -> None:
    assert ServiceRequest.decode(implied.request(0).body).items == (ITEM1,)
    assert implied.request(0).one("Authorization") is None


@pytest.mark.flow("002", "5.4.7.2.5", step="2", message="401 with a challenge")
def test_5_4_7_2_5_step_2(implied: Log) -> None:
    implied.require_challenge(1)


@pytest.mark.flow("002", "5.4.7.2.5", step="3", message="the request again, with B-TID and SRK")
def test_5_4_7_2_5_step_3(implied: Log) -> None:
    implied.require_credentials(2)


@pytest.mark.flow("002", "5.4.7.2.5", step="4", message="ServiceResponse, registrationRequired false")
def test_5_4_7_2_5_step_4(implied: Log) -> None:
    answer = implied.require_signed(3)
    assert answer.status == 200
    assert [one.registration_required for one in ServiceAnswer.decode(answer.body).results] == [False]


@pytest.mark.flow("002", "5.4.7.2.5", step="5", message="LTKM by UDP after the answer, and verification")
def test_5_4_7_2_5_step_5(implied: Log) -> None:
    assert implied.kinds() == [*_DIGEST, PUSH, VERIFICATION]
    assert implied.require_push(4).key_group == bytes.fromhex("0001")
