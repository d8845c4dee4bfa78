"""STKMs over the broadcast channel and over the interaction channel (change request on the AD, clause 5.4.4.2.1.3)."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from card.codec.mikey import MikeyMessage
from card.spec.bcast.p1 import P1
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.procedures import REGISTRATION, STKM_REQUEST
from host_tools.exchange.transport import Endpoint
from host_tools.headend.on_air.broadcast import AirPlan
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.scenario.wares import SERVICE_PREFIX, default_catalogue
from host_tools.headend.serving import Beside
from host_tools.sessions.air import Aired, beside
from host_tools.terminal.bcast import Tek
from host_tools.wire.system import SystemClock
from tests.support.flows import PUSH, VERIFICATION, raw_terminal
from tests.support.free_ports import free_ports
from tests.support.head_end import free_address, head_end

DEMO = shipped_scenario("demo")
SERVICE = "tone-a"
_SPEED = 0.02
"""So slow that one crypto period lasts 200 s: the test meets no end of one."""
_MOST_SECONDS = 60.0


@dataclass
class Heard:
    """An STKM of each channel, what crossed before, and the TEK as the card gives it and as the BSD/A made it."""

    broadcast: bytes
    asked: HttpResponse
    kinds: list[str]
    of_the_card: bytes
    of_the_bsda: bytes


class NoEvents:
    """Nobody listens."""

    def emit(self, event: object) -> None:
        del event


@pytest.fixture(scope="module")
def heard() -> Iterator[Heard]:
    """A terminal that has its key hears the BSD/A, asks for the STKM of now, and gives that to the card."""
    address, clock = free_address(), SystemClock()
    plan = AirPlan(_SPEED, listeners=(Endpoint(address, free_ports(address, 8)),))
    end = plan.targets(DEMO)[0][SERVICE].stkms
    began = datetime.now(UTC) + timedelta(seconds=DEMO.stkm.lead / 1000 / _SPEED + 2)

    def runs(network: UsimNetwork) -> Sequence[Beside]:
        return [beside(Aired(plan), began, network, clock, P1, NoEvents(), default_catalogue(DEMO))]

    with ExitStack() as stack:
        ear = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        ear.bind((end.address, end.port))
        ear.settimeout(_MOST_SECONDS)
        services = ScenarioServices(DEMO, began, _SPEED)
        served = stack.enter_context(head_end(scenario=DEMO, services=services, beside=runs))
        terminal = stack.enter_context(raw_terminal(served))
        terminal.ask(REGISTRATION, Registration((SERVICE_PREFIX + SERVICE,)).encode())
        assert terminal.take(1) == 1
        kinds = terminal.log.kinds()
        broadcast = ear.recv(4096)
        wanted = HttpRequest("GET", STKM_REQUEST.tail + SERVICE, (("Host", terminal.log.fqdn),))
        until = time.monotonic() + _MOST_SECONDS
        while (asked := terminal.exchange(wanted)).status != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        found = terminal.card.feed(asked.body)
        assert isinstance(found, Tek)
        slot = next(one for one in services.timetable.stkms(-DEMO.stkm.lead) if one.service.id == SERVICE)
        made = served.call(lambda: served.network.bsda.stkm(slot))
        yield Heard(broadcast, asked, kinds, found.key.reveal(), made.key.tek.reveal())
        assert served.defects == 0


@pytest.mark.flow("000", "5.4.4.2.1.3", step="1", message="an STKM over the broadcast channel, by UDP from the BSD/A")
def test_5_4_4_2_1_3_step_1_by_broadcast(heard: Heard) -> None:
    message = MikeyMessage.decode(heard.broadcast)
    assert message.key_ids().key_group == DEMO.service(SERVICE).key_group.to_bytes(2, "big")
    assert heard.kinds[-2:] == [PUSH, VERIFICATION]  # the key was there before


@pytest.mark.flow("000", "5.4.4.2.1.3", step="1", message="an STKM over the interaction channel, asked for by HTTP")
def test_5_4_4_2_1_3_step_1_by_interaction(heard: Heard) -> None:
    assert heard.asked.one("Content-Type") == STKM_REQUEST.answer
    assert heard.asked.body == heard.broadcast  # in plain MBMS an STKM comes again as the same octets


@pytest.mark.flow("000", "5.4.4.2.1.3", step="2", message="the card takes it and gives the TEK of the BSD/A")
def test_5_4_4_2_1_3_step_2(heard: Heard) -> None:
    assert heard.of_the_card == heard.of_the_bsda
