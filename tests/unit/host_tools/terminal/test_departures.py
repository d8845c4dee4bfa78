"""Services that are left: when the terminal takes them for left, and that the card hears of it and forgets the PIN."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import BcastTables
from card.spec.bcast.x2 import X2
from host_tools.apdu.client import ApduClient
from host_tools.content.captures.pcap import Datagram
from host_tools.content.containers.recording import open_recording, record_to
from host_tools.content.known import KNOWN
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.headend.scenario.model import Scenario
from host_tools.links.base import ReaderGone
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome
from host_tools.terminal.departure import Departure, Service, TunedServices, signal_departure
from host_tools.terminal.key_source import KeySource, StkmView, UnsignalledFeed
from host_tools.terminal.player import Hooks, Player, PlayOptions
from host_tools.terminal.purchase import ParentalPinEntry
from host_tools.terminal.replay import Replay, Segment
from host_tools.terminal.usim import Usim
from tests.support.stage import STKM_PORT, Stage, variant
from tests.unit.host_tools.terminal.test_audit import CannedLink

FAMILY = Service(bytes.fromhex("00f110"), bytes.fromhex("0001"))
OTHER = Service(bytes.fromhex("00f110"), bytes.fromhex("0002"))
PIN = Secret(b"2580")

TWO_SERVICES = """
[[service]]
id = "quiet"
key_group = 2
address = "239.2.1.2"
port = 5006

[service.bcast]
protection_after_reception = 3

[[delivery]]
service = "quiet"
at = -0.4
spe = 0x4

[[event]]
at = 8.0
kind = "switch"
service = "quiet"

