"""LTKMs, pulls, triggers and short messages at the client."""

from __future__ import annotations

from datetime import timedelta

import pytest

from card.codec.mikey import MikeyMessage
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_push import SmsForm, SmsPush
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.transport import Datagram
from host_tools.terminal.client.events import (
    Arrived,
    GiveToCard,
    LtkmHandled,
    LtkmRepeated,
    MessageDropped,
    Save,
    SendBack,
    Settle,
    ShortMessageArrived,
    Started,
    Tell,
    TriggerTaken,
)
from host_tools.terminal.client.journal import Item, Journal, KeptLtkm
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.waits import WaitingTime
from host_tools.terminal.ltkm_delivery import LtkmView
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict
from host_tools.terminal.ltkm_receipt import MskRequest as Due
from tests.support.client import FQDN, START, Stage, demand, granted
from tests.support.wire import UsimBench
from tests.unit.host_tools.terminal.client.key_messages import (
    BSM,
    HERE,
    ONE,
    asked,
    datagram,
    group_of,
    keys,
)


class TestLtkms:
    def test_journal_card_journal_answer(self, ltkm: bytes) -> None:
        stage = Stage()
        stage.tell(Arrived(datagram(ltkm)))
        assert stage.kinds() == ["Save", "GiveToCard", "Save", "SendBack"]
        (kept,) = stage.journal.ltkms
        assert (kept.taken, kept.verification, kept.octets) == (True, b"verified", ltkm)

    def test_the_answer_goes_to_where_it_came_from(self, ltkm: bytes) -> None:
        stage = Stage()
        stage.tell(Arrived(datagram(ltkm)))
        (back,) = [one.datagram for one in stage.done if isinstance(one, SendBack)]
        assert (back.source, back.destination, back.payload) == (HERE, BSM, b"verified")

    def test_the_same_octets_are_answered_from_memory_also_after_a_restart(self, ltkm: bytes) -> None:
        stage = Stage()
        stage.tell(Arrived(datagram(ltkm)))
        again = Stage(journal=stage.journal)
        again.tell(Started())
        again.tell(Arrived(datagram(ltkm)))
        assert again.kinds() == ["SendBack"]
        assert again.news == [LtkmRepeated(answered=True)]

    def test_what_the_card_refuses_is_not_remembered(self, ltkm: bytes) -> None:
        stage = Stage()
        stage.receipts.append(LtkmReceipt(LtkmVerdict.NOT_AUTHENTIC))
        stage.tell(Arrived(datagram(ltkm)))
        assert stage.journal.ltkms == []
        assert "SendBack" not in stage.kinds()
        stage.tell(Arrived(datagram(ltkm)))
        assert "GiveToCard" in stage.kinds()

    def test_before_it_is_written_down_the_card_does_not_see_it(self, ltkm: bytes) -> None:
        stage = Stage()
        first, second = stage.client.take(Arrived(datagram(ltkm)))[:2]
        assert isinstance(first, Save)
        assert isinstance(second, GiveToCard)
        given = stage.journal.given
        assert given is not None
        assert given.octets == ltkm

    def test_one_is_with_the_card_at_a_time(self, bench: UsimBench, ltkm: bytes) -> None:
        stage = Stage()
        stage.client.take(Arrived(datagram(ltkm)))
        other = bench.network.bsm.ltkm("two", bench.session.current().username)
        assert stage.client.take(Arrived(datagram(other))) == ()

    @pytest.mark.parametrize("payload", [b"", b"\x01", b"<x/>", b"hello", bytes(1401)])
    def test_what_is_no_key_message_is_dropped(self, payload: bytes) -> None:
        stage = Stage()
        stage.tell(Arrived(datagram(payload)))
        (dropped,) = stage.news
        assert isinstance(dropped, MessageDropped)
        assert stage.kinds() == []

    def test_the_memory_is_bounded(self, bench: UsimBench) -> None:
        stage = Stage()
        b_tid = bench.session.current().username
        for _ in range(80):
            stage.tell(Arrived(datagram(bench.network.bsm.ltkm("one", b_tid))))
        assert len(stage.journal.ltkms) == 64


