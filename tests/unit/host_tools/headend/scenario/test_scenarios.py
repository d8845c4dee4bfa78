"""Every shipped scenario of OMA BCAST from end to end, with the card in this process, against the head-end's truth."""

from __future__ import annotations

import pytest

from card.crypto.secret import Secret
from card.spec.bcast.tables import Direction
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.shop import TokenDesk
from host_tools.terminal.bcast import Refusal, RefusalReason
from host_tools.terminal.purchase import ParentalPinEntry, PurchaseFlow
from tests.support.stage import Stage, variant

ALL = range(1, 7)


def reasons(stage: Stage) -> set[RefusalReason]:
    return {decision.outcome.reason for decision in stage.decisions if isinstance(decision.outcome, Refusal)}


class TestSubscribe:
    def test_all_of_news_and_nothing_of_sport(self) -> None:
        stage = Stage("subscribe")
        result = stage.play()
        stage.require("news", ALL)
        assert reasons(stage) == {RefusalReason.UNKNOWN_KEY}
        assert (result.stkms_refused, result.teks, result.packets_failed) == (12, 6, 0)

    def test_the_refusal_leads_to_a_purchase(self) -> None:
        stage = Stage("subscribe")
        flow = stage.purchase()
        result = stage.play(None, flow)
        assert (result.remedies, flow.made, stage.network.shop.sold) == (1, 1, {"sport-month": 1})
        assert stage.teks == stage.true_teks("news", ALL) | stage.true_teks("sport", ALL)
        # The STKM that opened the purchase counts as fed twice, and as no refusal.
        assert result.stkms_refused == 0


class TestRenew:
    def test_a_gap_between_end_and_renewal(self) -> None:
        stage = Stage("renew")
        stage.play()
        # Crypto period 4 lies outside; its last STKM comes before the renewal at 7.9 s.
        stage.require("news", [1, 2, 3, 5, 6])
        assert reasons(stage) == {RefusalReason.OUTSIDE_VALIDITY}
        (policy,) = stage.policies("news")
        assert (policy.spe, policy.first_ts, policy.last_ts) == (4, 1, 12)


class TestPayPerView:
    def test_the_third_film_is_too_dear(self) -> None:
        stage = Stage("pay_per_view")
        stage.play()
        stage.require("cinema", [1, 2, 3, 4])
        assert reasons(stage) == {RefusalReason.NO_CREDIT}
        (group,) = stage.auditor.key_groups()
        assert group.quantities.user_purse == 2

    def test_tokens_bought_in_time_open_it(self) -> None:
        stage = Stage("pay_per_view")
        result = stage.play(None, stage.purchase())
        stage.require("cinema", ALL)
        (group,) = stage.auditor.key_groups()
        assert (result.remedies, group.quantities.user_purse) == (1, 2 + 10 - 4)

    def test_what_was_paid_is_explained(self) -> None:
        stage = Stage("pay_per_view")
        stage.play(explain=True)
        paid = [str(d.explanation.payments[0]) for d in stage.decisions if d.explanation and d.explanation.payments]
        assert paid == ["4 from the user purse, 6 left", "4 from the user purse, 2 left"]


class TestPayPerTime:
    def test_time_runs_out_with_the_purse(self) -> None:
        stage = Stage("pay_per_time")
        stage.play()
        stage.require("news", [1, 2, 3, 4])
        assert reasons(stage) == {RefusalReason.NO_CREDIT}
        (policy,) = stage.policies("news")
        assert (policy.quantities.cost, policy.quantities.live_ppt) == (5, 0)

    def test_more_time_is_bought(self) -> None:
        stage = Stage("pay_per_time")
        stage.play(None, stage.purchase())
        stage.require("news", ALL)

    def test_a_resent_tek_is_free(self) -> None:
        stage = Stage("pay_per_time")
        stage.play(explain=True)
        given = [d for d in stage.decisions if d.granted]
        assert [bool(d.explanation and d.explanation.payments) for d in given] == [not d.resent for d in given]
        assert {d.explanation.direction for d in given if d.explanation} == {Direction.LIVE}


