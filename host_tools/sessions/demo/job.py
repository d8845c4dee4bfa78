"""The demo, step by step: from a card profile to decrypted media, each step checked.

Each finished step is an event, and the outcome says what differs from the head-end's own keys and media.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from card import CardProfile, create_card
from card.spec.bcast.tables import BcastTables
from host_tools.chronicle.chronicler import Chronicler
from host_tools.chronicle.model import Counted, Validity
from host_tools.content.captures.pcap import open_capture
from host_tools.content.known import KNOWN
from host_tools.content.sinks.media_out import MediaOut
from host_tools.files.writing import write_whole
from host_tools.headend.scenario.model import Scenario, SekRollover, ServiceSwitch
from host_tools.headend.scenario.network import Network
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.truth import TekName
from host_tools.links.base import Link
from host_tools.sessions.demo.crossed import Crossed
from host_tools.sessions.events import Events, Progressed, StepDone
from host_tools.sessions.report_page import write_page
from host_tools.sessions.telling import Teller, service_names
from host_tools.terminal.bcast import Tek
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.key_source import KeySource, StkmView
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.mtk_gate import MtkGate
from host_tools.terminal.player import Hooks, Player, PlayOptions
from host_tools.terminal.statistics import PlayStatistics

SCENARIO = "demo"
CARD_FILE = "demo.card"
CAPTURE_FILE = "broadcast.pcap"
MEDIA_STEM = "broadcast"
PAGE_FILE = "broadcast.html"
_KEY_GROUP_SIZE = 2  # bytes, the first of an MSK ID


@dataclass(slots=True)
class Outcome:
    """What the job gave: counters, media files, and each difference from what the head-end knows, in words.

    `roll_overs` counts the SEKs that took over from another of their Key Group, `switches` how often the TEKs went on
    with another Key Group. `page` shows how the broadcast played.
    """

    statistics: PlayStatistics = field(default_factory=PlayStatistics)
    files: tuple[Path, ...] = ()
    page: Path | None = None
    ltkms: int = 0
    teks_checked: int = 0
    roll_overs: int = 0
    switches: int = 0
    differences: list[str] = field(default_factory=list)
    crossed: Crossed | None = None

    def compare(self, what: str, found: object, expected: object) -> None:
        """Note a difference unless `found` is as expected. Never for secrets: both values are shown."""
        if found != expected:
            self.differences.append(f"{what}: {found} instead of {expected}")


class GatedFeed(KeySource, Protocol):
    """A feed that knows which plain MTK messages its card need not see."""

    gate: MtkGate
    on_ltkm: Callable[[bytes, LtkmReceipt], None]


class Deliveries(Protocol):
    """Delivers LTKMs when they are due."""

    @property
    def delivered(self) -> int:
        """Number of LTKMs that the card took."""

    @property
    def remaining(self) -> int:
        """Number of LTKMs whose time has not come."""

    def deliver_until(self, moment: float, /) -> None:
        """Deliver everything that is due by `moment`, in seconds on the clock of the capture."""


class Side(Protocol):
    """What differs between the applications: the card, its network, and how the two come to share keys."""

    @property
    def profile(self) -> CardProfile:
        """What the card is personalised from."""

    @property
    def network(self) -> Network:
        """The other side."""

    @property
    def tables(self) -> BcastTables:
        """The card's tables of OMA BCAST."""

    def begin(self, link: Link, events: Events, outcome: Outcome, stack: ExitStack, /) -> tuple[GatedFeed, Deliveries]:
        """Connect to the card and establish its keys; return where STKMs go, and what delivers the LTKMs.

        What is opened is closed with `stack`.
        """

    def end(self, outcome: Outcome, /) -> None:
        """Check what the network knows at the end, before anything is closed."""


