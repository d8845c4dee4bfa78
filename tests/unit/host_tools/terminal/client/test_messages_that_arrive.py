"""LTKMs, pulls, triggers and short messages at the client, and keys that do not come."""

from __future__ import annotations

from datetime import timedelta

import pytest

from card.codec.mikey import MikeyMessage
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.ltkm_push import MIKEY_PORT
from host_tools.exchange.messages.msk import MskAnswer, MskCode, MskName, MskRequest
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_push import SmsForm, SmsPush
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.procedures import MSK_REQUEST
from host_tools.exchange.transport import Datagram, Endpoint
from host_tools.terminal.client.awaited import current
from host_tools.terminal.client.events import (
    Arrived,
    GiveToCard,
    KeysMissing,
    KeyUnknown,
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
    Waiting,
    Wanted,
)
from host_tools.terminal.client.journal import Item, Journal, KeptLtkm
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.unknown import UnknownKeys
from host_tools.terminal.client.waits import WaitingTime
from host_tools.terminal.client.wishes import Register, RequestKeys
from host_tools.terminal.ltkm_delivery import LtkmView
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict
from host_tools.terminal.ltkm_receipt import MskRequest as Due
from tests.support.client import FQDN, START, Script, Stage, demand, granted, signed
from tests.support.wire import UsimBench

ONE, TWO = "urn:item:one", "urn:item:two"
BSM, HERE = Endpoint("127.0.0.1", 40_001), Endpoint("127.0.0.2", MIKEY_PORT)


def denied(request: HttpRequest) -> HttpResponse:
    """Answer a request for keys: none of them."""
    return keys(*MskRequest.decode(request.body).names, status=403)(request)


@pytest.fixture(scope="module")
def bench() -> UsimBench:
    return UsimBench()


@pytest.fixture(scope="module")
def ltkm(bench: UsimBench) -> bytes:
    return bench.network.bsm.ltkm("one", bench.session.current().username)


@pytest.fixture(scope="module")
def pull(bench: UsimBench) -> bytes:
    return bench.network.bsm.pull("one", bench.session.current().username)


def name_of(ltkm: bytes) -> MskName:
    ids = LtkmView.decode(ltkm).ids
    return MskName(ids.key_domain_id, ids.msk_id)


def group_of(ltkm: bytes) -> MskName:
    name = name_of(ltkm)
    return MskName(name.key_domain_id, name.key_group + bytes(2))


def datagram(payload: bytes) -> Datagram:
    return Datagram(BSM, HERE, payload)


def keys(*names: MskName, status: int = 200) -> Script:
    answer = MskAnswer(tuple(MskCode(name, status) for name in names)).encode()
    return signed(body=answer, kind=MSK_REQUEST.answer)


def asked(stage: Stage) -> list[tuple[MskName, ...]]:
    """Return the keys that were asked for with credentials, and forget it."""
    found = [MskRequest.decode(one.body).names for one in stage.sent if one.one("Authorization")]
    stage.sent.clear()
    return found


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


