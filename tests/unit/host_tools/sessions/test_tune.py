"""Listening to a broadcast as it comes: through bad weather, with a player behind, over a zap, into a recording."""

from __future__ import annotations

import socket
import struct
import threading
import wave
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest

from card.spec.ins import INS
from host_tools.content.containers.recording import open_recording
from host_tools.content.known import KNOWN
from host_tools.content.sinks.live import LiveOut, SoundPipe
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.transport import Endpoint
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.links.base import ReaderGone
from host_tools.links.inprocess import InProcessLink
from host_tools.sessions import tune
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import Recorded, ServiceLeft, StkmDecided, Tuned, TuneEnded
from host_tools.sessions.extras import Extras
from host_tools.sessions.keys import subscribe
from host_tools.sessions.report_page import ReportPage
from host_tools.sessions.tune import TuneJob
from host_tools.terminal.client.events import KeyUnknown
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.player import Hooks, PlayOptions
from host_tools.terminal.replay import Replay, Segment
from tests.support.air import STKM_PORT, Air, Sender, UntilQuiet, card, network_of
from tests.support.chaos.lossy import LossyRelay, Weather
from tests.support.free_ports import free_ports
from tests.support.head_end import free_address

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OPTIONS = PlayOptions(KNOWN)
DEMO = shipped_scenario("demo")
SHORT = replace(DEMO, duration=8_000, view=None, events=DEMO.events[:0])


def made(stem: Path | None = None, pipe: BytesIO | None = None) -> Callable[..., LiveOut]:
    return lambda send: LiveOut(stem, send=send, pipe=None if pipe is None else SoundPipe(pipe))


def ended(controls: UntilQuiet) -> TuneEnded:
    (found,) = (event for event in controls.events if isinstance(event, TuneEnded))
    return found


def listen(
    job: TuneJob, middleware: TerminalMiddleware, sender: Sender, out: Callable[..., LiveOut] | None = None,
    keys: dict[int, str] | None = None, is_still: Callable[[], bool] = lambda: True,
) -> UntilQuiet:  # fmt: skip
    controls = UntilQuiet(sender, keys, is_still)
    job.run(middleware, None, out or made(), controls, controls)
    return controls


def scenario(name: str, **replaced: object) -> Scenario:
    return replace(shipped_scenario(name), **replaced)  # type: ignore[arg-type]


def test_bad_weather_costs_nothing_but_what_it_takes() -> None:
    """Of what the relay passed on, every packet whose TEK was given is decrypted, once; the rest is accounted for."""
    air = Air(SHORT, free_address())
    relay_first = free_ports("127.0.0.1", 8)
    ways = {place: Endpoint("127.0.0.1", relay_first + place.port - air.first) for place in air.places}
    weather = Weather(lost=0.2, doubled=0.1, delay=0.2)
    job = TuneJob(air.programmes, air.address, OPTIONS, extras=Extras(explain=True), seconds=300.0)
    with (
        LossyRelay({way: place for place, way in ways.items()}, weather, seed=7) as relay,
        Sender([air], 2.0, ways) as sender,
    ):

        def is_still() -> bool:
            return relay.counts["seen"] == sender.sent and relay.is_still

        controls = listen(job, card(network_of(SHORT)), sender, is_still=is_still)
        assert relay.counts["passed"] == len(relay.passed)
        came = Counter(payload for payload in relay.passed if payload in mine(air))
    heard = {event.decision.view.key_name for event in controls.events if isinstance(event, StkmDecided)
             and event.decision.granted}  # fmt: skip
    counted = ended(controls).statistics
    wanted = {payload for payload in came if HEADEND_FORMAT.split(payload)[0] in heard}
    assert relay.counts["lost"] > 100
    assert relay.counts["doubled"] > 50
    assert len(heard) >= 1
    assert counted.packets_seen == sum(came.values())
    assert counted.packets_decrypted == len(wanted)
    assert counted.packets_repeated == sum(came[payload] - 1 for payload in wanted)
    assert counted.packets_without_key == sum(came[payload] for payload in came if payload not in wanted)
    assert counted.packets_failed == 0
    assert ended(controls).status["dropped"] == 0