class TestAfterACrash:
    def journal(self, ltkm: bytes) -> Journal:
        view = LtkmView.decode(ltkm)
        given = KeptLtkm(ltkm, view.id_r.decode(), view.counter, START)
        return Journal(items={ONE: Item(ONE)}, ltkms=[given])

    def test_one_that_the_card_took_is_told_to_the_bsm(self, ltkm: bytes) -> None:
        stage = Stage(demand(), granted(ONE), journal=self.journal(ltkm))
        stage.was_taken = True
        stage.tell(Started())
        assert not any(isinstance(one, GiveToCard) for one in stage.done)
        told = [one for one in stage.news if isinstance(one, LtkmHandled)]
        assert [one.by_word for one in told] == [True]
        owed = stage.sent[-1].one("X-Bcast-Uicc-Taken")
        assert owed == f"{LtkmView.decode(ltkm).id_r.decode()} {LtkmView.decode(ltkm).counter}"
        # It comes again before the BSM has heard: there is nothing to answer with, and the card does not see it.
        stage.done.clear()
        stage.tell(Arrived(datagram(ltkm)))
        assert stage.kinds() == []

    def test_one_that_the_card_did_not_take_is_given_again(self, ltkm: bytes) -> None:
        stage = Stage(demand(), granted(ONE), journal=self.journal(ltkm))
        stage.tell(Started())
        assert any(isinstance(one, GiveToCard) for one in stage.done)
        # Nobody knows where it came from, so nothing goes back; when it comes again it is answered.
        assert not any(isinstance(one, SendBack) for one in stage.done)
        stage.tell(Arrived(datagram(ltkm)))
        assert any(isinstance(one, SendBack) for one in stage.done)

    def test_nothing_goes_to_the_card_before_that_is_settled(self, bench: UsimBench, ltkm: bytes) -> None:
        stage = Stage(journal=self.journal(ltkm))
        commands = stage.client.take(Started(stays=False))
        assert [type(one) for one in commands if not isinstance(one, Tell)] == [Settle]
        other = bench.network.bsm.ltkm("two", bench.session.current().username)
        assert stage.client.take(Arrived(datagram(other))) == ()


class TestPulls:
    def due(self, pull: bytes, verdict: LtkmVerdict, *, back_off: bool) -> LtkmReceipt:
        name = group_of(pull)
        return LtkmReceipt(verdict, request=Due(name.key_domain_id, name.key_group, back_off))

    @pytest.mark.norm("66")
    def test_one_that_is_authentic_is_answered_at_once(self, pull: bytes) -> None:
        stage = Stage(demand(), keys(group_of(pull)), rules=Rules(waiting=WaitingTime(30.0, 30.0)))
        stage.receipts.append(self.due(pull, LtkmVerdict.TAKEN, back_off=False))
        stage.tell(Arrived(datagram(pull)))
        assert asked(stage) == [(group_of(pull),)]

    @pytest.mark.norm("66")
    def test_every_other_reason_waits(self, pull: bytes) -> None:
        stage = Stage(demand(), keys(group_of(pull)), rules=Rules(waiting=WaitingTime(5.0, 10.0)))
        stage.receipts.append(self.due(pull, LtkmVerdict.UNKNOWN_MUK, back_off=True))
        stage.tell(Arrived(datagram(pull)))
        assert stage.sent == []
        (timer,) = stage.timers
        assert 5.0 <= stage.after(timer) < 15.0
        assert asked(stage) == [(group_of(pull),)]

    def test_whoever_sends_one_for_each_group_is_heard_for_some_and_those_that_are_known(self, pull: bytes) -> None:
        """Each would cost a request to the BSM; a card that has lost its MUK still gets the keys of what it knows."""
        known = group_of(pull)
        stage = Stage(demand(), *[keys(known)] * 40, rules=Rules(chases=False))
        stage.client.know_groups((known,))

        def forged(group: bytes) -> None:
            due = Due(known.key_domain_id, group, back_off=True)
            stage.receipts.append(LtkmReceipt(LtkmVerdict.UNKNOWN_MUK, request=due))
            stage.tell(Arrived(datagram(pull)))

        for number in range(100, 140):
            forged(number.to_bytes(2, "big"))
        assert len(asked(stage)) == 16
        forged(known.key_group)
        assert asked(stage) == [(known,)]
        stage.clock.advance(31.0)
        forged(b"\x01\x00")
        assert len(asked(stage)) == 1

    @pytest.mark.parametrize("verdict", [LtkmVerdict.UNKNOWN_MUK, LtkmVerdict.NAF_KEY_GONE, LtkmVerdict.OUTDATED_MUK])
    def test_what_nobody_checked_leads_to_one_request_in_30_s(self, pull: bytes, verdict: LtkmVerdict) -> None:
        stage = Stage(demand(), keys(group_of(pull)), keys(group_of(pull)), rules=Rules(chases=False))
        for seconds in (0.0, 10.0, 20.0):
            stage.clock.advance(seconds)
            stage.receipts.append(self.due(pull, verdict, back_off=True))
            stage.tell(Arrived(datagram(pull)))
        assert len(asked(stage)) == 2


