"""What happens to a purchase in time, on the wire: it ends, it is asked for, the BSM asks the terminal to ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from host_tools.exchange.messages.msk import MskAnswer, MskName, MskRequest
from host_tools.exchange.messages.orders import ServiceRequest
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer
from host_tools.exchange.procedures import MSK_REQUEST, REGISTRATION, SERVICE_REQUEST
from host_tools.headend.catalogue.items import Catalogue
from tests.flows import offers
from tests.flows.offers import ITEM1
from tests.support.flows import PUSH, raw_terminal
from tests.support.head_end import HeadEnd, head_end


def test_an_item_whose_time_is_over_is_not_served_any_more() -> None:
    """No message goes out for that: the keys are not withdrawn, no further one is sent, the registration ends."""
    plan = offers.catalogue()
    # Long enough that its LTKM is made before its time is over, on a busy computer, too.
    items = [replace(plan.items[0], period=timedelta(seconds=5)), *plan.items[1:]]
    sold = Catalogue(items, plan.tariffs)
    with head_end(scenario=offers.scenario(), catalogue=sold) as served, raw_terminal(served) as terminal:
        key = served.network.bsm.keys("one")[-1]
        terminal.ask(SERVICE_REQUEST, ServiceRequest("r-1", (ITEM1,)).encode())
        assert terminal.take(1) == 1
        keys, impi = served.running.servers.keys, served.network.subscriber.impi
        assert terminal.settled(lambda: keys.registration(impi) is None)
        wish = MskRequest((MskName(key.key_domain_id, key.msk_id),)).encode()
        assert [code.status for code in MskAnswer.decode(terminal.ask(MSK_REQUEST, wish).body).codes] == [403]
        again = terminal.ask(REGISTRATION, Registration((ITEM1.service_id,)).encode())
        assert [code.status for code in RegistrationAnswer.decode(again.body).codes] == [403]
        assert terminal.log.kinds().count(PUSH) == 1
        assert served.defects == 0


def test_a_solicited_pull_makes_the_terminal_ask(served: HeadEnd) -> None:
    """OMA BCAST, change request on SPCP, clause 6.4; TS 33.246 clause 6.3.2.2.4."""
    impi, running = served.network.subscriber.impi, served.running

    def pull() -> bool:
        asked = running.servers.keys.pull(impi)
        running.port.flush()
        return asked

    with raw_terminal(served) as terminal:
        terminal.ask(SERVICE_REQUEST, ServiceRequest("pull-1", (ITEM1,)).encode())
        assert terminal.take(1) == 1
        assert served.call(pull)
        assert terminal.take(1) == 1
        pulled = terminal.log.mikey(-1)
        assert not pulled.header.verification_requested
        name = pulled.key_ids()
        assert (name.key_group, name.key_number) == (bytes.fromhex("0001"), bytes(2))
        named = MskRequest((MskName(name.key_domain_id, name.msk_id),)).encode()
        assert [code.status for code in MskAnswer.decode(terminal.ask(MSK_REQUEST, named).body).codes] == [200]
        assert terminal.take(1) == 1
        assert terminal.log.mikey(-2).key_ids().key_number != bytes(2)


@pytest.mark.parametrize("path", ["/other", "/sprov/more", "/"])
def test_other_paths_and_methods(served: HeadEnd, path: str) -> None:
    with raw_terminal(served) as terminal:
        body = ServiceRequest("x", (ITEM1,)).encode()
        request = SERVICE_REQUEST.build(terminal.log.fqdn, body, (("User-Agent", terminal.agent),))
        assert terminal.ask_request(replace(request, target=path)).status == 404
        assert terminal.ask_request(replace(request, method="PUT")).status == 405
        typed = tuple((name, "text/xml" if name == "Content-Type" else value) for name, value in request.headers)
        assert terminal.ask_request(replace(request, headers=typed)).status == 400
