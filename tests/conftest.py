"""Settings every test shares: Hypothesis profiles, the measurements, the books of the chaos, a database server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.chaos.reporting import pytest_addoption, pytest_configure
from tests.support.postgresql import PostgreSql, postgresql_server

__all__ = ["pytest_addoption", "pytest_configure"]
TESTS = Path(__file__).parent

# `deadline` is off everywhere: a loaded machine is no failed test.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, database=None)
settings.register_profile("nightly", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session", autouse=True)
def _no_state_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is made for several tests at once out of the user's folder of state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state" / "of-several"))
        yield


@pytest.fixture(autouse=True)
def _state_of_its_own(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Give each test a folder of state of its own; nobody makes it before something is kept there."""
    base = tmp_path_factory.getbasetemp() / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(base / f"{abs(hash(request.node.nodeid)):x}"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A server of this test process; each test takes a database of its own."""
    with postgresql_server() as server:
        yield server


@pytest.fixture
def patient_bsm() -> Iterator[None]:
    """A BSM that sends nothing again, for a test that counts LTKMs."""
    from tests.support.head_end import nothing_goes_again

    with nothing_goes_again():
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in tests/bench as a measurement: `make bench` runs it, `make test` does not."""
    for item in items:
        if item.path.is_relative_to(TESTS / "bench"):
            item.add_marker(pytest.mark.bench)
