"""A terminal and a head-end over HTTP and UDP: from a card without keys to a TEK, and to none again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.registration import ServiceCode
from host_tools.exchange.messages.tokens import AccountInquiry
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.books import Route
from host_tools.headend.bsm.ltkm_sender import FIRST_WAIT
from host_tools.headend.bsm.orders import Order
from host_tools.headend.scenario.seeded_keys import traffic_key
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.terminal.bcast import Tek
from host_tools.terminal.client import wishes
from host_tools.terminal.client.events import ErrandDone, News, Wanted
from host_tools.terminal.http.session import GbaSession
from host_tools.terminal.http.ua import UaClient
from host_tools.terminal.http.ub import HttpBsf
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.system import SystemClock, SystemRng
from tests.support.head_end import HeadEnd, free_address, fresh_card, head_end, terminal

ONE, TWO = SERVICE_PREFIX + "one", SERVICE_PREFIX + "two"


@pytest.fixture
def served() -> Iterator[HeadEnd]:
    with head_end() as found:
        yield found
        assert found.defects == 0


def feed(served: HeadEnd, middleware: TerminalMiddleware, mtk_id: int, service: str = "two") -> object:
    """Give the card an STKM of a service under its first SEK."""
    key = served.network.bsm.keys(service)[0]
    traffic = traffic_key(served.network.scenario, key, mtk_id)
    content = StkmContent(key.traffic_key_ids(mtk_id), traffic.tek, traffic.salt, mtk_id)
    return middleware.feed(seal_stkm(content, key.key, key.csb_id, key.rand))


def answers(served: HeadEnd, role: str) -> dict[int, int]:
    return served.call(lambda: dict(served.running.traffic[role].answers))


@pytest.mark.flow("000", "5.4.4.2.1.1", step="1", message="bootstrapping over Ub; SMK and SRK are there")
@pytest.mark.flow("000", "5.4.4.2.1.2", step="1", message="LTKMs by UDP")
@pytest.mark.flow("000", "5.4.4.2.1.2", step="2", message="the terminal gives them to the card")
@pytest.mark.flow("000", "5.4.4.2.1.2", step="3", message="the card takes them")
@pytest.mark.flow("000", "5.4.4.2.1.3", step="2", message="an STKM goes to the card, and a TEK comes back")
@pytest.mark.flow("000", "5.4.4.2.1.4", step="1", message="LTKM request")
@pytest.mark.flow("000", "5.4.4.2.1.4", step="2", message="the answer")
@pytest.mark.flow("000", "5.4.4.2.1.4", step="3", message="the LTKM, which the terminal gives to the card")
@pytest.mark.usefixtures("patient_bsm")
def test_from_nothing_to_a_traffic_key_and_back(served: HeadEnd) -> None:
    card = fresh_card()
    with terminal(card, served) as online:
        registered = online.register([ONE, TWO, "urn:nobody:has:this"])
        assert registered.codes == (
            ServiceCode(ONE, 200),
            ServiceCode(TWO, 200),
            ServiceCode("urn:nobody:has:this", 403),
        )
        assert [receipt.taken for receipt in registered.receipts] == [True, True]
        keys = [served.network.bsm.keys(service)[0] for service in ("one", "two")]
        named = [(key.key_domain_id, key.msk_id) for key in keys]
        assert [(one.ids.key_domain_id, one.ids.msk_id) for one in registered.receipts if one.ids] == named
        # Ub: introduced, answered. Ua: without credentials, with them.
        assert answers(served, "bsf") == {401: 1, 200: 1}
        assert answers(served, "bsm") == {401: 1, 200: 1}
        pushes = served.running.servers.pushes
        assert served.call(lambda: (pushes.acknowledged, pushes.figures().outstanding)) == (2, 0)
        assert isinstance(feed(served, card, 1), Tek)

        asked = online.request_keys(online.groups_held())
        assert [code.status for code in asked.codes] == [200, 200]
        assert [receipt.taken for receipt in asked.receipts] == [True, True]
        assert asked.b_tid == registered.b_tid
        assert isinstance(feed(served, card, 2), Tek)

        left = online.deregister([TWO])
        assert left.codes == (ServiceCode(TWO, 200),)
        # The key of service two is made invalid; that of service one goes out once more.
        assert [receipt.taken for receipt in left.receipts] == [True, True]
        assert not isinstance(feed(served, card, 3), Tek)
        gone = served.network.bsm.keys("two")[0]
        (refused,) = online.request_keys([MskName(gone.key_domain_id, gone.msk_id)]).codes
        assert refused.status == 403


def test_pushes_go_to_where_the_registration_came_from(served: HeadEnd) -> None:
    address = free_address()
    with terminal(fresh_card(), served, address) as online:
        online.register([ONE])
    registered = served.call(lambda: served.running.servers.keys.registration(served.network.subscriber.impi))
    assert registered is not None
    assert registered.route.address == address


@pytest.mark.usefixtures("patient_bsm")
def test_a_solicited_pull_is_answered_at_once(served: HeadEnd) -> None:
    address = free_address()
    with terminal(fresh_card(), served, address) as online:
        b_tid = online.register([ONE]).b_tid

        def pull() -> None:
            impi, route = served.network.subscriber.impi, Route(address, b_tid)
            served.running.servers.pushes.order(impi, route, [Order.for_pull("one")])
            served.running.port.flush()

        served.call(pull)
        received = online.listen()
    assert [receipt.taken for receipt in received] == [True]
    assert answers(served, "bsm")[200] == 2  # the registration, and the request that the pull asked for


def test_an_ltkm_without_acknowledgement_goes_out_again_with_a_new_t(served: HeadEnd) -> None:
    card, address = fresh_card(), free_address()
    with terminal(card, served, address) as online:
        online.register([ONE])
    # The terminal asks for a key and hears nothing of the first datagram: its ports are read by this test.
    online = terminal(card, served, address)
    with KeySockets(address) as ports:
        network = served.running.network
        transport = HttpTransport(network.bsm.endpoint, address)
        bsf = HttpBsf(HttpTransport(network.bsf.endpoint, address), network.bsf.name, SystemRng())
        session = GbaSession(card, bsf, network.bsm.name, SystemClock().now)
        UaClient(transport, network.bsm.name, session, SystemRng()).request_keys([current_key(served)])
        first = ports.wait(20.0)
        second = ports.wait(10 * FIRST_WAIT)
    assert len(first) == len(second) == 1
    assert first[0].payload != second[0].payload
    assert first[0].destination == second[0].destination == Endpoint(address, 2269)
    assert first[0].source == served.running.network.push
    assert served.call(lambda: served.running.servers.pushes.figures().outstanding) == 1
    with online:
        asked = online.request_keys([current_key(served)])
    # The one that is outstanding comes again, is acknowledged, and the next one follows.
    assert [receipt.taken for receipt in asked.receipts] == [True, True]
    assert served.call(lambda: served.running.servers.pushes.figures().outstanding) == 0


def current_key(served: HeadEnd) -> MskName:
    """Return the name that stands for the current key of service one."""
    key = served.network.bsm.keys("one")[0]
    return MskName(key.key_domain_id, key.msk_id[:2] + bytes(2))


def test_a_sequence_number_that_the_card_finds_old_is_put_right(served: HeadEnd) -> None:
    """The BSF begins with the sequence number of the profile, and this card has met later ones."""
    card = fresh_card()
    with terminal(card, served) as online:
        online.register([ONE])
    with head_end(seed="another") as other:
        with terminal(card, other) as online:
            registered = online.register([ONE])
        assert registered.granted
        # The BSM does not know the B-TID. Ub: introduced, AUTS, answered.
        assert answers(other, "bsf") == {401: 2, 200: 1}
        assert other.defects == 0


def test_what_a_terminal_did_of_its_own_accord_is_not_kept_for_ever(served: HeadEnd) -> None:
    """One that stays on the air for days asks for keys again and again, and nobody asks what came back."""
    told: list[News] = []
    with terminal(fresh_card(), served) as online:
        online._on_news = told.append
        for number in range(70):
            online.tell(Wanted(wishes.Order(AccountInquiry(f"r{number}"))))
        assert len([one for one in told if isinstance(one, ErrandDone)]) == 70
        assert len(online._outcomes) == 64
        assert online.ask(wishes.Order(AccountInquiry("last"))).failure is None


def test_two_terminals_at_once_need_two_addresses() -> None:
    address = free_address()
    with KeySockets(address), pytest.raises(TransportError, match="an address of its own"), KeySockets(address):
        pass