[[programme]]
"""


def zapping() -> Scenario:
    """Return the parental scenario with a second service, to which the terminal switches at 8 s."""
    return variant("parental", **{"[[programme]]\n": TWO_SERVICES, 'view = "all"': 'view = "family"'})


@dataclass
class Listening:
    """A feed that notes what is fed and left, in order; the card below stays in charge."""

    below: KeySource
    noted: list[str] = field(default_factory=list)

    def read(self, stkm: bytes) -> StkmView:
        return self.below.read(stkm)

    def feed(self, stkm: bytes) -> StkmOutcome:
        self.noted.append("STKM")
        return self.below.feed(stkm)

    def leave(self, service: Service) -> Departure | None:
        self.noted.append(str(service))
        return self.below.leave(service)


def entry(stage: Stage) -> ParentalPinEntry:
    return ParentalPinEntry(stage.middleware.usim, lambda: PIN)


class TestWhatCountsAsLeft:
    def test_a_service_that_fell_silent(self) -> None:
        tuned = TunedServices(2.0)
        tuned.tune("a", FAMILY, 0.0)
        tuned.tune("b", OTHER, 0.0)
        tuned.hear("b", 2.5)
        assert tuned.leave_silent(2.5) == [FAMILY]
        assert tuned.leave_silent(2.5) == []
        assert tuned.leave_all() == [OTHER]

    def test_media_keep_a_service(self) -> None:
        tuned = TunedServices(2.0)
        tuned.tune("a", FAMILY, 0.0)
        for moment in range(10):
            tuned.hear("a", moment)
            assert tuned.leave_silent(moment + 0.5) == []

    def test_two_keys_of_one_service_are_one_departure(self) -> None:
        tuned = TunedServices()
        tuned.tune("a", FAMILY, 0.0)
        tuned.tune("a", FAMILY, 1.0)
        assert tuned.leave_all() == [FAMILY]

    def test_a_rewind_is_no_silence(self) -> None:
        tuned = TunedServices(2.0)
        tuned.tune("a", FAMILY, 100.0)
        assert tuned.leave_silent(5.0) == []

    def test_what_gave_no_key_is_not_followed(self) -> None:
        tuned = TunedServices()
        tuned.hear("nobody", 1.0)
        assert tuned.leave_all() == []


class TestLive:
    def test_the_end_is_signalled_and_the_pin_counts_no_longer(self) -> None:
        stage = Stage("parental")
        middle = stage.network.scenario.start.timestamp() + 9
        departures: list[Departure] = []
        first = [datagram for datagram in stage.capture if datagram.timestamp < middle]
        player = Player(stage.middleware, stage.out(), PlayOptions(KNOWN))
        hooks = replace(stage.hooks(entry(stage)), on_departure=departures.append)
        assert player.play(first, hooks).departures == 1
        assert departures == [Departure(FAMILY)]
        stage.play([datagram for datagram in stage.capture if datagram.timestamp >= middle])
        refused = [decision.outcome for decision in stage.decisions if isinstance(decision.outcome, Refusal)]
        assert refused[-1].reason is RefusalReason.PARENTAL_PIN_NEEDED

    def test_without_events_the_pin_goes_on_counting(self) -> None:
        stage = Stage("parental")
        middle = stage.network.scenario.start.timestamp() + 9
        quiet = UnsignalledFeed(stage.middleware)
        first = [datagram for datagram in stage.capture if datagram.timestamp < middle]
        assert stage.play(first, entry(stage), feed=quiet).departures == 0
        stage.play([datagram for datagram in stage.capture if datagram.timestamp >= middle], feed=quiet)
        assert stage.decisions[-1].granted

    def test_a_change_of_channel(self) -> None:
        stage = Stage(zapping())
        listening = Listening(stage.middleware)
        result = stage.play(None, entry(stage), feed=listening)
        assert result.departures == 2
        # The one that was left is signalled while the other one plays, not at the end.
        left = [number for number, what in enumerate(listening.noted) if what != "STKM"]
        assert [listening.noted[number] for number in left] == [str(FAMILY), str(OTHER)]
        assert left[0] < len(listening.noted) - 2
        assert left[1] == len(listening.noted) - 1

    def test_services_played_side_by_side_are_left_at_the_end(self) -> None:
        scenario = variant("parental", **{"[[programme]]\n": TWO_SERVICES})
        stage = Stage(scenario)
        listening = Listening(stage.middleware)
        stage.play(feed=listening)
        assert listening.noted[-2:] == [str(FAMILY), str(OTHER)]
        assert set(listening.noted[:-2]) == {"STKM"}

    def test_a_plain_mbms_service_has_no_event(self) -> None:
        stage = Stage("demo")
        listening = Listening(stage.middleware)
        assert stage.play(feed=listening).departures == 0
        assert set(listening.noted) == {"STKM"}

    def test_a_service_that_gave_no_key_is_not_left(self) -> None:
        stage = Stage("subscribe")
        listening = Listening(stage.middleware)
        stage.play(feed=listening)
        assert [what for what in listening.noted if what != "STKM"] == [str(FAMILY)]

    def test_ctrl_c_leaves_the_service_too(self) -> None:
        stage = Stage("parental")
        listening = Listening(stage.middleware)

        def until_interrupted() -> Iterator[Datagram]:
            yield from stage.capture[:100]
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            stage.play(until_interrupted(), feed=listening)
        assert listening.noted[-1] == str(FAMILY)

    def test_a_reader_that_vanished_is_told_nothing(self) -> None:
        stage = Stage("parental")
        listening = Listening(stage.middleware)

        def until_gone() -> Iterator[Datagram]:
            yield from stage.capture[:100]
            raise ReaderGone("gone")

        with pytest.raises(ReaderGone):
            stage.play(until_gone(), feed=listening)
        assert set(listening.noted) == {"STKM"}


@pytest.mark.parametrize("keep_teks", [True, False])
class TestReplay:
    @pytest.fixture
    def rated(self, tmp_path: Path) -> tuple[Stage, Path]:
        """Return a card with a right to play back what is rated, and the recording."""
        right = {"spe = 0x4                       # unlimited live": "spe = 0x5"}
        stage = Stage(variant("parental", **right))
        path = tmp_path / "film.bcrec"
        with record_to(path, "film", STKM_PORT, protection=HEADEND_FORMAT) as writer:
            for datagram in stage.capture:
                writer.take(datagram)
        stage.delivery.deliver_until(float("inf"))
        return stage, path

    def test_a_rewind_is_no_departure_and_the_end_is(self, rated: tuple[Stage, Path], keep_teks: bool) -> None:
        stage, path = rated
        listening = Listening(stage.middleware)
        departures: list[Departure] = []
        hooks = Hooks(on_refusal=entry(stage), on_departure=departures.append)
        with open_recording(path, KNOWN) as content, closing(stage.out()) as out:
            replay = Replay(content, listening, out, keep_teks=keep_teks)
            replay.play(Segment(0.0, 9.0), hooks)
            replay.play(Segment(4.0, 11.0), hooks)
            assert departures == []
            replay.stop(hooks)
            replay.stop(hooks)
        assert [str(departure) for departure in departures] == [f"EVENT {FAMILY} left: the card was told"]

    def test_a_zap_is_a_departure(self, rated: tuple[Stage, Path], keep_teks: bool) -> None:
        stage, path = rated
        departures: list[Departure] = []
        hooks = Hooks(on_departure=departures.append)
        with open_recording(path, KNOWN) as content, closing(stage.out()) as out:
            replay = Replay(content, stage.middleware, out, keep_teks=keep_teks)
            replay.play(Segment(0.0, 4.0, 5004), hooks)
            replay.play(Segment(0.0, 4.0, 5006), hooks)
            assert departures == [Departure(FAMILY)]


class TestTheEvent:
    def signal(self, refuse: int = 0, tables: BcastTables | None = None) -> tuple[Departure, CannedLink]:
        link = CannedLink(b"", refuse)
        usim = Usim(ApduClient(link), P1) if tables is None else Usim(ApduClient(link), tables)
        return signal_departure(usim, FAMILY), link

    def test_on_the_wire(self) -> None:
        _, link = self.signal(0x9000)
        assert link.sent[0].hex() == "001b80040b" + "7309" + "810300f110" + "82020001"

    def test_on_the_wire_by_other_tables(self) -> None:
        _, link = self.signal(0x9000, X2)
        assert link.sent[0][3] == X2.modes["event_signalling"]
        assert link.sent[0][7] == X2.audit_tags["key_domain"]

    @pytest.mark.parametrize("sw", [0x6D00, 0x6982, 0x6A86])
    def test_a_card_that_will_not_hear_of_it(self, sw: int) -> None:
        departure, _ = self.signal(sw)
        assert not departure.told
        assert f"{sw:04X}" in str(departure)
        assert departure.as_dict()["told"] is False


def test_through_a_link_that_is_gone() -> None:
    stage = Stage("parental")
    stage.middleware.close()
    with pytest.raises(ReaderGone):
        stage.middleware.leave(FAMILY)
