"""A head-end that sells, one for each file of flows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows import offers
from tests.support.head_end import HeadEnd, head_end, nothing_goes_again


@pytest.fixture(scope="package", autouse=True)
def patient_bsm() -> Iterator[None]:
    """A BSM that sends nothing again while a test runs: no flow is about that, and its log would have one message more.

    Tests beside these, in the same process, have the times as they are.
    """
    with nothing_goes_again():
        yield


@pytest.fixture(scope="module")
def served() -> Iterator[HeadEnd]:
    with head_end(scenario=offers.scenario(), catalogue=offers.catalogue()) as found:
        yield found
        assert found.defects == 0