class DemoJob:
    """One run in one folder, with a way to open the card."""

    def __init__(
        self,
        side: Side,
        folder: Path,
        open_link: Callable[[Path], AbstractContextManager[Link]],
        events: Events,
    ) -> None:
        """Take the application to use and an empty folder; `open_link` yields a link to the card in a card file."""
        self._side = side
        self._folder = folder
        self._open_link = open_link
        self._events = events
        self._outcome = Outcome()
        self._profile = side.profile
        self._network = side.network
        self._teks: dict[TekName, Tek] = {}
        self._chronicler = Chronicler()
        self._teller = Teller(self._chronicler, service_names(side.network.scenario))

    def run(self) -> Outcome:
        """Do everything. Raises what the parts raise; a wrong result is a difference in the outcome."""
        card_file = self._personalise()
        capture = self._record()
        with ExitStack() as stack:
            link = stack.enter_context(self._open_link(card_file))
            feed, delivery = self._side.begin(link, self._events, self._outcome, stack)
            feed.on_ltkm = self._teller.ltkm(self._side.tables)
            self._deliver(delivery)
            self._play(feed, delivery, capture)
            self._side.end(self._outcome)
        self._check()
        return self._outcome

    def _personalise(self) -> Path:
        path = self._folder / CARD_FILE
        create_card(self._profile, path).close()
        self._events.emit(StepDone(f"card profile “{self._profile.name}” personalised into {path.name}"))
        return path

    def _record(self) -> Path:
        path, scenario = self._folder / CAPTURE_FILE, self._network.scenario
        write_whole(path, self._network.recording().pcap)
        names = ", ".join(service.id for service in scenario.services)
        self._events.emit(StepDone(f"broadcast of {names} recorded: {scenario.duration / 1000:g} s into {path.name}"))
        return path

    def _deliver(self, delivery: Deliveries) -> None:
        """Deliver the LTKMs due before the broadcast."""
        delivery.deliver_until(self._network.scenario.start.timestamp())
        self._events.emit(
            StepDone(f"{delivery.delivered} LTKMs delivered, the card's verification messages checked by the BSM")
        )

    def _play(self, feed: GatedFeed, delivery: Deliveries, capture: Path) -> None:
        out = MediaOut(self._folder / MEDIA_STEM)
        options = PlayOptions(KNOWN, stkm_port=self._network.scenario.stkm.port)
        player = Player(feed, out, options, gate=feed.gate)
        with closing(out), open_capture(capture) as datagrams:

            def progressed() -> None:
                self._events.emit(Progressed(player.statistics, datagrams))

            hooks = self._teller.hooks(Hooks(self._take_tek, delivery.deliver_until, progressed))
            self._outcome.statistics = player.play(datagrams, hooks)
            self._outcome.compare("capture cut off at byte", datagrams.report.truncated_at, None)
        self._outcome.files = out.files
        self._outcome.page = self._folder / PAGE_FILE
        for key in (delivery.key for delivery in self._network.deliveries):
            # A terminal cannot read the limits of a plain MBMS key; the head-end of the demo knows them.
            valid = Validity(Counted.MTK_ID, key.first_mtk_id, key.last_mtk_id)
            self._chronicler.valid((key.key_domain_id + key.msk_id).hex(), valid)
        write_page(self._chronicler, "The demo's broadcast, played", self._outcome.page)
        self._outcome.ltkms = delivery.delivered
        self._outcome.compare("LTKMs not delivered", delivery.remaining, 0)
        self._count_changes()
        changes = f"SEK roll-overs {self._outcome.roll_overs}, service switches {self._outcome.switches}"
        self._events.emit(StepDone(f"broadcast replayed with {delivery.delivered} LTKMs in all: {changes}"))
        self._compare_media(out)

    def _count_changes(self) -> None:
        """Count roll-overs and switches by the names of the TEKs in the order in which the card gave them."""
        outcome, events = self._outcome, self._network.scenario.events
        msk_ids = [name.msk_id for name in self._teks]
        groups = [msk_id[:_KEY_GROUP_SIZE] for msk_id in msk_ids]
        outcome.roll_overs = len(set(msk_ids)) - len(set(groups))
        outcome.switches = sum(before != after for before, after in pairwise(groups))
        outcome.compare("SEK roll-overs", outcome.roll_overs, sum(isinstance(event, SekRollover) for event in events))
        outcome.compare("service switches", outcome.switches, sum(isinstance(event, ServiceSwitch) for event in events))

    def _take_tek(self, view: StkmView, tek: Tek) -> None:
        assert isinstance(view, CardStkmView), "the key source is a card"
        ids = view.ids
        self._teks[TekName(ids.key_domain_id, ids.msk_id, ids.mtk_id or b"")] = tek

    def _compare_media(self, out: MediaOut) -> None:
        truth = self._network.truth
        heard = {stream.destination.port: (stream.packets, stream.digest.hex()) for stream in out.streams}
        for service, media in truth.media.items():
            expected = (media.packets, media.payload_sha256)
            self._outcome.compare(f"media of {service}", heard.pop(truth.ports[service], None), expected)
        self._outcome.compare("ports with unexpected media", sorted(heard), [])

    def _check(self) -> None:
        """Compare TEKs and counters with the truth, and tell the last step when nothing differs."""
        outcome, truth = self._outcome, self._network.truth
        outcome.compare("names of the TEKs", sorted(map(str, self._teks)), sorted(map(str, truth.teks)))
        for name, tek in self._teks.items():
            expected = truth.teks.get(name)
            if expected is not None and (tek.key, tek.salt) != (expected.tek, expected.salt):
                outcome.differences.append(f"TEK {name}: differs from the head-end's")
        outcome.teks_checked = len(self._teks)
        outcome.compare("STKMs seen", outcome.statistics.stkms_seen, truth.stkms_sent)
        outcome.compare("STKMs refused", outcome.statistics.stkms_refused, 0)
        packets = sum(media.packets for media in truth.media.values())
        outcome.compare("packets decrypted", outcome.statistics.packets_decrypted, packets)
        if not outcome.differences:
            equal = f"{outcome.teks_checked} TEKs and {packets} media packets equal the head-end's own"
            self._events.emit(StepDone(equal))


def demo_scenario() -> Scenario:
    """Return the scenario of the demo."""
    return shipped_scenario(SCENARIO)