def mine(air: Air) -> set[bytes]:
    """Return the media packets of the first service."""
    host = air.scenario.services[0].address
    return {one.payload for one in air.datagrams if one.destination.host == host and one.destination.port != STKM_PORT}


def test_a_player_hears_what_the_file_has(tmp_path: Path) -> None:
    air, port = Air(replace(SHORT, duration=4_000), free_address()), free_ports("127.0.0.1", 2)
    sdp, heard = tmp_path / "player.sdp", tmp_path / "heard"
    job = TuneJob(air.programmes, air.address, OPTIONS, rtp=Endpoint("127.0.0.1", port), sdp=sdp)
    sdp.write_bytes(air.programmes[0].session_at("127.0.0.1", port).encode())
    samples: list[bytes] = []

    def play() -> None:
        with av.open(str(sdp), options={"protocol_whitelist": "file,udp,rtp"}, timeout=20) as container:
            for frame in container.decode(audio=0):
                samples.append(bytes(frame.planes[0])[: 2 * frame.samples])
                if sum(map(len, samples)) >= 2 * 8_000 * 2:
                    break

    player = threading.Thread(target=play)
    player.start()
    with Sender([air], 1.0) as sender:
        listen(job, card(network_of(air.scenario)), sender, made(heard))
    player.join(30)
    assert not player.is_alive()
    assert b"RTP/AVP 0" in sdp.read_bytes()
    with wave.open(str(next(tmp_path.glob("heard-*.wav")))) as file:
        whole = file.readframes(file.getnframes())
    played = b"".join(samples)
    assert len(played) >= 2 * 8_000 * 2
    assert played in whole


def test_what_cannot_be_sent_on_is_counted_and_a_name_that_leads_nowhere_is_told() -> None:
    air = Air(replace(SHORT, duration=2_000), free_address())
    nowhere = TuneJob(air.programmes, air.address, OPTIONS, rtp=Endpoint("no.such.name.invalid", 7000))
    refused = replace(nowhere, rtp=Endpoint("255.255.255.255", 7000))
    with Sender([air], 4.0) as sender:
        with pytest.raises(SessionError, match=r"no\.such\.name\.invalid has no IPv4 address"):
            listen(nowhere, card(None), sender)
        controls = listen(refused, card(network_of(air.scenario)), sender)
    told = ended(controls)
    assert told.status["not_sent_on"] == told.statistics.packets_decrypted == 100


def test_two_terminals_one_of_which_has_paid() -> None:
    short = replace(SHORT, duration=2_000)
    paying, other = Air(short, free_address()), Air(short, free_address())
    job, other_job = (TuneJob(air.programmes, air.address, OPTIONS) for air in (paying, other))
    refused: list[SessionError] = []

    def listen_in_vain(sender: Sender) -> None:
        try:
            listen(other_job, card(None), sender)
        except SessionError as error:
            refused.append(error)

    with Sender([paying, other], 2.0) as sender:
        second = threading.Thread(target=listen_in_vain, args=(sender,))
        second.start()
        controls = listen(job, card(network_of(short)), sender)
        second.join(30)
    counted = ended(controls).statistics
    assert counted.packets_decrypted == counted.packets_seen == 100
    (error,) = refused
    assert "None of 100 media packets opened: no key for this service" in error.message


class _Noting:
    """A terminal on a network of which nothing comes, and what it is told."""

    journal_items = ()

    def __init__(self) -> None:
        self.told: list[object] = []

    def start(self, **_: bool) -> None:
        """Nothing was left undone."""

    def tell(self, event: object) -> None:
        self.told.append(event)

    def poll(self, *_: object) -> tuple[()]:
        return ()


