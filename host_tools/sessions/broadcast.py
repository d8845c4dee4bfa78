"""Makes the broadcast of a scenario, with the LTKMs for one card and the truth for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.files.writing import whole_file, write_whole
from host_tools.headend.scenario.handover import Handover
from host_tools.headend.scenario.reading import find_scenario
from host_tools.headend.scenario.recorder import record_to
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.sessions.cards import load_profile, tables_of
from host_tools.sessions.events import BroadcastMade, BroadcastProgressed, Events, LtkmsWritten, TruthWritten

if TYPE_CHECKING:
    from card import CardProfile
    from host_tools.headend.scenario.model import Scenario
    from host_tools.headend.subscribers.subscriber import Subscriber

__all__ = ["BroadcastJob", "network_for", "subscriber_of"]


@dataclass(frozen=True, slots=True)
class BroadcastJob:
    """What to make: the capture, and where wanted the files of LTKMs and of the truth.

    `scenario` is a file or the name of one that ships. `profile` is the card profile of the subscriber, whose tables
    of OMA BCAST are followed, or a card file, of which only the tables are taken.
    """

    scenario: str
    output: Path
    profile: Path | None = None
    ltkms: Path | None = None
    truth: Path | None = None

    def run(self, events: Events) -> None:
        """Make everything, and tell each file. Raises `HeadendError`, `CardError`, `SessionError`, `UnwritableFile`."""
        plan = find_scenario(self.scenario)
        network = _network(plan, self.profile) if self.ltkms is not None and self.profile is not None else None
        tables = tables_of(self.profile, events)
        with whole_file(self.output) as file:
            truth = record_to(
                plan, file, lambda reached: events.emit(BroadcastProgressed(reached, plan.duration)), tables=tables
            )
        events.emit(BroadcastMade(self.output, plan, truth))
        if self.ltkms is not None and network is not None:
            handover = Handover.mint(network)
            write_whole(self.ltkms, handover.to_json().encode())
            events.emit(LtkmsWritten(self.ltkms, handover))
        if self.truth is not None:
            write_whole(self.truth, truth.to_json().encode(), private=True)
            events.emit(TruthWritten(self.truth, truth))


def network_for(scenario: str, profile: CardProfile, subscriber: Subscriber) -> UsimNetwork:
    """Return the network of a scenario (a file or the name of one that ships) with the subscriber of a card profile.

    It follows the profile's tables of OMA BCAST. Raises `HeadendError`, `OSError`.
    """
    return UsimNetwork(find_scenario(scenario), subscriber, tables=profile.bcast.build_tables())


def _network(plan: Scenario, profile: Path) -> UsimNetwork:
    found = load_profile(profile)
    return UsimNetwork(plan, subscriber_of(found), tables=found.bcast.build_tables())
