"""The demo live: a head-end is on the air in a process of its own, and the terminal tunes in while it broadcasts.

The head-end is `headend serve --air`, the terminal that of `terminal tune`, on loopback addresses of this computer. One
service is listened to after the other, as with a key press. What was heard is compared with the melodies of the
services, which both sides know. A USIM registers for what it tunes to; a CSIM, which does not, buys all of it.
"""

from __future__ import annotations

import re
import socket
import time
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from card import CardProfile, create_card
from card.disk.kinds import SOUND
from card.disk.reading import open_plain
from host_tools.content.known import KNOWN
from host_tools.content.sinks.g711 import decode_mulaw
from host_tools.content.sinks.live import LiveOut
from host_tools.content.sinks.tone import SAMPLE_RATE, mulaw_cycle
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest
from host_tools.exchange.messages.ltkm_push import LTKM_PORTS
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.transport import Endpoint
from host_tools.files.writing import write_whole
from host_tools.headend.bsda.frames import FRAME_SAMPLES
from host_tools.headend.on_air.outlets import unicast_places
from host_tools.headend.scenario.reading import scenario_text
from host_tools.headend.scenario.wares import EVERYTHING, MONTH
from host_tools.sessions.csim import csim_subscriber
from host_tools.sessions.demo.card import said_last, started_beside
from host_tools.sessions.demo.job import CARD_FILE, MEDIA_STEM, PAGE_FILE, SCENARIO, Outcome, demo_scenario
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import ClientNews, Event, Events, LiveProgressed, StepDone, Tuned, TuneEnded
from host_tools.sessions.online.opening import NetworkChoice, opened_online
from host_tools.sessions.programmes import WebLibrary, guide_of, programmes_at
from host_tools.sessions.report_page import ReportPage
from host_tools.sessions.telling import service_names
from host_tools.sessions.tune import TuneJob
from host_tools.terminal.client.events import LtkmHandled
from host_tools.terminal.client.waits import WaitingTime
from host_tools.terminal.player import PlayOptions
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.network_file import NetworkFile, load_network

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
    from host_tools.sessions.opening import CardSource
    from host_tools.trace.events import TraceSink

AIR_FILE = "air.pcapng"
_NETWORK, _STATE, _LOG = "network.toml", "terminal.json", "head-end.log"
_SUBSCRIBERS = "subscribers.toml"
_FIRST_PORT = 5004
_ADDRESSES = range(2, 250)
_DURATION, _ROUND = re.compile(r"^duration = .*$", re.MULTILINE), 480.0
"""The scenario is longer than it is shipped: each round has new SEKs, and a slow computer is to keep up with them."""
_STARTING = 30.0  # seconds that a head-end may take to listen
_EACH, _SHORTEST = 10.0, 2.0  # seconds for which a service is listened to: at speed 1, and at least
_PATIENCE = 60.0  # seconds after which a service is left, whatever was heard of it
_ENOUGH = 100  # packets of a service that are to be heard
_DEFECTS = "bcast_uicc_unexpected_exceptions_total "


@dataclass
class _Viewer:
    """Who sits before the terminal: goes on to the next service when one was heard long enough, and ends with the last.

    Hands on what happens, and keeps what the end is judged by.
    """

    events: Events
    services: int
    seconds: float
    ltkms: int = 0
    heard: dict[str, int] = field(default_factory=dict)
    ended: TuneEnded | None = None
    _service: str = ""
    _before: int = 0
    _opened: int = 0
    _since: float = 0.0

    def emit(self, event: Event, /) -> None:
        """Take what happens."""
        match event:
            case Tuned(service=service):
                self._service, self._before, self._since = service, self._opened, time.monotonic()
            case LiveProgressed(statistics=statistics):
                self._opened = statistics.packets_decrypted
                self.heard[self._service] = self._opened - self._before
            case ClientNews(LtkmHandled(receipt=receipt)) if receipt.taken:
                self.ltkms += 1
            case TuneEnded():
                self.ended = event
            case _:
                pass
        self.events.emit(event)

    def poll(self) -> str | None:
        """Return "n" or "q" when it is time."""
        listened = time.monotonic() - self._since
        heard = listened > self.seconds and self.heard.get(self._service, 0) >= _ENOUGH
        if not heard and listened < _PATIENCE:
            return None
        return "n" if len(self.heard) < self.services else "q"


