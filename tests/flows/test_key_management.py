"""Registration, Deregistration, LTKM Request (change request on the AD, clauses 5.4.7.2.12 to 5.4.7.2.14)."""

from __future__ import annotations

import pytest

from host_tools.exchange.messages.msk import MskAnswer, MskName, MskRequest
from host_tools.exchange.messages.registration import Deregistration, Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.procedures import DEREGISTRATION, MSK_REQUEST, REGISTRATION
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from tests.support.flows import ANSWER, PUSH, REQUEST, VERIFICATION, Log, raw_terminal
from tests.support.head_end import head_end

ONE = SERVICE_PREFIX + "one"
_DIGEST = [REQUEST, ANSWER, REQUEST, ANSWER]
_PUSHED = [PUSH, VERIFICATION]


@pytest.fixture(scope="module")
def log() -> Log:
    """Registration, LTKM request, deregistration, and an LTKM request by one who is not registered any more."""
    with head_end() as served, raw_terminal(served) as terminal:
        key = served.network.bsm.keys("one")[-1]
        named = MskRequest((MskName(key.key_domain_id, key.msk_id[:2] + bytes(2)),)).encode()
        keys, impi = served.running.servers.keys, served.network.subscriber.impi
        terminal.ask(REGISTRATION, Registration((ONE,)).encode())
        assert terminal.take(1) == 1
        assert served.call(lambda: keys.registration(impi)) is not None
        terminal.ask(MSK_REQUEST, named)
        assert terminal.take(1) == 1
        terminal.ask(DEREGISTRATION, Deregistration((ONE,)).encode())
        assert terminal.take(1) == 1
        assert served.call(lambda: keys.registration(impi)) is None
        terminal.ask(MSK_REQUEST, named)
        assert terminal.take(1, 0.3) == 0, "no LTKM after the deregistration"
        assert served.defects == 0
        return terminal.log


@pytest.mark.flow("002", "5.4.7.2.12", step="1", message="Registration")
def test_5_4_7_2_12_step_1(log: Log) -> None:
    assert Registration.decode(log.request(0).body).service_ids == (ONE,)
    assert log.request(0).target == "/keymanagement?requesttype=register"


@pytest.mark.flow("002", "5.4.7.2.12", step="2", message="401 with a challenge")
def test_5_4_7_2_12_step_2(log: Log) -> None:
    log.require_challenge(1)


@pytest.mark.flow("002", "5.4.7.2.12", step="3", message="the request again, with B-TID and SRK")
def test_5_4_7_2_12_step_3(log: Log) -> None:
    log.require_credentials(2)


@pytest.mark.flow("002", "5.4.7.2.12", step="4", message="200 OK with a code for each service; the keys follow")
def test_5_4_7_2_12_step_4(log: Log) -> None:
    assert RegistrationAnswer.decode(log.require_signed(3).body).codes == (ServiceCode(ONE, 200),)
    assert log.kinds()[:6] == [*_DIGEST, *_PUSHED]


@pytest.mark.flow("002", "5.4.7.2.14", step="1", message="LTKM request with the ID of the key group")
def test_5_4_7_2_14_step_1(log: Log) -> None:
    assert log.request(6).target == "/keymanagement?requesttype=msk-request"
    (name,) = MskRequest.decode(log.request(6).body).names
    assert (name.key_group, name.key_number) == (bytes.fromhex("0001"), 0)


@pytest.mark.flow("002", "5.4.7.2.14", step="2", message="401 with a challenge")
def test_5_4_7_2_14_step_2(log: Log) -> None:
    log.require_challenge(7)


@pytest.mark.flow("002", "5.4.7.2.14", step="3", message="the request again, with B-TID and SRK")
def test_5_4_7_2_14_step_3(log: Log) -> None:
    log.require_credentials(8)


@pytest.mark.flow("002", "5.4.7.2.14", step="4", message="200 OK with a code for each key")
def test_5_4_7_2_14_step_4(log: Log) -> None:
    assert [code.status for code in MskAnswer.decode(log.require_signed(9).body).codes] == [200]


@pytest.mark.flow("002", "5.4.7.2.14", step="5", message="the LTKM by UDP after the answer, and verification")
def test_5_4_7_2_14_step_5(log: Log) -> None:
    assert log.kinds()[6:12] == [*_DIGEST, *_PUSHED]
    assert log.require_push(10).key_group == bytes.fromhex("0001")


@pytest.mark.flow("002", "5.4.7.2.13", step="1", message="Deregistration")
def test_5_4_7_2_13_step_1(log: Log) -> None:
    assert Deregistration.decode(log.request(12).body).service_ids == (ONE,)
    assert log.request(12).target == "/keymanagement?requesttype=deregister"


@pytest.mark.flow("002", "5.4.7.2.13", step="2", message="401 with a challenge")
def test_5_4_7_2_13_step_2(log: Log) -> None:
    log.require_challenge(13)


@pytest.mark.flow("002", "5.4.7.2.13", step="3", message="the request again, with B-TID and SRK")
def test_5_4_7_2_13_step_3(log: Log) -> None:
    log.require_credentials(14)


@pytest.mark.flow("002", "5.4.7.2.13", step="4", message="200 OK; the key is withdrawn, and nothing comes any more")
def test_5_4_7_2_13_step_4(log: Log) -> None:
    assert RegistrationAnswer.decode(log.require_signed(15).body).codes == (ServiceCode(ONE, 200),)
    assert log.kinds()[12:] == [*_DIGEST, *_PUSHED, *_DIGEST]
    assert [code.status for code in MskAnswer.decode(log.require_signed(21).body).codes] == [403]
