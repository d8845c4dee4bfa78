"""How often one subscriber may bootstrap, and that nobody else can use that up."""

from __future__ import annotations

from http import HTTPStatus

from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.procedures import BOOTSTRAPPING
from host_tools.exchange.transport import InProcessTransport, Peer
from host_tools.headend.http.ub import CHALLENGES_SPAN, MOST_CHALLENGES, MOST_OF_A_NAME
from host_tools.terminal.http.ub import HttpBsf
from host_tools.wire.system import SystemRng
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


def introduction(bench: UsimBench) -> HttpRequest:
    header = Credentials.introduction(bench.identity, "bsf", "/").header_value()
    return BOOTSTRAPPING.build("bsf", headers=(("Authorization", header),))


def use_up(bench: UsimBench, address: str) -> int:
    """Ask for challenges in the subscriber's name until there are no more; return how many there were."""
    peer, count = Peer(address), 0
    while bench.ub.handle(introduction(bench), peer).status == HTTPStatus.UNAUTHORIZED:
        count += 1
    return count


class Crowded:
    """The BSF, where a stranger takes all the challenges there are between any two requests of others."""

    def __init__(self, bench: UsimBench) -> None:
        self.bench = bench
        self.taken = 0

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        answer = self.bench.ub.handle(request, peer)
        self.taken += use_up(self.bench, "192.0.2.1")
        return answer


def test_who_knows_a_name_holds_up_nobody_at_another_address() -> None:
    bench = UsimBench()
    crowded = Crowded(bench)
    bsf = HttpBsf(InProcessTransport(crowded, TERMINAL), bench.network.scenario.network.bsf_name, SystemRng())
    bench.middleware.bootstrap(bsf)
    assert crowded.taken == MOST_CHALLENGES
    assert use_up(bench, TERMINAL.address) == MOST_CHALLENGES - 1


def test_many_addresses_cannot_carry_a_sequence_number_far_nor_hold_up_the_address_that_was_right() -> None:
    bench = UsimBench()
    bench.middleware.bootstrap(bench.new_bsf())
    taken = sum(use_up(bench, f"192.0.2.{number}") for number in range(2 * MOST_OF_A_NAME // MOST_CHALLENGES))
    assert taken in (MOST_OF_A_NAME, MOST_OF_A_NAME - 1)
    assert use_up(bench, "198.51.100.1") == 0
    bench.middleware.bootstrap(bench.new_bsf())
    bench.clock.advance(CHALLENGES_SPAN.total_seconds())
    assert use_up(bench, "198.51.100.1") == MOST_CHALLENGES
