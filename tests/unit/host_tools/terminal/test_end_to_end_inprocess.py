"""The whole job with the card in this process: real card, head-end and SRTP, also when something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from card import CardProfile, memory_card, open_card
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.status import SW
from host_tools.content.captures.pcap import CaptureReader, Datagram, open_capture
from host_tools.content.known import KNOWN
from host_tools.content.sinks.media_out import MediaOut
from host_tools.exchange.procedures import MSK_REQUEST, REGISTRATION
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError, VerificationError
from host_tools.headend.scenario.handover import Handover
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import Recording
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import Link
from host_tools.links.inprocess import InProcessLink
from host_tools.sessions.demo.csim import CsimSide
from host_tools.sessions.demo.job import DemoJob, Side
from host_tools.sessions.demo.usim import UsimSide
from host_tools.sessions.demo.wired import WiredSide
from host_tools.sessions.events import Event, StepDone
from host_tools.sessions.keys import keys_from_file, keys_from_network
from host_tools.terminal.bcast import Refusal, RefusalReason, Tek
from host_tools.terminal.errors import NetworkRefusedError
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.online import Patience
from host_tools.terminal.player import Hooks, Player, PlayOptions

PROFILE = CardProfile.demo()
PIN = PROFILE.pins.pin1.value


class Quiet:
    """Keeps the steps."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, StepDone):
            self.steps.append(event.words)


@contextmanager
def strict_card(path: Path) -> Iterator[Link]:
    link = InProcessLink(open_card(path, strict=True))
    try:
        yield link
    finally:
        link.close()


@pytest.fixture(scope="module")
def network_recording() -> Recording:
    return new_network().recording()


@pytest.fixture
def terminal() -> Iterator[TerminalMiddleware]:
    middleware = TerminalMiddleware(InProcessLink(memory_card(PROFILE, strict=True)), tables=P1)
    middleware.connect(PIN)
    yield middleware
    middleware.close()


def new_network() -> UsimNetwork:
    return UsimNetwork(shipped_scenario("demo"), subscriber_of(PROFILE), tables=P1)


def datagrams(recording: Recording, tmp_path: Path) -> list[Datagram]:
    path = tmp_path / "capture.pcap"
    path.write_bytes(recording.pcap)
    with open_capture(path) as capture:
        return list(capture)


class TestDemoJob:
    @pytest.mark.parametrize(
        "side", [UsimSide, CsimSide, partial(WiredSide, csim=False), partial(WiredSide, csim=True)]
    )
    def test_everything_equals_the_head_end(self, tmp_path: Path, side: Callable[[], Side]) -> None:
        reporter = Quiet()
        outcome = DemoJob(side(), tmp_path, strict_card, reporter).run()
        assert outcome.differences == []
        assert outcome.teks_checked == outcome.statistics.teks > 5
        assert [path.name for path in outcome.files] == ["broadcast-5004.wav", "broadcast-5006.wav"]
        assert "equal the head-end's own" in reporter.steps[-1]

    def test_it_says_what_crossed_which_wire(self, tmp_path: Path) -> None:
        outcome = DemoJob(WiredSide(csim=False), tmp_path, strict_card, Quiet()).run()
        assert outcome.crossed is not None
        register, msk = (f"POST {row.target}" for row in (REGISTRATION, MSK_REQUEST))
        assert dict(outcome.crossed.requests) == {
            ("BSF", "GET /", 401): 1, ("BSF", "GET /", 200): 1,
            ("BSM", register, 401): 1, ("BSM", register, 200): 1, ("BSM", msk, 200): 1,
        }  # fmt: skip
        assert set(outcome.crossed.datagrams.values()) == {3}
        assert outcome.crossed.commands > 50

    def test_an_ltkm_that_the_card_refuses_is_noticed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sent = Bsm.ltkm

        def damaged(bsm: Bsm, *rest: Any, **more: Any) -> bytes:
            return sent(bsm, *rest, **more)[:-1] + b"\0"

        monkeypatch.setattr(Bsm, "ltkm", damaged)
        outcome = DemoJob(WiredSide(csim=False, patience=Patience(1.0, 0.1)), tmp_path, strict_card, Quiet()).run()
        assert "LTKMs that the BSM waits for: 1 instead of 0" in outcome.differences
        assert outcome.ltkms < 3

    def test_a_damaged_media_packet_is_noticed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = UsimNetwork.recording

        def damaged(network: UsimNetwork) -> Recording:
            recording = whole(network)
            pcap = bytearray(recording.pcap)
            pcap[-30] ^= 1
            return replace(recording, pcap=bytes(pcap))

        monkeypatch.setattr(UsimNetwork, "recording", damaged)
        outcome = DemoJob(UsimSide(), tmp_path, strict_card, Quiet()).run()
        assert outcome.statistics.packets_failed == 1
        assert any(difference.startswith("media of tone-b") for difference in outcome.differences)

    def test_a_capture_that_breaks_off_is_noticed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = UsimNetwork.recording
        monkeypatch.setattr(
            UsimNetwork, "recording", lambda network: replace(whole(network), pcap=whole(network).pcap[:-5])
        )
        outcome = DemoJob(UsimSide(), tmp_path, strict_card, Quiet()).run()
        assert any(difference.startswith("capture") for difference in outcome.differences)

    def test_a_wrong_tek_is_noticed_without_being_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        truth = new_network().truth
        name, other = sorted(truth.teks, key=str)[:2]
        wrong = replace(truth, teks={**truth.teks, name: truth.teks[other]})
        monkeypatch.setattr(UsimNetwork, "truth", wrong)
        outcome = DemoJob(UsimSide(), tmp_path, strict_card, Quiet()).run()
        assert outcome.differences == [f"TEK {name}: differs from the head-end's"]
        assert truth.teks[name].tek.reveal().hex() not in str(outcome)


