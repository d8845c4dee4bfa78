"""A card on tables of its own, seen by the terminal that knows them, for another to learn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import card
from card import CardProfile, memory_card
from card.crypto.secret import Secret
from host_tools.compare.evidence import TraceEvidence
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import Link
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.trace.events import TraceEvent
from host_tools.trace.tracer import TracedLink, Tracer
from tests.support.stage import Stage, variant

DEMO = (Path(card.__file__).parent / "profile" / "demo" / "usim.toml").read_text()
PIN = Secret(b"1234")


@dataclass
class Heard:
    """Keeps the events of a trace."""

    events: list[TraceEvent] = field(default_factory=list)

    def emit(self, event: TraceEvent, /) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


_NUMBERS_OF_X2 = {
    "pay_per_time": {"spe = 0x0": "spe = 0xF0"},
    "counted_playback": {"spe = 0x4": "spe = 0xEC", "spe = 0x6": "spe = 0xEA"},
}


def with_tables(bcast: str) -> CardProfile:
    """Return the demo profile with a `[bcast]` part."""
    return CardProfile.parse(DEMO + bcast, "a card on other tables")


def trace_of(profile: CardProfile, name: str, card_link: Link | None = None) -> list[TraceEvent]:
    """Return the trace of a scenario played with a new card, whose tables all know; audits explain each STKM."""
    heard = Heard()
    tables = profile.bcast.build_tables()
    link = TracedLink(card_link or InProcessLink(memory_card(profile)), Tracer("card", [heard]))
    scenario = variant(name, **(_NUMBERS_OF_X2.get(name, {}) if tables.name == "X2" else {}))
    network = UsimNetwork(scenario, subscriber_of(profile), tables=tables)
    stage = Stage(scenario, middleware=TerminalMiddleware(link, tables=tables), network=network)
    stage.play(explain=True)
    stage.auditor.key_groups()
    return heard.events


def lesson(profile: CardProfile, *scenarios: str) -> list[TraceEvidence]:
    return [TraceEvidence.of(name, trace_of(profile, name)) for name in scenarios]
