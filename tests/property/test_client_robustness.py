"""The client of a terminal before whatever arrives: it raises nothing, forgets nothing it owes, and grows no table."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.registration import RegistrationAnswer, ServiceCode
from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_push import SmsForm, SmsPush
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.transport import Datagram, Endpoint
from host_tools.terminal.client.events import Arrived, ClientEvent, Connected, Leaving, ShortMessageArrived, Wanted
from host_tools.terminal.client.journal import MOST_ITEMS, MOST_LTKMS, MOST_TRIGGERS
from host_tools.terminal.client.wishes import Deregister, Register
from tests.support.client import FQDN, REALM, Script, Stage, demand, signed
from tests.support.wire import UsimBench

BSM, HERE = Endpoint("127.0.0.1", 40_001), Endpoint("127.0.0.2", 2269)
ONE = "urn:item:one"


@cache
def good() -> tuple[bytes, ...]:
    """Return datagrams and short messages that are right, to be spoilt."""
    bench = UsimBench()
    b_tid = bench.session.current().username
    pull = bench.network.bsm.pull("one", b_tid)
    trigger = Trigger("t", f"http://{FQDN}/", (PurchaseItem("urn:item:", "one"),)).encode()
    parts = [SmsDeliver(part).encode() for part in SmsPush(SmsForm.A, pull).encode()]
    return (bench.network.bsm.ltkm("one", b_tid), pull, trigger, *parts)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A message with up to three octets changed, or cut, or lengthened; now and then anything."""
    octets = bytearray(draw(st.sampled_from(good())))
    for at, value in draw(st.lists(st.tuples(st.integers(0, len(octets) - 1), st.integers(0, 255)), max_size=3)):
        octets[at] = value
    end = draw(st.integers(0, len(octets)))
    return draw(st.sampled_from((bytes(octets), bytes(octets[:end]), bytes(octets) + bytes(octets[:end]))))


MESSAGES = spoilt() | st.binary(max_size=1500)
EVENTS = (
    MESSAGES.map(lambda octets: Arrived(Datagram(BSM, HERE, octets)))
    | MESSAGES.map(ShortMessageArrived)
    | st.sampled_from((Connected(), Connected(home=False), Wanted(Register((ONE,))), Wanted(Deregister(()))))
)
BODY = RegistrationAnswer((ServiceCode(ONE, 200),)).encode()
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(("WWW-Authenticate", "Authentication-Info", "Content-Type", "Retry-After", "Server")),
        st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
        | st.sampled_from(
            (f'Digest realm="{REALM}", nonce="x", qop="auth-int"', 'rspauth="0", nc=1', "Digest stale=true")
        ),
    ),
    max_size=4,
)


def answers() -> st.SearchStrategy[Script | None]:
    """What a BSM may answer: right, nothing, or anything."""

    def anything(status: int, headers: list[tuple[str, str]], body: bytes) -> Callable[[HttpRequest], HttpResponse]:
        return lambda _request: HttpResponse(status, tuple(headers), body)

    bodies = st.binary(max_size=80) | st.sampled_from((BODY, BODY[:-9]))
    right = st.sampled_from((demand(), demand("n2", stale=True), None))
    return right | st.builds(anything, st.integers(100, 599), HEADERS, bodies)


@given(st.lists(EVENTS, max_size=12), st.lists(answers(), min_size=80, max_size=80))
def test_whatever_arrives_is_taken_or_dropped(events: list[ClientEvent], script: list[Script | None]) -> None:
    stage = Stage(*script)
    for event in events:
        stage.answers.extend(script)
        stage.tell(event)
        for timer in list(stage.timers):
            stage.after(timer)
    stage.answers.extend(script)
    stage.tell(Leaving(deregister=True))
    assert stage.client.is_over
    journal = stage.journal
    assert len(journal.ltkms) <= MOST_LTKMS
    assert len(journal.items) <= MOST_ITEMS
    assert len(journal.triggers) <= MOST_TRIGGERS


def test_a_document_that_is_signed_is_read() -> None:
    stage = Stage(demand(), signed(body=BODY, kind="application/mbms-register-response+xml"))
    stage.tell(Wanted(Register((ONE,))))
    assert stage.journal.is_registered
