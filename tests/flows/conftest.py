"""A head-end that sells, one for each file of flows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows import offers
from tests.support.head_end import HeadEnd, head_end


@pytest.fixture(scope="module")
def served() -> Iterator[HeadEnd]:
    with head_end(scenario=offers.scenario(), catalogue=offers.catalogue()) as found:
        yield found
        assert found.defects == 0