@dataclass(frozen=True, slots=True)
class LiveDemo:
    """One run in one empty folder, `speed` times as fast as a clock, with the USIM or the `csim` of a card.

    `open_card` yields which card to use, made from a card file; `program` is the command line of `bcast-uicc`.
    """

    folder: Path
    open_card: Callable[[Path, Secret | None], AbstractContextManager[CardSource]]
    program: Sequence[str]
    sinks: Sequence[TraceSink]
    events: Events
    speed: float = 1.0
    csim: bool = False

    def run(self) -> Outcome:
        """Do everything. Raises what the parts raise; a wrong result is a difference in the outcome."""
        profile, outcome = CardProfile.demo("csim") if self.csim else CardProfile.demo(), Outcome()
        card_file = self.folder / CARD_FILE
        create_card(profile, card_file).close()
        self._done(f"card profile “{profile.name}” personalised into {card_file.name}")
        with ExitStack() as stack:
            address = _free_address()
            network = stack.enter_context(self._head_end(address, profile))
            source = stack.enter_context(self.open_card(card_file, profile.pins.pin1.value))
            viewer = self._listen(source, network, address)
            outcome.compare("exceptions in the head-end", _defects(network.others["metrics"].endpoint), 0)
        self._judge(viewer, outcome)
        return outcome

    @contextmanager
    def _head_end(self, address: str, profile: CardProfile) -> Iterator[NetworkFile]:
        """Run a head-end that knows the subscriber of a profile and broadcasts to an address. Raises `SessionError`."""
        file, log, scenario = self.folder / _NETWORK, self.folder / _LOG, self.folder / f"{SCENARIO}.toml"
        # By its path: where the program runs there may be something else of that name.
        write_whole(scenario, _DURATION.sub(f"duration = {_ROUND}", scenario_text(SCENARIO)).encode())
        command = [*self.program, "headend", "serve", str(scenario), "--air", "--loop", "--speed", f"{self.speed:g}"]
        command += ["--db", "memory", "--no-pages", "--network-file", str(file)]
        command += ["--listener", f"{address}:{_FIRST_PORT}", "--record", str(self.folder / AIR_FILE)]
        if self.csim:
            subscribers = self.folder / _SUBSCRIBERS
            write_whole(subscribers, _as_file(csim_subscriber(profile)).encode(), private=True)
            command += ["--subscribers", str(subscribers)]
        with started_beside(command, log) as process:
            deadline = time.monotonic() + _STARTING
            while not file.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SessionError(f"The head-end does not run: {said_last(log)}")
                time.sleep(0.05)
            network = load_network(file)
            bsf, bsm = network.bsf.endpoint, network.bsm.endpoint
            services = ", ".join(service.id for service in demo_scenario().services)
            self._done(
                f"head-end in a process of its own: BSF at http://{bsf.address}:{bsf.port}, BSM at "
                f"http://{bsm.address}:{bsm.port}, {services} on the air to {address}"
            )
            yield network

    def _listen(self, source: CardSource, network: NetworkFile, address: str) -> _Viewer:
        """Tune to one service after the other. Raises `SessionError`, `LinkError`, `MediaError`."""
        scenario = demo_scenario()
        programmes = programmes_at(guide_of(network.bsm.endpoint), WebLibrary({}, address))
        viewer = _Viewer(self.events, len(programmes), max(_EACH / self.speed, _SHORTEST))
        page = ReportPage(self.folder / PAGE_FILE, "The demo, listened to on the air", service_names(scenario))
        items = (PurchaseItem(EVERYTHING, MONTH),) if self.csim else ()
        job = TuneJob(programmes, address, PlayOptions(KNOWN), page=page, registers=not self.csim, items=items)
        choice = NetworkChoice(
            network=self.folder / _NETWORK,
            address=address,
            state=self.folder / _STATE,
            waiting=programmes[0].waiting or WaitingTime(),
            wait=_STARTING,
        )
        stem = self.folder / MEDIA_STEM
        with opened_online(source, choice, self.sinks, _no_pin, viewer, chases=True) as online:
            self._done(f"terminal on the network at {address}, with the card in “{source.reader or source.link}”")
            job.run(online.keys, online.terminal, lambda send: LiveOut(stem, (), send=send), viewer, viewer)
        return viewer

    def _judge(self, viewer: _Viewer, outcome: Outcome) -> None:
        ended = viewer.ended
        assert ended is not None, "listening has ended"
        statistics = outcome.statistics = ended.statistics
        outcome.files, outcome.page, outcome.ltkms = ended.out.files, self.folder / PAGE_FILE, viewer.ltkms
        outcome.switches = len(viewer.heard) - 1
        for service, packets in viewer.heard.items():
            outcome.compare(f"whether enough of {service} was heard", packets >= _ENOUGH, expected=True)
        outcome.compare("packets that did not open", statistics.packets_failed, 0)
        outcome.compare("STKMs that were not readable", statistics.stkms_unreadable, 0)
        self._done(f"{viewer.ltkms} LTKMs came, {statistics.teks} TEKs from the card, {_told(viewer.heard)}")
        frames = _melodies()
        samples = b"".join(map(_samples, ended.out.files))
        size = 2 * FRAME_SAMPLES
        strange = {samples[at : at + size] for at in range(0, len(samples), size)} - frames
        outcome.compare("frames that are of no melody", len(strange), 0)
        outcome.compare("frames heard", len(samples) // size, statistics.packets_decrypted)
        if not outcome.differences:
            self._done(f"{statistics.packets_decrypted} packets of sound equal the melodies of the services")

    def _done(self, words: str) -> None:
        self.events.emit(StepDone(words))


def _as_file(subscriber: RkSubscriber) -> str:
    """Return a file of subscribers with that of a CSIM, for `headend serve --subscribers`."""
    return (
        f'[[subscriber]]\nimsi = "{subscriber.imsi}"\nnai = "{subscriber.nai}"\n'
        f'rk = "{subscriber.root.rk.reveal().hex()}"\nfunctions = "{subscriber.functions}"\n'
    )


def _told(heard: Mapping[str, int]) -> str:
    return " and ".join(f"{packets} packets of {service}" for service, packets in heard.items()) + " decrypted"


def _no_pin() -> Secret:
    raise SessionError("the PIN of the demo's card is known")


def _melodies() -> set[bytes]:
    """Return the samples of every frame that the services play."""
    return {
        decode_mulaw(frame) for service in demo_scenario().services for frame in mulaw_cycle(service.id, FRAME_SAMPLES)
    }


def _samples(path: Path) -> bytes:
    with open_plain(path, SOUND) as plain, wave.open(plain, "rb") as sound:
        assert sound.getframerate() == SAMPLE_RATE, "PCMU has 8000 samples a second"
        return sound.readframes(sound.getnframes())


def _free_address() -> str:
    """Return the first address of this computer on which a terminal can have its ports. Raises `SessionError`."""
    for number in _ADDRESSES:
        address = f"127.0.0.{number}"
        places = unicast_places(demo_scenario(), Endpoint(address, _FIRST_PORT)).values()
        ports = {*LTKM_PORTS, *(end.port for place in places for end in (place.media, place.stkms))}
        with ExitStack() as opened:
            try:
                for port in ports:
                    opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((address, port))
            except OSError:
                continue
            return address
    raise SessionError("other terminals have the ports at every address of this computer")


def _defects(metrics: Endpoint) -> int | None:
    """Return how many exceptions nobody expected in a head-end, None where it does not say."""
    request = HttpRequest("GET", "/metrics", (("Host", metrics.address),))
    try:
        lines = HttpTransport(metrics).exchange(request).body.decode().splitlines()
    except (TransportError, UnicodeDecodeError):
        return None
    return next((int(line.removeprefix(_DEFECTS)) for line in lines if line.startswith(_DEFECTS)), None)