class TestKeysThatDoNotCome:
    def test_asked_for_after_5_10_20_s_and_then_the_user_is_told(self, ltkm: bytes) -> None:
        group = group_of(ltkm)
        stage = Stage(demand(), granted(ONE), *[keys(group)] * 3)
        stage.client.know_groups((name_of(ltkm),))
        stage.tell(Wanted(Register((ONE,))))
        stage.sent.clear()
        waited = [stage.after("missing keys") for _ in range(4)]
        assert waited == [5.0, 10.0, 20.0, 40.0]
        assert asked(stage) == [(group,)] * 3
        assert KeysMissing((group,)) in stage.news
        assert stage.timers == {}

    def test_one_that_comes_ends_it(self, ltkm: bytes) -> None:
        stage = Stage(demand(), granted(ONE))
        stage.tell(Wanted(Register((ONE,))))
        assert "missing keys" in stage.timers
        stage.tell(Arrived(datagram(ltkm)))
        assert stage.timers == {}

    def test_an_empty_card_asks_for_the_groups_that_the_announcement_names(self, ltkm: bytes) -> None:
        """Those of what is in force alone: the BSM would refuse others."""
        mine, other = group_of(ltkm), MskName(group_of(ltkm).key_domain_id, bytes.fromhex("77770000"))
        groups = {ONE: (name_of(ltkm), mine), "urn:not-bought": (other,)}
        stage = Stage(demand(), granted(ONE), *[keys(mine)] * 3, rules=Rules(groups=groups))
        stage.tell(Wanted(Register((ONE,))))
        stage.sent.clear()
        assert [stage.after("missing keys") for _ in range(2)] == [5.0, 10.0]
        assert asked(stage) == [(mine,)] * 2
        stage.tell(Arrived(datagram(ltkm)))
        assert stage.timers == {}

    def test_a_key_of_another_group_does_not_end_the_wait_for_what_the_card_lacks(self, ltkm: bytes) -> None:
        lacking = MskName(group_of(ltkm).key_domain_id, bytes.fromhex("77770000"))
        stage = Stage(demand(), granted(ONE), keys(lacking), rules=Rules(groups={ONE: (name_of(ltkm), lacking)}))
        stage.client.know_groups((name_of(ltkm),))
        stage.tell(Wanted(Register((ONE,))))
        stage.tell(Arrived(datagram(ltkm)))
        stage.sent.clear()
        stage.after("missing keys")
        assert asked(stage) == [(lacking,)]

    def test_what_was_bought_under_a_name_of_its_own_may_be_any_service_of_the_announcement(self, ltkm: bytes) -> None:
        mine, other = group_of(ltkm), MskName(group_of(ltkm).key_domain_id, bytes.fromhex("77770000"))
        groups = {"urn:mine": (mine,), "urn:other": (other,)}
        stage = Stage(demand(), granted(ONE), keys(mine, other), rules=Rules(groups=groups))
        stage.tell(Wanted(Register((ONE,))))
        stage.sent.clear()
        stage.after("missing keys")
        assert asked(stage) == [(mine, other)]

    def test_what_the_bsm_refuses_is_not_waited_for(self, ltkm: bytes) -> None:
        mine, other = group_of(ltkm), MskName(group_of(ltkm).key_domain_id, bytes.fromhex("77770000"))
        stage = Stage(
            demand(), granted(ONE), keys(mine, other, status=403), rules=Rules(groups={ONE: (mine, other)})
        )  # fmt: skip
        stage.tell(Wanted(Register((ONE,))))
        stage.tell(Arrived(datagram(ltkm)))
        assert "missing keys" in stage.timers
        stage.answers[0] = keys(other, status=403)
        stage.sent.clear()
        stage.after("missing keys")
        assert asked(stage) == [(other,)]
        assert stage.timers == {}
        assert [one for one in stage.news if isinstance(one, KeysMissing)] == []

    def test_a_long_waiting_time_makes_no_endless_round(self, ltkm: bytes) -> None:
        """The requests wait longer than the keys are waited for; each answer is that they will come."""
        mine = group_of(ltkm)
        rules = Rules(groups={ONE: (mine,)}, announced={mine: WaitingTime(100.0, 0.0)})
        stage = Stage(demand(), granted(ONE), *[keys(mine)] * 40, rules=rules)
        stage.tell(Wanted(Register((ONE,))))
        stage.sent.clear()
        for _ in range(20):
            if stage.timers:
                stage.after(min(stage.timers, key=lambda name: stage.timers[name]))
        assert asked(stage) == [(mine,)] * 3
        assert stage.news.count(KeysMissing((mine,))) == 1
        assert stage.timers == {}

    def test_with_what_the_card_lacks_comes_what_may_have_been_lost(self, ltkm: bytes) -> None:
        """A new key of a group that the card has, and what was bought under a name of its own."""
        domain = group_of(ltkm).key_domain_id
        held, lacking, bundled = (
            group_of(ltkm),
            *(MskName(domain, bytes.fromhex(one)) for one in ("77770000", "88880000")),
        )
        rules = Rules(groups={ONE: (held, lacking), "urn:other": (bundled,)})
        stage = Stage(demand(), granted(ONE), keys(held, lacking), rules=rules)
        stage.client.know_groups((held,))
        stage.tell(Wanted(Register((ONE,))))
        stage.sent.clear()
        stage.after("missing keys")
        assert asked(stage) == [(lacking, held)]
        stage = Stage(demand(), granted(ONE, TWO), keys(held, lacking, bundled), rules=rules)
        stage.tell(Wanted(Register((ONE, TWO))))
        stage.sent.clear()
        stage.after("missing keys")
        assert asked(stage) == [(held, lacking, bundled)]

    def test_no_request_is_longer_than_the_bsm_takes(self) -> None:
        many = tuple(MskName(b"\0\xf1\x10", number.to_bytes(2, "big") + bytes(2)) for number in range(1, 301))
        stage = Stage(demand(), granted(ONE), keys(*many[:256]), rules=Rules(groups={ONE: many}))
        stage.tell(Wanted(Register((ONE,))))
        stage.sent.clear()
        stage.after("missing keys")
        assert asked(stage) == [many[:256]]

    def test_nobody_knows_which(self) -> None:
        stage = Stage(demand(), granted(ONE))
        stage.tell(Wanted(Register((ONE,))))
        stage.after("missing keys")
        assert KeysMissing(()) in stage.news

    @pytest.mark.norm("71")
    def test_an_stkm_without_a_key_asks_after_the_wait(self, ltkm: bytes) -> None:
        stage = Stage(demand(), keys(group_of(ltkm)), rules=Rules(waiting=WaitingTime(1.0, 0.0)))
        stage.tell(KeyUnknown(name_of(ltkm)))
        stage.tell(KeyUnknown(name_of(ltkm)))
        assert [one for one in stage.news if isinstance(one, Waiting)] != []
        (timer,) = stage.timers
        stage.after(timer)
        assert asked(stage) == [(name_of(ltkm),)]

    def test_each_group_waits_as_its_announcement_says_unless_the_user_does(self) -> None:
        """TS 26.346 clause 11.3; a group that no announcement names waits for nothing."""
        names = [MskName(bytes.fromhex("00f110"), bytes.fromhex(msk_id)) for msk_id in ("00010001", "00020001")]
        announced = {current(names[0]): WaitingTime(7.0, 0.0)}
        stage = Stage(demand(), keys(names[1]), keys(names[0]), rules=Rules(chases=False, announced=announced))
        for name in names:
            stage.tell(KeyUnknown(name))
        assert asked(stage) == [(names[1],)]
        (timer,) = stage.timers
        assert stage.after(timer) == 7.0
        assert asked(stage) == [(names[0],)]
        hasty = Stage(demand(), keys(names[0]), rules=Rules(waiting=WaitingTime(), announced=announced))
        hasty.tell(KeyUnknown(names[0]))
        assert asked(hasty) == [(names[0],)]

    def test_stkms_without_a_key_ask_for_it_more_and_more_seldom(self, ltkm: bytes) -> None:
        stage = Stage(demand(), *(keys(group_of(ltkm), status=403) for _ in range(6)))
        for _ in range(60):
            stage.tell(KeyUnknown(name_of(ltkm)))
            stage.clock.advance(1.0)
        assert len(asked(stage)) == 5  # after 0, 2, 6, 14, 30 s

    def test_a_service_that_is_not_paid_for_is_asked_for_as_seldom_under_each_new_key(self, ltkm: bytes) -> None:
        """Somebody listens to it for hours, and its SEK is another one every half hour."""
        name, hours = name_of(ltkm), []
        stage = Stage(demand(), *[denied] * 400, rules=Rules(chases=False))
        stage.client.know_groups((name,))
        for half_hour in range(12):
            sek = MskName(name.key_domain_id, name.key_group + (half_hour + 100).to_bytes(2, "big"))
            for _ in range(1800):
                stage.tell(KeyUnknown(sek))
                stage.clock.advance(1.0)
            hours.append(len(asked(stage)))
        assert max(hours) <= 8

    def test_stkms_forged_under_ever_new_keys_cost_the_bsm_little_and_keep_nothing_away(self, ltkm: bytes) -> None:
        name = name_of(ltkm)
        stage = Stage(demand(), *[denied] * 40, rules=Rules(chases=False))
        stage.client.know_groups((name,))
        forged = [MskName(name.key_domain_id, name.key_group + n.to_bytes(2, "big")) for n in range(1000, 3000)]
        for one in forged:  # ten in a second, for 200 s
            stage.tell(KeyUnknown(one))
            stage.clock.advance(0.1)
        wanted = asked(stage)
        assert wanted[:5] == [(one,) for one in forged[:4]] + [(current(name),)]
        assert len(wanted) < 16
        assert set(wanted[4:]) <= {(current(name),)}

    def test_a_group_goes_on_with_each_other_key_that_comes(self, ltkm: bytes) -> None:
        name = name_of(ltkm)
        keys_of_the_group = [MskName(name.key_domain_id, name.key_group + bytes((1, n))) for n in range(12)]
        unknown = UnknownKeys(2.0, 300.0, 30.0)
        for one in keys_of_the_group:
            assert unknown.ask(one, START, 1.0, known=True) == one
            unknown.came(one)
        others = [MskName(name.key_domain_id, name.key_group + bytes((2, n))) for n in range(8)]
        asked_for = []
        for one in others:
            asked_for.append(unknown.ask(one, START, 1.0, known=True))
            unknown.came(keys_of_the_group[-1])  # the same key once more changes nothing
        assert asked_for == [*others[:4], None, None, None, None]

    def test_forged_groups_keep_no_key_away_that_the_announcement_names(self) -> None:
        """Also where no key of it came yet, and where the card holds keys of the groups that are forged."""
        held = MskName(b"\0\xf1\x10", b"\0\7\0\1")
        stage = Stage(demand(), *[denied] * 40, rules=Rules(chases=False))
        stage.client.know_groups((held,))
        forged = [MskName(b"\0\xf1\x10", b"\0\7" + n.to_bytes(2, "big")) for n in range(2, 100)]
        for one in forged:
            stage.tell(KeyUnknown(one, announced=False))
        mine = MskName(b"\0\xf1\x10", b"\0\1\0\1")
        stage.tell(KeyUnknown(MskName(b"\0\xf1\x10", b"\0\2\0\1"), announced=False))
        stage.tell(KeyUnknown(mine, announced=True))
        assert asked(stage) == [*((one,) for one in forged[:4]), (mine,)]

    def test_groups_that_the_terminal_does_not_know_share_what_they_may_ask(self) -> None:
        unknown = UnknownKeys(2.0, 300.0, 30.0)
        names = [MskName(b"\0\xf1\x10", n.to_bytes(2, "big") + b"\0\1") for n in range(1, 100)]
        asked_for = [unknown.ask(one, START, 1.0, known=False) for one in names]
        assert [one for one in asked_for if one is not None] == names[:4]
        assert unknown.ask(names[50], START + timedelta(seconds=1), 1.0, known=False) == current(names[50])
        assert unknown.ask(names[0], START, 1.0, known=True) is None
        mine = MskName(b"\0\xf1\x10", b"\1\0\0\1")
        assert unknown.ask(mine, START, 1.0, known=True) == mine

    def test_forged_names_that_were_asked_for_are_not_asked_for_for_ever(self) -> None:
        """A key comes each minute, which makes room for new ones; whoever forges names all there were."""
        domain, group = b"\0\xf1\x10", b"\0\1"
        unknown, forged, asked_for = UnknownKeys(2.0, 300.0, 30.0), list[MskName](), 0
        for second in range(1800):
            now = START + timedelta(seconds=second)
            if second % 60 == 0:
                unknown.came(MskName(domain, group + (second // 60 + 1).to_bytes(2, "big")))
            forged.append(MskName(domain, group + (10_000 + second).to_bytes(2, "big")))
            for one in forged[-5:] + forged[second % 13 :: 13]:
                wanted = unknown.ask(one, now, 2.0, known=True)
                if wanted is not None:
                    unknown.denied((wanted,))
                    asked_for += second >= 900
        assert asked_for <= 15 * (4 + 5) + 32 * 3  # new ones, the current one, and those of before every 300 s

    def test_old_keys_that_come_once_more_make_no_room(self) -> None:
        unknown = UnknownKeys(2.0, 300.0, 30.0)
        names = [MskName(b"\0\xf1\x10", b"\0\1" + n.to_bytes(2, "big")) for n in range(1, 101)]
        for one in names:
            unknown.came(one)
        asked_for = []
        for second, one in enumerate(names * 3):
            wanted = unknown.ask(one, START + timedelta(seconds=second / 10), 2.0, known=True)
            if wanted is not None:
                asked_for.append(wanted)
                unknown.came(one if wanted == one else names[-1])
        assert len(asked_for) < 20

    def test_keys_of_many_groups_that_come_once_more_make_no_room_for_unknown_groups(self) -> None:
        unknown = UnknownKeys(2.0, 300.0, 30.0)
        mine = [MskName(b"\0\xf1\x10", n.to_bytes(2, "big") + b"\0\1") for n in range(1, 201)]
        others = [MskName(b"\0\xf1\x10", n.to_bytes(2, "big") + b"\0\1") for n in range(1000, 1399)]
        for one in mine:
            unknown.came(one)
        asked_for = 0
        for one, strange in zip(mine * 2, others, strict=False):
            unknown.came(one)
            asked_for += unknown.ask(strange, START, 2.0, known=False) is not None
        assert asked_for == 4

    def test_a_key_that_is_busy_is_asked_for_later(self, ltkm: bytes) -> None:
        group = group_of(ltkm)
        stage = Stage(demand(), keys(group, status=503), keys(group))
        stage.tell(Wanted(RequestKeys((group,))))
        (timer,) = stage.timers
        assert stage.after(timer) == 60.0
        assert asked(stage) == [(group,)] * 2


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