@pytest.mark.parametrize("announced", [None, False, True])
def test_a_key_that_is_missing_is_told_with_whether_its_group_is_announced(announced: bool | None) -> None:
    air = Air(replace(SHORT, duration=1_000), free_address())
    domain = bytes.fromhex("00f110")
    groups = {None: (), False: (MskName(domain, b"\x7f\x7f\0\0"),), True: (MskName(domain, b"\0\1\0\0"),)}[announced]
    job = TuneJob((replace(air.programmes[0], groups=groups),), air.address, OPTIONS)
    online = _Noting()
    with Sender([air], 2.0) as sender:
        controls = UntilQuiet(sender)
        with pytest.raises(SessionError, match="no key for this service"):
            job.run(card(None), online, made(), controls, controls)  # type: ignore[arg-type]
    found = [event for event in online.told if isinstance(event, KeyUnknown)]
    assert {event.announced for event in found} == {announced}


def test_a_card_that_has_heard_all_of_it_is_told_so() -> None:
    short = replace(SHORT, duration=2_000)
    middleware = card(network_of(short))
    for again in (False, True):
        air = Air(short, free_address())
        job = TuneJob(air.programmes, air.address, OPTIONS)
        with Sender([air], 2.0) as sender:
            if not again:
                listen(job, middleware, sender)
            else:
                with pytest.raises(SessionError, match="not asked, it was given each of these"):
                    listen(job, middleware, sender)


def test_a_zap_leaves_one_service_for_the_other(tmp_path: Path) -> None:
    plan = scenario("recorded", duration=6_000)
    plan = plan if len(plan.services) > 1 else SHORT
    air = Air(plan, free_address())
    page = tmp_path / "page.html"
    job = TuneJob(air.programmes, air.address, OPTIONS, extras=Extras(explain=True), page=ReportPage(page, "a zap"))
    network = network_of(plan)
    with Sender([air], 2.0) as sender:
        controls = listen(job, card(network), sender, keys={40: "n", 90: "1", 120: "x", 121: "7"})
    tuned = [event.service for event in controls.events if isinstance(event, Tuned)]
    names = [service.id for service in plan.services]
    assert tuned == [names[0], names[1], names[0]]
    streams = ended(controls).out.streams
    assert len({stream.destination.port for stream in streams}) == 2
    told = page.read_text()
    assert "a zap" in told
    assert len(network.truth.teks) > 2
    for key in network.truth.teks.values():
        assert key.tek.reveal().hex() not in told.lower()
    assert all(event.departure.told for event in controls.events if isinstance(event, ServiceLeft))


def test_the_sound_in_a_pipe_is_that_of_the_file(tmp_path: Path) -> None:
    air, pipe = Air(replace(SHORT, duration=2_000), free_address()), BytesIO()
    job = TuneJob(air.programmes, air.address, OPTIONS, seconds=30.0)
    with Sender([air], 4.0) as sender:
        listen(job, card(network_of(air.scenario)), sender, made(tmp_path / "heard", pipe))
    with wave.open(str(next(tmp_path.glob("heard-*.wav")))) as file:
        whole = file.readframes(file.getnframes())
    head, sound = pipe.getvalue()[:44], pipe.getvalue()[44:]
    assert struct.unpack("<4s4x8s4xHHI", head[:28]) == (b"RIFF", b"WAVEfmt ", 1, 1, 8_000)
    assert sound == whole


def test_what_was_recorded_is_bought_and_plays_back(tmp_path: Path) -> None:
    plan = shipped_scenario("recorded")
    air, film, middleware = Air(plan, free_address()), tmp_path / "film.bcrec", card(None)
    delivery, purchase = subscribe(middleware, network_of(plan))
    delivery.deliver_until(float("inf"))
    job = TuneJob(air.programmes, air.address, OPTIONS, record=film)
    with Sender([air], 8.0) as sender, pytest.raises(SessionError, match="None of 600 media packets opened"):
        listen(job, middleware, sender)
    with open_recording(film, KNOWN) as content:
        assert content.index.packets == len(mine(air)) == 600
        replay = Replay(content, middleware, LiveOut())
        assert replay.play(Segment()).packets_decrypted == 0
        counted = replay.play(Segment(), Hooks(on_refusal=purchase))
    assert counted.packets_decrypted == 600


class _Pulled(UntilQuiet):
    """After so many packets every command to the card fails."""

    gone = False

    def poll(self) -> str | None:
        self.gone = self.gone or self._seen > 100
        return super().poll()