class TestParental:
    def test_the_programme_above_the_level_is_held_back(self) -> None:
        stage = Stage("parental")
        stage.play()
        stage.require("family", [1, 2, 3])
        assert reasons(stage) == {RefusalReason.PARENTAL_PIN_NEEDED}

    def test_the_pin_opens_it_once_for_all(self) -> None:
        stage = Stage("parental")
        asked: list[bool] = []

        def ask() -> Secret:
            asked.append(True)
            return Secret(b"2580")

        result = stage.play(None, ParentalPinEntry(stage.middleware.usim, ask))
        stage.require("family", ALL)
        assert (len(asked), result.remedies) == (1, 1)

    def test_leaving_the_service_forgets_the_pin(self) -> None:
        stage = Stage("parental")
        entry = ParentalPinEntry(stage.middleware.usim, lambda: Secret(b"2580"))
        capture = stage.capture
        middle = stage.network.scenario.start.timestamp() + 9
        stage.play([d for d in capture if d.timestamp < middle], entry)
        ids = stage.first_view("family").ids
        stage.auditor.signal_event(ids.key_domain_id, ids.key_group)
        stage.play([d for d in capture if d.timestamp >= middle])
        assert not stage.decisions[-1].granted
        assert reasons(stage) == {RefusalReason.PARENTAL_PIN_NEEDED}


class TestWithdrawal:
    def test_nothing_after_the_withdrawal(self) -> None:
        stage = Stage("withdrawal")
        stage.play()
        stage.require("news", [1, 2, 3])
        assert reasons(stage) == {RefusalReason.UNKNOWN_KEY}
        assert stage.policies("news") == ()


class TestReceipts:
    def test_a_policy_the_card_does_not_know_is_said(self) -> None:
        stage = Stage(variant("subscribe", **{"spe = 0x4                       # unlimited live": "spe = 0xB"}))
        ltkm = stage.network.ltkm(stage.network.deliveries[0], stage.b_tid)
        receipt = stage.middleware.deliver(ltkm)
        assert receipt.answer is not None
        assert (receipt.refusal, receipt.answer.unsupported_spe) == ("spe_not_supported", 0x0B)

    def test_a_report_comes_with_the_verification_message(self) -> None:
        stage = Stage("pay_per_view")
        tokens, film, *_ = stage.network.deliveries
        stage.middleware.deliver(stage.network.ltkm(tokens, stage.b_tid))
        ltkm = stage.network.ltkm(film, stage.b_tid)
        answer = stage.middleware.deliver(ltkm).verification or b""
        report = stage.network.bsm.report(ltkm, answer)
        assert report is not None
        assert [(entry.spe, entry.user) for entry in report.entries] == [(7, 10)]

    def test_a_full_purse_is_still_a_receipt(self) -> None:
        stage = Stage(variant("pay_per_time", **{"tokens = 20": "tokens = 4_294_967_295"}))
        stage.play()
        (bought,) = stage.network.shop.buy("ten-tokens", stage.b_tid)
        assert stage.middleware.deliver(bought).refusal is None


def test_nothing_is_bought_that_is_not_sold() -> None:
    stage = Stage("pay_per_time")
    flow = stage.purchase()
    stage.delivery.deliver_until(stage.network.scenario.start.timestamp())
    stage.play([], flow)
    view = stage.first_view("news")
    assert TokenDesk(stage.network.shop, stage.b_tid).purchase(view, None) != ()
    assert TokenDesk(stage.network.shop, stage.b_tid).purchase(view, None) == ()


def test_a_refusal_that_money_does_not_cure_is_left_alone() -> None:
    def sell(*_: object) -> tuple[bytes, ...]:
        pytest.fail("nothing may be bought")

    class Seller:
        purchase = staticmethod(sell)

    stage = Stage("parental")
    stage.play(None, PurchaseFlow(Seller(), stage.middleware.deliver))
    assert reasons(stage) == {RefusalReason.PARENTAL_PIN_NEEDED}


@pytest.mark.parametrize(
    "name",
    ["subscribe", "renew", "pay_per_view", "pay_per_time", "counted_playback", "recorded", "parental",
     "terminal_binding", "withdrawal"],
)  # fmt: skip
def test_the_same_scenario_gives_the_same_bytes(name: str) -> None:
    scenario = shipped_scenario(name)
    assert Stage(scenario).network.recording().pcap == Stage(shipped_scenario(name)).network.recording().pcap
