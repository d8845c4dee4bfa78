"""Each test of a step fails when what it tells of did not cross: none of them says yes to anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from xmlschema import XMLSchemaValidationError

from host_tools.exchange.messages.registration import Registration
from host_tools.headend.bsm.provisioning.shop_orders import OrderState
from tests.flows import test_key_management as keys
from tests.flows import test_other_messages as others
from tests.flows import test_service_request as services
from tests.flows import test_token_purchase as tokens
from tests.flows import test_trigger as triggers
from tests.support.flows import REQUEST, Log


def _steps(module: ModuleType) -> Iterator[Callable[..., None]]:
    for name, found in vars(module).items():
        if name.startswith("test_") and "_step_" in name:
            yield found


ON_A_LOG = [step for module in (keys, others, services, tokens) for step in _steps(module)]


@pytest.mark.parametrize("step", ON_A_LOG, ids=lambda step: step.__name__)
def test_nothing_crossed(step: Callable[[Log], None]) -> None:
    with pytest.raises((AssertionError, IndexError)):
        step(Log(fqdn="bsm.example.org", b_tid="b@c", srk=bytes(32)))


@pytest.mark.parametrize("step", list(_steps(triggers)), ids=lambda step: step.__name__)
def test_no_trigger_crossed(step: Callable[[triggers.Run], None]) -> None:
    states = [OrderState.FAILED] * 3
    with pytest.raises((AssertionError, IndexError)):
        step(triggers.Run(Log(fqdn="bsm.example.org", b_tid="b@c", srk=bytes(32)), states, may_before=True))


def test_there_are_steps() -> None:
    assert len(ON_A_LOG) > 30


def test_a_document_that_its_schema_refuses() -> None:
    """Every document of 3GPP that a flow notes is held against the schema."""
    good = Registration(("urn:x",)).encode()
    log = Log()
    log.note(REQUEST, b"POST / HTTP/1.1\r\n\r\n" + good)
    assert log.documents.seen.total() == 1
    with pytest.raises(XMLSchemaValidationError):
        log.note(REQUEST, b"POST / HTTP/1.1\r\n\r\n" + good.replace(b"serviceID", b"service"))
