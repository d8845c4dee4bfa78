"""Keys that should come and do not, and those of STKMs that the card lacks: which are asked for, when, how often."""

from __future__ import annotations

from datetime import timedelta

import pytest

from host_tools.exchange.messages.msk import MskName
from host_tools.terminal.client.awaited import current
from host_tools.terminal.client.events import (
    Arrived,
    KeysMissing,
    KeyUnknown,
    Waiting,
    Wanted,
)
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.unknown import UnknownKeys
from host_tools.terminal.client.waits import WaitingTime
from host_tools.terminal.client.wishes import Register, RequestKeys
from tests.support.client import START, Stage, demand, granted
from tests.unit.host_tools.terminal.client.key_messages import (
    ONE,
    TWO,
    asked,
    datagram,
    denied,
    group_of,
    keys,
    name_of,
)


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
