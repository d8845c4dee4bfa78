"""A head-end that sells, one for each file of flows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host_tools.headend.bsm import ltkm_sender
from tests.flows import offers
from tests.support.head_end import HeadEnd, head_end

_NEVER = 3600.0


@pytest.fixture(scope="package", autouse=True)
def patient_bsm() -> Iterator[None]:
    """A BSM that sends nothing again while a test runs: no flow is about that, and a busy machine is no lost datagram.

    Where this end answers later than the BSM waits, a plain LTKM comes once more under a new T, and a log of the flow
    has one message more than the flow. Tests beside these, in the same process, have the times as they are.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ltkm_sender, "FIRST_WAIT", _NEVER)
        yield


@pytest.fixture(scope="module")
def served() -> Iterator[HeadEnd]:
    with head_end(scenario=offers.scenario(), catalogue=offers.catalogue()) as found:
        yield found
        assert found.defects == 0
