"""An LTKM and a pull for the card of a bench."""

from __future__ import annotations

import pytest

from tests.support.wire import UsimBench


@pytest.fixture(scope="module")
def bench() -> UsimBench:
    return UsimBench()


@pytest.fixture(scope="module")
def ltkm(bench: UsimBench) -> bytes:
    return bench.network.bsm.ltkm("one", bench.session.current().username)


@pytest.fixture(scope="module")
def pull(bench: UsimBench) -> bytes:
    return bench.network.bsm.pull("one", bench.session.current().username)
