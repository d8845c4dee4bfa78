"""The way of an errand: bootstrapping, digest, what each status calls for, back-off, the client ID, the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.http import HttpResponse
from host_tools.exchange.messages.msk import MskAnswer, MskCode, MskName
from host_tools.exchange.messages.orders import ServiceAnswer, ServiceRequest, UnsubscribeAnswer, UnsubscribeRequest
from host_tools.exchange.messages.provisioning import ItemResult, ProvisioningStatus, PurchaseItem, Window
from host_tools.exchange.messages.registration import Deregistration, Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.messages.tokens import AccountInquiry
from host_tools.exchange.names import CLIENT_ID_WANTED, TAKEN_HEADER
from host_tools.exchange.procedures import DEREGISTRATION, MSK_REQUEST, REGISTRATION, SERVICE_REQUEST, UNSUBSCRIBE
from host_tools.sessions.online.asking import Reply
from host_tools.terminal.client.errands import Trouble
from host_tools.terminal.client.events import (
    Connected,
    ItemsOver,
    KeyUnknown,
    Leaving,
    NotIdentified,
    Started,
    Wanted,
)
from host_tools.terminal.client.journal import Item, Journal, KeptLtkm, Pending
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.states import State
from host_tools.terminal.client.waits import Waits
from host_tools.terminal.client.way import BACK_OFF, Manners
from host_tools.terminal.client.wishes import Deregister, Order, Register, RequestKeys, Wish
from tests.support.client import START, Script, Stage, demand, granted, signed

ONE, TWO = "urn:item:one", "urn:item:two"
KEY = MskName(b"\x00\xf1\x10", b"\x00\x01\x00\x00")
ITEM = PurchaseItem("urn:item:", "one")


def credentials(stage: Stage, index: int = -1) -> Credentials:
    return Credentials.parse(stage.sent[index].one("Authorization") or "")


def state(stage: Stage) -> State:
    return stage.client.state


def in_force(*services: str) -> Journal:
    return Journal(is_registered=True, items={one: Item(one) for one in services})


class TestDigest:
    def test_challenge_answer_and_then_ahead_with_the_next_count(self) -> None:
        stage = Stage(demand(), granted(ONE), granted(ONE))
        stage.tell(Wanted(Register((ONE,))))
        assert [request.one("Authorization") is None for request in stage.sent] == [True, False]
        stage.tell(Wanted(Register((ONE,))))
        assert [credentials(stage).nc, credentials(stage).nonce] == [2, "n1"]
        assert [one.failure for one in stage.outcomes()] == [None, None]
        assert state(stage) is State.READY

    def test_the_next_nonce_is_followed(self) -> None:
        codes = granted(ONE)
        first = signed(body=codes_body(codes), kind="application/mbms-register-response+xml", nextnonce="n2")
        stage = Stage(demand(), first, granted(ONE))
        stage.tell(Wanted(Register((ONE,))))
        stage.tell(Wanted(Register((ONE,))))
        assert (credentials(stage).nonce, credentials(stage).nc) == ("n2", 1)

    def test_a_stale_nonce_twice_and_no_bootstrapping(self) -> None:
        stale = [demand(f"s{number}", stale=True) for number in range(2)]
        stage = Stage(demand(), *stale, granted(ONE))
        stage.tell(Wanted(Register((ONE,))))
        assert stage.bootstrapped == [False]
        assert credentials(stage).nonce == "s1"
        assert stage.outcomes()[0].failure is None

    def test_stale_without_end(self) -> None:
        stage = Stage(demand(), *(demand(f"s{number}", stale=True) for number in range(3)))
        stage.tell(Wanted(Register((ONE,))))
        (outcome,) = stage.outcomes()
        assert outcome.failure is not None
        assert outcome.failure.trouble is Trouble.NOT_ADMITTED

    def test_a_401_to_credentials_bootstraps_once(self) -> None:
        stage = Stage(demand(), demand("n2"), granted(ONE))
        stage.tell(Wanted(Register((ONE,))))
        assert stage.bootstrapped == [False, True]
        # The challenge that led to it is answered with the new keys: no third one is needed.
        assert (credentials(stage).username, credentials(stage).nonce) == ("b-tid-2@bsf", "n2")
        assert stage.journal.b_tid == "b-tid-2@bsf"

    def test_and_not_twice(self) -> None:
        stage = Stage(demand(), demand("n2"), demand("n3"))
        stage.tell(Wanted(Register((ONE,))))
        assert stage.bootstrapped == [False, True]
        assert stage.outcomes()[0].failure is not None

    @pytest.mark.parametrize(
        "script",
        [
            demand(realm="3GPP-bootstrapping@other.example.org"),
            lambda _request: HttpResponse(401, (("WWW-Authenticate", "Basic realm=x"),)),
        ],
    )
    def test_a_challenge_that_may_not_be_answered(self, script: Script) -> None:
        stage = Stage(script)
        stage.tell(Wanted(Register((ONE,)), patient=True))
        assert stage.outcomes()[0].failure is not None
        assert stage.bootstrapped == [False]
        assert state(stage) is State.IDLE

    def test_success_without_rspauth_registers_nothing(self) -> None:
        def unsigned(_request: object) -> HttpResponse:
            return HttpResponse(200, (("Content-Type", "application/mbms-register-response+xml"),))

        stage = Stage(demand(), unsigned)
        stage.tell(Wanted(Register((ONE,))))
        (outcome,) = stage.outcomes()
        assert outcome.failure is not None
        assert outcome.failure.trouble is Trouble.NOT_AUTHENTIC
        assert state(stage) is State.IDLE


def codes_body(script: Script) -> bytes:
    """Return the body that a script would answer with."""
    stage = Stage(demand(), script)
    bodies: list[bytes] = []

    def kept(request: object) -> HttpResponse:
        response = script(request)  # type: ignore[arg-type]
        bodies.append(response.body)
        return response

    stage.answers[1] = kept
    stage.tell(Wanted(Register((ONE,))))
    return bodies[0]


class TestBackOff:
    def test_who_is_patient_backs_off_longer_each_time(self) -> None:
        waits = Waits(jitter=0.0)
        stage = Stage(*[None] * 12, rules=Rules(waits=waits), journal=in_force(ONE))
        stage.tell(Started())
        # Each time: once, and the same octets twice more.
        lengths = [stage.after(BACK_OFF) for _ in range(3)]
        assert lengths == [60.0, 120.0, 240.0]
        assert len({request.encode() for request in stage.sent}) == 1
        assert state(stage) is State.BACKING_OFF
        stage.answers.extend((demand(), granted(ONE)))
        stage.after(BACK_OFF)
        assert state(stage) is State.READY

    def test_no_longer_than_an_hour_and_with_jitter(self) -> None:
        stage = Stage(*[None] * 60, journal=in_force(ONE))
        stage.tell(Started())
        lengths = [stage.after(BACK_OFF) for _ in range(12)]
        assert 2880.0 < lengths[-1] <= 3600.0
        assert 48.0 < lengths[0] <= 60.0
        assert len(set(lengths)) == 12

    def test_who_waits_is_told_at_once(self) -> None:
        stage = Stage(None, None, None)
        stage.tell(Wanted(Register((ONE,))))
        (outcome,) = stage.outcomes()
        assert outcome.failure is not None
        assert outcome.failure.trouble is Trouble.NO_SERVER
        assert stage.timers == {}

    def test_a_busy_server_that_names_no_time_to_wait_is_not_stormed(self) -> None:
        """RFC 7231 clause 7.1.3 allows Retry-After: 0, and a date that is over comes to the same."""
        busy = signed(503, headers=(("Retry-After", "0"),))
        stage = Stage(demand(), *[busy] * 8, granted(ONE), journal=in_force(ONE))
        stage.tell(Started())
        assert [stage.after(BACK_OFF) for _ in range(8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
        assert state(stage) is State.READY

    def test_503_waits_as_long_as_the_server_says(self) -> None:
        busy = signed(503, headers=(("Retry-After", "7"),))
        stage = Stage(demand(), busy, granted(ONE))
        stage.tell(Wanted(Register((ONE,)), patient=True))
        assert stage.after(BACK_OFF) == 7.0
        assert stage.outcomes()[0].failure is None

    @pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 500, 501, 504, 505])
    def test_what_is_refused_is_not_repeated(self, status: int) -> None:
        stage = Stage(demand(), signed(status))
        stage.tell(Wanted(Register((ONE,)), patient=True))
        (outcome,) = stage.outcomes()
        assert outcome.failure is not None
        assert (outcome.failure.trouble, outcome.failure.status) == (Trouble.REFUSED, status)
        assert stage.timers == {}

    def test_a_bsf_that_refuses_is_not_asked_again_and_one_that_is_silent_is(self) -> None:
        stage = Stage(demand(), granted(ONE))
        stage.identities.append(NotIdentified("refused", Trouble.NOT_ADMITTED, lasting=True))
        stage.tell(Wanted(Register((ONE,)), patient=True))
        assert stage.outcomes()[0].failure is not None
        stage.identities.append(NotIdentified("silent", Trouble.NO_SERVER, lasting=False))
        stage.tell(Wanted(Register((ONE,)), patient=True))
        assert state(stage) is State.BACKING_OFF
        stage.after(BACK_OFF)
        assert stage.outcomes()[0].failure is None


WANTED = signed(403, f" {CLIENT_ID_WANTED}\r\n".encode())


class TestClientId:
    def test_it_is_shown_over_tls_and_answered_like_the_registration(self) -> None:
        stage = Stage(demand(), WANTED, granted(ONE), manners=Manners("agent", b"\xff\x00id"), tls=True)
        stage.tell(Wanted(Register((ONE,))))
        shown = stage.sent[-1]
        assert (shown.method, shown.target, shown.body) == ("GET", "/", b"")
        assert shown.one("User-Agent") == "BCAST_Client_ID=/wBpZA=="
        assert credentials(stage).nc == 2
        assert state(stage) is State.READY

    def test_who_has_none_says_so_with_an_empty_name(self) -> None:
        stage = Stage(demand(), WANTED, granted(ONE))
        stage.tell(Wanted(Register((ONE,))))
        assert stage.sent[-1].one("User-Agent") == ""

    def test_it_goes_over_nothing_but_tls(self) -> None:
        stage = Stage(demand(), WANTED, manners=Manners("agent", b"\xff\x00id"))
        stage.tell(Wanted(Register((ONE,))))
        assert len(stage.sent) == 2
        assert stage.outcomes()[0].failure is not None

    def test_at_once_where_that_is_wanted(self) -> None:
        stage = Stage(demand(), granted(ONE), manners=Manners("agent", b"\xff\x00id", show_at_once=True), tls=True)
        stage.tell(Wanted(Register((ONE,))))
        assert {request.one("User-Agent") for request in stage.sent} == {"BCAST_Client_ID=/wBpZA=="}

    def test_a_403_that_asks_for_nothing_is_a_refusal(self) -> None:
        stage = Stage(demand(), signed(403, b"no"), manners=Manners("agent", b"\xff\x00id"), tls=True)
        stage.tell(Wanted(Register((ONE,))))
        assert len(stage.sent) == 2


class TestRegistration:
    def test_all_that_the_bsm_may_grant_later_is_asked_for_again(self) -> None:
        """TS 33.246 clause 6.3.2.1A: the terminal may ask again for what was indicated to have failed."""
        answer = RegistrationAnswer((ServiceCode(ONE, 503), ServiceCode(TWO, 503)))
        stage = Stage(demand(), signed(body=answer.encode(), kind=REGISTRATION.answer), granted(ONE, TWO))
        stage.tell(Wanted(Register((ONE, TWO))))
        assert not stage.journal.is_registered
        stage.after("wish 0")
        assert Registration.decode(stage.sent[-1].body).service_ids == (ONE, TWO)
        assert list(stage.journal.items) == [ONE, TWO]

    def test_what_the_bsm_is_too_busy_to_end_is_still_in_force(self) -> None:
        answer = RegistrationAnswer((ServiceCode(ONE, 200), ServiceCode(TWO, 503)))
        left = granted(TWO, procedure=DEREGISTRATION)
        stage = Stage(
            demand(), signed(body=answer.encode(), kind=DEREGISTRATION.answer), left, journal=in_force(ONE, TWO)
        )
        stage.tell(Wanted(Deregister((ONE, TWO))))
        assert (list(stage.journal.items), stage.journal.is_registered) == ([TWO], True)
        stage.tell(Wanted(Deregister()))
        assert Deregistration.decode(stage.sent[-1].body).service_ids == (TWO,)
        assert (stage.journal.items, stage.journal.is_registered) == ({}, False)

    def test_any_2xx_of_an_item_is_success(self) -> None:
        """TS 33.246 clause 6.3.2.4: codes of RFC 2616, "a successful code, e.g. 200 OK"."""
        answer = RegistrationAnswer((ServiceCode(ONE, 202), ServiceCode(TWO, 302)))
        stage = Stage(demand(), signed(body=answer.encode(), kind=REGISTRATION.answer))
        stage.tell(Wanted(Register((ONE, TWO))))
        assert list(stage.journal.items) == [ONE]
        assert stage.journal.is_registered
        assert Reply("b@x", answer).refused == (TWO,)
        assert Reply("b@x", answer).grants_keys

    @pytest.mark.norm("71")
    def test_it_lists_what_is_in_force_and_drops_what_is_over(self) -> None:
        journal = in_force(ONE)
        journal.put_item(Item(TWO, START + timedelta(hours=1)))
        stage = Stage(demand(), granted(ONE, TWO), granted(ONE), journal=journal)
        stage.tell(Started())
        assert Registration.decode(stage.sent[-1].body).service_ids == (ONE, TWO)
        stage.clock.advance(3600)
        stage.tell(Connected())
        assert Registration.decode(stage.sent[-1].body).service_ids == (ONE,)
        assert ItemsOver((TWO,)) in stage.news

    def test_a_foreign_network_is_left_alone_unless_that_is_wanted(self) -> None:
        stage = Stage(journal=in_force(ONE))
        stage.tell(Started(home=False))
        assert stage.sent == []
        stage = Stage(demand(), granted(ONE), journal=in_force(ONE), rules=Rules(abroad=True))
        stage.tell(Started(home=False))
        assert len(stage.sent) == 2

    def test_nothing_in_force_is_nothing_to_register_and_no_bootstrapping(self) -> None:
        stage = Stage()
        stage.tell(Started())
        assert (stage.sent, stage.bootstrapped) == ([], [])

    def test_a_ruim_does_not_register(self) -> None:
        stage = Stage(journal=in_force(ONE), rules=Rules(registers=False))
        stage.tell(Started())
        assert stage.sent == []

    def test_what_the_bsm_refuses_is_in_force_no_longer(self) -> None:
        stage = Stage(demand(), granted(ONE, refused=(TWO,)), journal=in_force(ONE, TWO))
        stage.tell(Started())
        assert list(stage.journal.items) == [ONE]

    def test_only_these_leaves_the_others_as_they_are(self) -> None:
        """TS 33.246 clause 6.3.2.1A: a registration goes before others for the same services."""
        journal = in_force(ONE)
        journal.is_registered = True
        stage = Stage(demand(), granted(TWO), journal=journal)
        stage.tell(Wanted(Register((TWO,), only=True)))
        assert [Registration.decode(one.body).service_ids for one in stage.sent] == [(TWO,)] * 2
        assert list(stage.journal.items) == [ONE, TWO]
        assert state(stage) is State.READY

    @pytest.mark.parametrize("before", [True, False])
    def test_one_that_is_refused_changes_nothing_for_the_others(self, before: bool) -> None:
        journal = in_force(ONE)
        journal.is_registered = before
        stage = Stage(demand(), granted(refused=(TWO,)), journal=journal)
        stage.tell(Wanted(Register((TWO,), only=True)))
        assert list(stage.journal.items) == [ONE]
        assert stage.journal.is_registered is before

    def test_it_tells_what_the_card_took_before_a_crash_and_only_once(self) -> None:
        journal = in_force(ONE)
        journal.ltkms = [
            KeptLtkm(b"x", "b@bsf", 7, START, taken=True, owed=True),
            KeptLtkm(b"y", "b@bsf", 8, START, taken=True, verification=b"v"),
        ]
        stage = Stage(demand(), granted(ONE), granted(ONE), journal=journal)
        stage.tell(Started())
        assert stage.sent[-1].one(TAKEN_HEADER) == "b@bsf 7"
        stage.tell(Connected())
        assert stage.sent[-1].one(TAKEN_HEADER) is None

    def test_it_tells_each_time_what_may_have_credited(self) -> None:
        journal = in_force(ONE)
        taken = [KeptLtkm(bytes((n,)), "b@bsf", n, START, is_bcast=True, taken=True) for n in range(1, 21)]
        journal.ltkms = [*taken, KeptLtkm(b"z", "b@bsf", 30, START, taken=True, owed=True)]
        stage = Stage(demand(), granted(ONE), granted(ONE), journal=journal)
        stage.tell(Started())
        told = (stage.sent[-1].one(TAKEN_HEADER) or "").split(", ")
        assert (told[0], told[1], len(told)) == ("b@bsf 30", "b@bsf 20", 16)
        stage.tell(Connected())
        assert (stage.sent[-1].one(TAKEN_HEADER) or "").split(", ")[0] == "b@bsf 20"

    @pytest.mark.parametrize("wish", [Deregister((ONE,)), RequestKeys((KEY,)), Order(AccountInquiry("a-1"))])
    def test_any_other_request_tells_it_too_and_that_there_is_none(self, wish: Wish) -> None:
        journal = in_force(ONE)
        stage = Stage(None, None, None, journal=journal)
        stage.tell(Wanted(wish))
        assert {sent.one(TAKEN_HEADER) for sent in stage.sent} == {""}
        journal.ltkms = [KeptLtkm(b"x", "b@bsf", 7, START, is_bcast=True, taken=True)]
        later = Stage(None, None, None, journal=journal)
        later.tell(Wanted(wish))
        assert {sent.one(TAKEN_HEADER) for sent in later.sent} == {"b@bsf 7"}

    def test_what_was_taken_since_is_told_when_it_goes_out_again(self) -> None:
        stage = Stage(None, None, None, journal=in_force(ONE))
        stage.tell(Wanted(Register(), patient=True))
        stage.journal.ltkms = [KeptLtkm(b"x", "b@bsf", 7, START, is_bcast=True, taken=True)]
        stage.answers.extend((None, None, None))
        stage.after(BACK_OFF)
        assert stage.sent[-1].one(TAKEN_HEADER) == "b@bsf 7"


class TestOrders:
    def result(self, status: ProvisioningStatus = ProvisioningStatus.SUCCESS, *, register: bool = False) -> bytes:
        window = Window(START, START + timedelta(days=1))
        return ServiceAnswer("r-1", (ItemResult(ITEM, status, window, register or None),), status).encode()

    def test_what_is_bought_is_in_force_until_its_end(self) -> None:
        stage = Stage(demand(), signed(body=self.result(), kind=SERVICE_REQUEST.answer))
        stage.tell(Wanted(Order(ServiceRequest("r-1", (ITEM,)))))
        assert stage.journal.items == {ONE: Item(ONE, START + timedelta(days=1))}
        assert stage.journal.pending == {}
        # That registers for it, too (OMA BCAST: implicit registration).
        assert state(stage) is State.READY

    def test_an_answer_may_leave_out_the_purchase_data_that_were_ordered(self) -> None:
        """They are optional there; under which of two the item was bought it would have to say."""
        bare, other = ItemResult(PurchaseItem(ITEM.global_id)), PurchaseItem(ITEM.global_id, "two")
        for ordered, held in (((ITEM,), ONE), ((ITEM, other), ITEM.global_id)):
            answer = signed(body=ServiceAnswer("r-1", (bare,)).encode(), kind=SERVICE_REQUEST.answer)
            stage = Stage(demand(), answer)
            stage.tell(Wanted(Order(ServiceRequest("r-1", ordered))))
            assert list(stage.journal.items) == [held]
        gone = signed(body=UnsubscribeAnswer("r-2", (bare,)).encode(), kind=UNSUBSCRIBE.answer)
        stage = Stage(demand(), gone, journal=in_force(ONE, TWO))
        stage.tell(Wanted(Order(UnsubscribeRequest("r-2", (ITEM,)))))
        assert list(stage.journal.items) == [TWO]

    def test_a_registration_follows_where_the_bsm_wants_one(self) -> None:
        bought = signed(body=self.result(register=True), kind=SERVICE_REQUEST.answer)
        stage = Stage(demand(), bought, granted(ONE))
        stage.tell(Wanted(Order(ServiceRequest("r-1", (ITEM,)))))
        assert Registration.decode(stage.sent[-1].body).service_ids == (ONE,)

    def test_it_is_written_down_before_it_goes_out_and_sent_again_under_its_name(self) -> None:
        stage = Stage(demand(), None, None, None)
        order = Order(ServiceRequest("r-1", (ITEM,)))
        stage.tell(Wanted(order))
        assert stage.kinds()[:3] == ["Save", "Identify", "Save"]
        assert len({request.body for request in stage.sent}) == 1
        assert list(stage.journal.pending) == ["r-1"]
        # The next run has only the journal.
        bought = signed(body=self.result(), kind=SERVICE_REQUEST.answer)
        later = Stage(demand(), bought, granted(ONE), journal=stage.journal)
        later.tell(Started())
        assert later.sent[1].body == order.message.encode()
        assert later.journal.pending == {}

    def test_a_refusal_is_an_answer_with_a_document(self) -> None:
        refusal = signed(402, self.result(ProvisioningStatus.CHARGING_ERROR), SERVICE_REQUEST.answer)
        stage = Stage(demand(), refusal)
        stage.tell(Wanted(Order(ServiceRequest("r-1", (ITEM,)))))
        (outcome,) = stage.outcomes()
        assert isinstance(outcome.answer, ServiceAnswer)
        assert outcome.answer.status is ProvisioningStatus.CHARGING_ERROR
        assert stage.journal.pending == {}
        assert stage.journal.items == {}

    def test_an_old_request_is_not_sent_again(self) -> None:
        pending = Pending("r-1", SERVICE_REQUEST.name, b"x", START - timedelta(hours=24))
        stage = Stage(journal=Journal(pending={"r-1": pending}))
        stage.tell(Started())
        assert stage.sent == []

    def test_what_costs_nothing_is_not_written_down(self) -> None:
        stage = Stage(None, None, None)
        stage.tell(Wanted(Order(AccountInquiry("a-1"))))
        assert stage.journal.pending == {}

    def test_requests_go_one_after_the_other(self) -> None:
        answer = MskAnswer((MskCode(KEY, 200),)).encode()
        keys = signed(body=answer, kind=MSK_REQUEST.answer)
        stage = Stage(demand(), granted(ONE), keys)
        stage.client.take(Wanted(Register((ONE,))))  # what comes of it is not carried out yet
        assert stage.client.take(Wanted(RequestKeys((KEY,)))) == ()
        assert stage.client.take(Wanted(RequestKeys((KEY,)))) == ()  # the same again is the same


class TestSomebodyWaits:
    """Whoever asks for an answer now does not wait behind what backs off, and that waits for the rest of its time."""

    def test_it_goes_first_and_the_other_one_waits_on(self) -> None:
        busy, keys = signed(503, headers=(("Retry-After", "3600"),)), MskAnswer((MskCode(KEY, 200),)).encode()
        stage = Stage(demand(), busy, signed(body=keys, kind=MSK_REQUEST.answer), granted(ONE))
        stage.tell(Wanted(Register((ONE,)), patient=True))
        assert state(stage) is State.BACKING_OFF
        stage.clock.advance(600)
        stage.timers[BACK_OFF] -= 600
        stage.tell(Wanted(RequestKeys((KEY,)), patient=False))
        (outcome,) = stage.outcomes()
        assert outcome.wish == RequestKeys((KEY,))
        assert outcome.failure is None
        assert state(stage) is State.BACKING_OFF
        assert 2900 < stage.timers[BACK_OFF] <= 3000
        stage.after(BACK_OFF)
        assert stage.journal.items.keys() == {ONE}

    def test_what_the_terminal_asks_for_by_itself_waits_until_the_bsm_is_busy_no_more(self) -> None:
        busy = signed(503, headers=(("Retry-After", "3600"),))
        stage = Stage(demand(), busy, rules=Rules(chases=False))
        stage.tell(Wanted(Register((ONE,)), patient=True))
        stage.sent.clear()
        stage.tell(KeyUnknown(KEY))
        assert stage.sent == []
        assert state(stage) is State.BACKING_OFF

    def test_the_same_wish_is_tried_at_once(self) -> None:
        busy = signed(503, headers=(("Retry-After", "3600"),))
        stage = Stage(demand(), busy, granted(ONE))
        stage.tell(Wanted(Register((ONE,)), patient=True))
        stage.tell(Wanted(Register((ONE,)), patient=False))
        assert [outcome.failure for outcome in stage.outcomes()] == [None]
        assert BACK_OFF not in stage.timers

    def test_nobody_waits_for_what_is_dropped(self) -> None:
        stage = Stage()
        for number in range(66):
            stage.client.take(Wanted(Register((f"urn:{number}",))))
        stage.tell(Wanted(RequestKeys((KEY,)), patient=False))
        (outcome,) = stage.outcomes()
        assert outcome.failure is not None
        assert "too many" in outcome.failure.words


class TestEnd:
    def test_leaving_deregisters_from_all(self) -> None:
        stage = Stage(demand(), granted(ONE, TWO), granted(ONE, TWO), journal=in_force(ONE, TWO))
        stage.tell(Started())
        stage.tell(Leaving(deregister=True))
        assert Deregistration.decode(stage.sent[-1].body).service_ids == (ONE, TWO)
        assert state(stage) is State.IDLE
        assert stage.journal.items == {}
        assert stage.client.is_over

    def test_leaving_in_the_middle_of_a_waiting_time(self) -> None:
        stage = Stage(None, None, None, demand(), granted(ONE), journal=in_force(ONE))
        stage.tell(Started())
        assert state(stage) is State.BACKING_OFF
        stage.tell(Leaving(deregister=True))
        assert stage.timers == {}
        assert state(stage) is State.IDLE
        assert Deregistration.decode(stage.sent[-1].body).service_ids == (ONE,)

    def test_just_ending_asks_for_nothing(self) -> None:
        stage = Stage(demand(), granted(ONE), journal=in_force(ONE))
        stage.tell(Started())
        stage.tell(Leaving(deregister=False))
        assert len(stage.sent) == 2
        assert stage.journal.is_registered

    def test_with_the_last_subscription_the_registration_is_gone(self) -> None:
        """The BSM has dropped it: there is nothing to leave, and nobody is told that there is nothing to ask for."""
        ended = signed(body=UnsubscribeAnswer("end", (ItemResult(ITEM),)).encode(), kind=UNSUBSCRIBE.answer)
        stage = Stage(demand(), ended, journal=in_force(ONE))
        stage.tell(Wanted(Order(UnsubscribeRequest("end", (ITEM,)))))
        assert (state(stage), stage.journal.items) == (State.IDLE, {})
        stage.tell(Leaving(deregister=True))
        assert [one.failure for one in stage.outcomes()] == [None]

    def test_with_the_last_item_that_is_over_the_registration_is_gone(self) -> None:
        journal = Journal(is_registered=True, items={ONE: Item(ONE, START)})
        stage = Stage(journal=journal)
        assert state(stage) is State.READY
        stage.tell(Started())
        assert ItemsOver((ONE,)) in stage.news
        assert state(stage) is State.IDLE
        stage.tell(Leaving(deregister=True))
        assert (stage.sent, stage.outcomes()) == ([], [])

    def test_what_is_left_without_a_registration_makes_none(self) -> None:
        """What was bought may want a registration that has not come."""
        stage = Stage(demand(), granted(TWO), journal=replace(in_force(ONE, TWO), is_registered=False))
        stage.tell(Wanted(Deregister((TWO,))))
        assert (list(stage.journal.items), state(stage)) == ([ONE], State.IDLE)

    def test_leaving_one_of_two(self) -> None:
        stage = Stage(demand(), granted(ONE, TWO), granted(TWO), journal=in_force(ONE, TWO))
        stage.tell(Started())
        stage.tell(Wanted(Deregister((TWO,))))
        assert list(stage.journal.items) == [ONE]
        assert state(stage) is State.READY
