"""How often one subscriber may bootstrap."""

from __future__ import annotations

from http import HTTPStatus

from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.procedures import BOOTSTRAPPING
from host_tools.headend.http.ub import CHALLENGES_SPAN, MOST_CHALLENGES
from tests.support.wire import TERMINAL, UsimBench


def test_a_name_that_asks_too_often_is_told_when_to_come_again_and_costs_no_sequence_number() -> None:
    bench = UsimBench()
    header = Credentials.introduction(bench.identity, "bsf", "/").header_value()
    request = BOOTSTRAPPING.build("bsf", headers=(("Authorization", header),))
    statuses = [bench.ub.handle(request, TERMINAL).status for _ in range(MOST_CHALLENGES)]
    assert set(statuses) == {HTTPStatus.UNAUTHORIZED}
    refused = bench.ub.handle(request, TERMINAL)
    assert refused.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert refused.one("Retry-After") == str(int(CHALLENGES_SPAN.total_seconds()))
    bench.clock.advance(CHALLENGES_SPAN.total_seconds())
    assert bench.ub.handle(request, TERMINAL).status == HTTPStatus.UNAUTHORIZED