class _Closed(BytesIO):
    """A pipe whose reader goes after a second of sound."""

    def write(self, sound: ReadableBuffer, /) -> int:
        if self.tell() > 16_000:
            raise BrokenPipeError
        return super().write(sound)


@pytest.mark.parametrize("goes", ["card", "hearer"])
def test_what_was_recorded_stays_whoever_goes(goes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card is pulled, or the player closed: what was counted is told, and the recording is whole."""
    plan, film, transmit = scenario("pay_per_time", duration=6_000), tmp_path / "film.bcrec", InProcessLink.transmit
    air, middleware = Air(plan, free_address()), card(network_of(plan))
    job = TuneJob(air.programmes, air.address, OPTIONS, record=film)
    with Sender([air], 2.0) as sender:
        controls = _Pulled(sender)

        def until_pulled(link: InProcessLink, apdu: bytes) -> bytes:
            if controls.gone:
                raise ReaderGone("the card has gone")
            return transmit(link, apdu)

        if goes == "card":
            monkeypatch.setattr(InProcessLink, "transmit", until_pulled)
        with pytest.raises(ReaderGone if goes == "card" else BrokenPipeError):
            job.run(middleware, None, made(pipe=None if goes == "card" else _Closed()), controls, controls)
    assert ended(controls).statistics.packets_decrypted >= 50
    (recorded,) = (event for event in controls.events if isinstance(event, Recorded))
    with open_recording(film, KNOWN) as content:
        assert content.index.packets == recorded.index.packets >= 50


def test_where_nothing_was_recorded_the_file_of_before_stays(tmp_path: Path) -> None:
    air, film = Air(replace(SHORT, duration=2_000), free_address()), tmp_path / "film.bcrec"
    film.write_bytes(b"before")
    job = TuneJob(air.programmes, air.address, OPTIONS, record=film)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, Sender([air], 100.0) as sender:
        taken.bind((air.address, air.first))
        with pytest.raises(SessionError, match="UDP port"):
            listen(job, card(None), sender)
    assert film.read_bytes() == b"before"


def test_a_port_that_somebody_has_is_named() -> None:
    air = Air(replace(SHORT, duration=2_000), free_address())
    job = TuneJob(air.programmes, air.address, OPTIONS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, Sender([air], 100.0) as sender:
        taken.bind((air.address, air.first))
        with pytest.raises(SessionError, match=f"UDP port {air.first} of {air.address}"):
            listen(job, card(None), sender)


def test_where_nothing_comes_it_says_where_it_listened() -> None:
    air = Air(replace(SHORT, duration=2_000), free_address())
    job = TuneJob(air.programmes, air.address, OPTIONS)

    class Impatient(UntilQuiet):
        def poll(self) -> str | None:
            return "q"

    with Sender([air], 100.0, dict.fromkeys(air.places, Endpoint("127.0.0.1", 9))) as sender:
        controls = Impatient(sender)
        with pytest.raises(SessionError, match=f"Nothing came to {air.address}"):
            job.run(card(None), None, made(), controls, controls)


def test_purses_are_looked_at_once_in_a_while_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many STKMs cost something: two audits of two commands, and what is shown last is what the card holds."""
    crossed: Counter[int] = Counter()
    transmit = InProcessLink.transmit

    def counting(link: InProcessLink, apdu: bytes) -> bytes:
        crossed[apdu[1]] += 1
        return transmit(link, apdu)

    paid = scenario("pay_per_time", duration=6_000)
    air = Air(paid, free_address())
    middleware = card(network_of(paid))
    monkeypatch.setattr(tune, "_PURSES", 1e9)
    monkeypatch.setattr(InProcessLink, "transmit", counting)
    job = TuneJob(air.programmes, air.address, OPTIONS, extras=Extras(no_events=True))
    with Sender([air], 2.0) as sender:
        controls = listen(job, middleware, sender)
    assert ended(controls).statistics.teks == 3
    assert crossed[INS.OMA_BCAST] == 4
    purses = ended(controls).status["purses"]
    assert isinstance(purses, dict)
    assert purses["live PPT purse 0001"] == 20 - 3 * 5