class TestKeyLadder:
    def test_a_used_card_resynchronises_a_new_network(self, terminal: TerminalMiddleware) -> None:
        assert not terminal.bootstrap(new_network().bsf).resynchronised
        assert terminal.bootstrap(new_network().bsf).resynchronised

    def test_a_network_with_another_key_is_refused(self, terminal: TerminalMiddleware) -> None:
        stranger = replace(PROFILE, usim=replace(PROFILE.usim, k=Secret(bytes(16))))
        network = UsimNetwork(shipped_scenario("demo"), subscriber_of(stranger), tables=P1)
        with pytest.raises(NetworkRefusedError, match="not authentic"):
            terminal.bootstrap(network.bsf)

    def test_without_ltkms_every_stkm_is_refused(
        self, terminal: TerminalMiddleware, network_recording: Recording, tmp_path: Path
    ) -> None:
        result = Player(terminal, MediaOut(), PlayOptions(KNOWN)).play(datagrams(network_recording, tmp_path))
        assert result.stkms_refused == result.stkms_fed == result.stkms_seen > 0
        assert list(result.refusals) == [f"{RefusalReason.UNKNOWN_KEY.value} (6A88: referenced data not found)"]
        assert (result.packets_decrypted, result.teks) == (0, 0)
        assert result.packets_without_key == result.packets_seen

    def test_identical_stkms_given_to_the_card_are_replays(
        self, terminal: TerminalMiddleware, network_recording: Recording, tmp_path: Path
    ) -> None:
        delivery = keys_from_network(terminal, new_network())
        player = Player(terminal, MediaOut(), PlayOptions(KNOWN, feed_all=True))
        hooks = Hooks(on_time=delivery.deliver_until)
        result = player.play(datagrams(network_recording, tmp_path), hooks)
        truth = network_recording.truth
        assert result.stkms_refused == truth.stkms_sent - truth.stkms_different
        assert result.teks == len(truth.teks)
        assert all("9865" in reason for reason in result.refusals)  # SEQl is the MTK ID now (TS 33.246 clause 6.5.4)

    @pytest.mark.norm("67")
    def test_resent_stkms_of_plain_keys_do_not_reach_the_card(
        self, terminal: TerminalMiddleware, network_recording: Recording, tmp_path: Path
    ) -> None:
        delivery = keys_from_network(terminal, new_network())
        played = datagrams(network_recording, tmp_path)
        first = Player(terminal, MediaOut(), PlayOptions(KNOWN), gate=terminal.gate)
        first.play(played, Hooks(on_time=delivery.deliver_until))
        truth = network_recording.truth
        assert (first.statistics.stkms_fed, first.statistics.stkms_refused) == (len(truth.teks), 0)
        again = Player(terminal, MediaOut(), PlayOptions(KNOWN), gate=terminal.gate).play(played)
        assert (again.stkms_fed, again.stkms_stale) == (0, truth.stkms_sent)

    def test_one_service_alone(
        self, terminal: TerminalMiddleware, network_recording: Recording, tmp_path: Path
    ) -> None:
        network = new_network()
        b_tid = terminal.bootstrap(network.bsf).b_tid
        terminal.establish(network.bsm.naf_id)
        for delivery in network.deliveries:
            if delivery.key.service == "tone-a":
                terminal.deliver(network.ltkm(delivery, b_tid))
        result = Player(terminal, MediaOut(), PlayOptions(KNOWN)).play(datagrams(network_recording, tmp_path))
        truth = network_recording.truth
        assert result.packets_decrypted == truth.media["tone-a"].packets
        assert result.packets_without_key == truth.media["tone-b"].packets

    def test_a_withdrawn_key_gives_nothing_more(
        self, terminal: TerminalMiddleware, network_recording: Recording, tmp_path: Path
    ) -> None:
        network = new_network()
        b_tid = terminal.bootstrap(network.bsf).b_tid
        terminal.establish(network.bsm.naf_id)
        terminal.deliver(network.ltkm(network.deliveries[0], b_tid))
        (first, *rest) = [
            datagram.payload for datagram in datagrams(network_recording, tmp_path) if datagram.destination.port == 2269
        ]
        assert isinstance(terminal.feed(first), Tek)
        later = next(message for message in rest if message != first)
        terminal.deliver(network.bsm.withdrawal("tone-a", b_tid, network.bsm.keys("tone-a")[0]))
        refused = terminal.feed(later)
        assert isinstance(refused, Refusal)
        assert refused.sw == SW.CONDITIONS_NOT_SATISFIED  # TS 31.102 clause 7.1.1.8: the MSK is there, and invalid

    def test_a_forged_verification_message_is_noticed(self, terminal: TerminalMiddleware) -> None:
        network = new_network()
        b_tid = terminal.bootstrap(network.bsf).b_tid
        terminal.establish(network.bsm.naf_id)
        ltkm = network.ltkm(network.deliveries[0], b_tid)
        answer = terminal.deliver(ltkm).verification
        assert answer is not None
        network.bsm.verify(ltkm, answer)
        with pytest.raises(VerificationError):
            network.bsm.verify(ltkm, answer[:-1] + bytes([answer[-1] ^ 1]))

    def test_ltkms_from_a_file(
        self, terminal: TerminalMiddleware, network_recording: Recording, tmp_path: Path
    ) -> None:
        path = tmp_path / "ltkms.json"
        path.write_text(Handover.mint(new_network()).to_json())
        played = datagrams(network_recording, tmp_path)
        delivery = keys_from_file(terminal, path, played[0].timestamp)
        result = Player(terminal, MediaOut(), PlayOptions(KNOWN)).play(played, Hooks(on_time=delivery.deliver_until))
        assert result.packets_decrypted == sum(media.packets for media in network_recording.truth.media.values())

    def test_a_file_of_ltkms_serves_a_fresh_card_only(self, terminal: TerminalMiddleware, tmp_path: Path) -> None:
        path = tmp_path / "ltkms.json"
        path.write_text(Handover.mint(new_network()).to_json())
        keys_from_file(terminal, path, 0.0)
        with pytest.raises(HeadendError, match="later challenge"):
            keys_from_file(terminal, path, 0.0)


def test_hostile_stkms_leave_the_card_usable(
    terminal: TerminalMiddleware, network_recording: Recording, tmp_path: Path
) -> None:
    network = new_network()
    keys_from_network(terminal, network).deliver_until(network.scenario.start.timestamp())
    first = next(item for item in datagrams(network_recording, tmp_path) if item.destination.port == 2269).payload
    for cut in range(1, len(first)):
        assert isinstance(terminal.feed(first[:cut]), Refusal)
    for position in range(len(first)):
        flipped = first[:position] + bytes([first[position] ^ 0x80]) + first[position + 1 :]
        assert isinstance(terminal.feed(flipped), Refusal)
    assert isinstance(terminal.feed(first), Tek)


def test_reader_reads_what_was_recorded(network_recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(network_recording.pcap)
    with path.open("rb") as file:
        capture = CaptureReader(file)
        ports = {datagram.destination.port for datagram in capture}
    assert ports == {2269, 5004, 5006}