class TestTriggers:
    def trigger(self, name: str = "t-1", uri: str = f"http://{FQDN}:8080/base") -> Datagram:
        return datagram(Trigger(name, uri, (PurchaseItem("urn:item:", "one"),)).encode())

    def test_it_leads_to_a_registration_for_its_items_too(self) -> None:
        journal = Journal(items={"urn:x": Item("urn:x")})
        stage = Stage(demand(), granted("urn:x", ONE), journal=journal)
        stage.tell(Arrived(self.trigger()))
        assert Registration.decode(stage.sent[-1].body).service_ids == ("urn:x", ONE)
        assert TriggerTaken("t-1", (ONE,)) in stage.news

    @pytest.mark.parametrize(
        "uri", ["http://evil.example.org/", f"http://{FQDN}.evil.example.org/", f"http://x@y/{FQDN}", "http://[", FQDN]
    )
    def test_another_bsm_is_left_alone(self, uri: str) -> None:
        stage = Stage()
        stage.tell(Arrived(self.trigger(uri=uri)))
        assert (stage.sent, stage.bootstrapped) == ([], [])

    def test_one_in_ten_seconds_and_each_once(self) -> None:
        stage = Stage(demand(), *[granted(ONE)] * 3)
        stage.tell(Arrived(self.trigger("a")))
        stage.tell(Arrived(self.trigger("b")))
        assert len(stage.sent) == 2
        stage.clock.advance(10)
        stage.tell(Arrived(self.trigger("a")))
        assert len(stage.sent) == 2
        stage.tell(Arrived(self.trigger("c")))
        assert len(stage.sent) == 3

    def test_it_is_remembered_for_a_day(self) -> None:
        journal = Journal(triggers={"a": START - timedelta(hours=25), "b": START - timedelta(hours=23)})
        journal.purge(START)
        assert list(journal.triggers) == ["b"]


class TestShortMessages:
    @pytest.mark.parametrize("form", list(SmsForm))
    def test_a_pull_in_two_parts_in_any_order(self, pull: bytes, form: SmsForm) -> None:
        parts = [SmsDeliver(part).encode() for part in SmsPush(form, pull).encode(reference=9)]
        assert len(parts) == 2
        stage = Stage(demand(), keys(group_of(pull)))
        stage.receipts.append(LtkmReceipt(LtkmVerdict.TAKEN, request=Due(*group(pull), back_off=False)))
        stage.tell(ShortMessageArrived(parts[1]))
        assert stage.kinds() == []
        stage.tell(ShortMessageArrived(parts[0]))
        assert "GiveToCard" in stage.kinds()
        assert asked(stage) == [(group_of(pull),)]

    @pytest.mark.parametrize("form", list(SmsForm))
    def test_a_trigger_is_heeded_as_one_in_a_datagram(self, form: SmsForm) -> None:
        trigger = Trigger("t-1", f"http://{FQDN}/", (PurchaseItem("urn:item:", "one"),)).encode()
        parts = [SmsDeliver(part).encode() for part in SmsPush(form, trigger).encode(reference=9)]
        stage = Stage(demand(), granted(ONE))
        for tpdu in parts:
            assert stage.sent == []
            stage.tell(ShortMessageArrived(tpdu))
        assert Registration.decode(stage.sent[-1].body).service_ids == (ONE,)
        assert TriggerTaken("t-1", (ONE,)) in stage.news
        sent = len(stage.sent)
        for tpdu in parts:
            stage.tell(ShortMessageArrived(tpdu))
        assert len(stage.sent) == sent
        (dropped,) = [one for one in stage.news if isinstance(one, MessageDropped)]
        assert "not heeded" in dropped.why

    def test_what_is_none_is_dropped(self, pull: bytes) -> None:
        good = SmsDeliver(SmsPush(SmsForm.B, pull).encode()[0]).encode()
        for_the_card = good[:9] + b"\x7f" + good[10:]
        for tpdu in (b"", good[:20], b"\x01" + good[1:], good + b"x", for_the_card, bytes(200)):
            stage = Stage()
            stage.tell(ShortMessageArrived(tpdu))
            (dropped,) = stage.news
            assert isinstance(dropped, MessageDropped)

    def test_half_done_pulls_are_bounded_and_go(self, pull: bytes) -> None:
        stage = Stage()
        for reference in range(20):
            stage.tell(ShortMessageArrived(SmsDeliver(SmsPush(SmsForm.B, pull).encode(reference)[0]).encode()))
        late = SmsDeliver(SmsPush(SmsForm.B, pull).encode(reference=0)[1]).encode()
        stage.tell(ShortMessageArrived(late))
        assert stage.kinds() == []
        stage.clock.advance(300)
        stage.tell(ShortMessageArrived(SmsDeliver(SmsPush(SmsForm.B, pull).encode(19)[1]).encode()))
        assert stage.kinds() == []

    def test_as_many_as_are_bounded_may_arrive_at_once(self, pull: bytes) -> None:
        parts = [SmsPush(SmsForm.B, pull).encode(reference) for reference in range(8)]
        stage = Stage()
        for number in range(len(parts[0])):
            assert stage.kinds() == []
            for of_one in parts:
                stage.tell(ShortMessageArrived(SmsDeliver(of_one[number]).encode()))
        assert stage.kinds().count("GiveToCard") >= 1


def group(pull: bytes) -> tuple[bytes, bytes]:
    name = group_of(pull)
    return name.key_domain_id, name.key_group


def test_the_messages_of_this_module_are_what_they_are_called(ltkm: bytes, pull: bytes) -> None:
    assert MikeyMessage.decode(ltkm).key_ids().key_number != bytes(2)
    assert MikeyMessage.decode(pull).key_ids().key_number == bytes(2)
