"""A card whose tables are X2: whoever reads one of its messages reads it by them.

With X2 the values of protection_after_reception are turned round: read by P1, content protection would show as none.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from card import CardProfile, memory_card
from card.codec.bcast import StkmManagement
from card.profile.bcast import BcastProfile, TableSet
from card.spec.bcast.p1 import P1
from card.spec.bcast.x2 import X2
from host_tools.headend.scenario.reading import parse_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.decision import ExplainingFeed
from host_tools.terminal.key_source import KeySource, UnsignalledFeed
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.replay import TekBuffer
from host_tools.terminal.tbk import BindingFeed
from tests.meta.tree import ROOT, project_files
from tests.support.stage import STKM_PORT, Stage

PROFILE = replace(CardProfile.demo(), bcast=BcastProfile(TableSet.X2))


def stage_with_x2(scenario: str) -> Stage:
    text = (files("host_tools.headend") / "scenarios" / f"{scenario}.toml").read_text("utf-8")
    numbers = {P1.spe[at].value: X2.spe[at].value for at in range(len(P1.spe))}
    plan = parse_scenario(
        re.sub(r"(?m)^spe = (0x\w+)", lambda hit: f"spe = {numbers[int(hit[1], 16)]}", text), scenario
    )
    middleware = TerminalMiddleware(InProcessLink(memory_card(PROFILE, strict=True)), tables=X2)
    return Stage(plan, middleware=middleware, network=UsimNetwork(plan, subscriber_of(PROFILE), tables=X2))


def managements(stage: Stage) -> list[StkmManagement]:
    """Return what is in the STKMs of the broadcast, read by the tables they were made with."""
    messages = {one.payload for one in stage.capture if one.destination.port == STKM_PORT}
    found = [CardStkmView.decode(message, X2).management for message in sorted(messages)]
    assert found
    return [management for management in found if management is not None]


@pytest.mark.parametrize("scenario", ["counted_playback", "pay_per_time", "parental", "terminal_binding"])
def test_a_player_shows_what_the_head_end_sent(scenario: str) -> None:
    stage = stage_with_x2(scenario)
    sent = managements(stage)
    stage.play(explain=True)
    assert stage.decisions
    for decision in stage.decisions:
        assert isinstance(decision.view, CardStkmView)
        assert decision.view.management is not None
        assert decision.view.management in sent
        told = decision.as_dict()["protection_after_reception"]
        assert told in (None, decision.view.management.protection_after_reception)


def test_read_by_other_tables_it_would_be_another() -> None:
    """Without this the tests above could not fail."""
    stage = stage_with_x2("counted_playback")
    message = next(one.payload for one in stage.capture if one.destination.port == STKM_PORT)
    right, wrong = (CardStkmView.decode(message, tables).management for tables in (X2, P1))
    assert right is not None
    assert wrong != right


@pytest.mark.parametrize("layer", [TekBuffer, UnsignalledFeed, lambda feed: BindingFeed(feed, None)])
def test_every_layer_of_a_feed_reads_by_the_tables_of_the_card(layer: type[TekBuffer]) -> None:
    stage = stage_with_x2("parental")
    feed: KeySource = layer(ExplainingFeed(stage.middleware, stage.middleware.usim))
    message = next(one.payload for one in stage.capture if one.destination.port == STKM_PORT)
    right, wrong = (CardStkmView.decode(message, tables) for tables in (X2, P1))
    assert feed.read(message) == right != wrong


OUTERMOST = ("host_tools/cli/", "host_tools/pytest_plugin/")


def test_no_default_for_tables_and_protections_below_the_outermost_layer() -> None:
    found = []
    for path in project_files():
        place = str(path.relative_to(ROOT))
        if path.suffix != ".py" or not place.startswith("host_tools/") or place.startswith(OUTERMOST):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                defaults = [*node.args.defaults, *node.args.kw_defaults]
            elif isinstance(node, ast.AnnAssign):
                defaults = [node.value]
            else:
                continue
            names = {default.id for default in defaults if isinstance(default, ast.Name)}
            if names & {"P1", "X2", "DEFAULT_TAGS", "KNOWN", "HEADEND_FORMAT"}:
                found.append(f"{place}:{node.lineno}")
    assert found == []
