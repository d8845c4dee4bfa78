"""Terminal, head-end and card on the second set of tables: nothing is hard-wired on the host either."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card import memory_card
from card.profile.bcast import BcastProfile, TableSet
from card.spec.bcast.x2 import X2
from host_tools.apdu.response import StatusError
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.audit import Auditor
from host_tools.terminal.bcast import Refusal, RefusalReason
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.middleware import TerminalMiddleware
from tests.support.stage import PROFILE, Stage, variant

ALL = range(1, 7)
OTHER = replace(PROFILE, bcast=BcastProfile(table_set=TableSet.X2))


def x2_stage(scenario: Scenario) -> Stage:
    link = InProcessLink(memory_card(OTHER, strict=True))
    return Stage(
        scenario,
        middleware=TerminalMiddleware(link, tables=X2),
        network=UsimNetwork(scenario, subscriber_of(OTHER), tables=X2),
    )


def spe(value: int) -> str:
    return f"spe = 0x{0xF0 - value:X} "


def test_pay_per_time() -> None:
    stage = x2_stage(variant("pay_per_time", **{"spe = 0x0 ": spe(0), "spe = 0x0\n": f"{spe(0)}\n"}))
    stage.play(explain=True)
    stage.require("news", [1, 2, 3, 4])
    reasons = {decision.outcome.reason for decision in stage.decisions if isinstance(decision.outcome, Refusal)}
    assert reasons == {RefusalReason.NO_CREDIT}
    (policy,) = stage.policies("news")
    assert (policy.spe, policy.quantities.live_ppt) == (0xF0, 0)


def test_the_default_set_cannot_read_such_a_card() -> None:
    scenario = variant("subscribe", **{"spe = 0x4                       # unlimited live": spe(4)})
    stage = x2_stage(scenario)
    stage.play()
    stage.require("news", ALL)
    view = CardStkmView.decode(next(d.payload for d in stage.capture if d.destination.port == 2269), X2)
    assert view.management is not None
    assert view.management.protection_after_reception == 3
    stage.middleware.usim.tables = PROFILE.bcast.build_tables()
    with pytest.raises(StatusError):
        Auditor(stage.middleware.usim).key_groups()


def test_the_service_purse_is_shown_where_it_is_on() -> None:
    on = replace(PROFILE, bcast=BcastProfile(service_purse=True))
    scenario = variant("pay_per_time", **{"spe = 0x0 ": "spe = 0xC ", "spe = 0x0\n": "spe = 0xC\n"})
    tables = on.bcast.build_tables()
    link = InProcessLink(memory_card(on, strict=True))
    stage = Stage(
        scenario,
        middleware=TerminalMiddleware(link, tables=tables),
        network=UsimNetwork(scenario, subscriber_of(on), tables=tables),
    )
    stage.play(explain=True)
    stage.require("news", [1, 2, 3, 4])
    paid = [str(d.explanation.payments[0]) for d in stage.decisions if d.explanation and d.explanation.payments]
    assert paid == [f"5 from the service purse, {left} left" for left in (15, 10, 5, 0)]
    (group,) = stage.auditor.key_groups()
    (policy,) = stage.policies("news")
    assert (group.quantities.service_purse, policy.quantities.service_purse, policy.quantities.cost) == (0, 0, 5)
