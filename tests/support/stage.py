"""A card, a terminal and the network of a scenario, and what of a broadcast was heard, checked against the network."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.resources import files

from card import CardProfile, memory_card
from card.spec.bcast.p1 import P1
from host_tools.content.captures.pcap import CaptureReader, Datagram
from host_tools.content.known import KNOWN
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.media_out import MediaOut
from host_tools.content.sinks.tone import mulaw_frames
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.content.stkm_name import tek_name
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.reading import parse_scenario, shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.service_keys import key_domain_id
from host_tools.headend.shop import TokenDesk
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import Link
from host_tools.links.inprocess import InProcessLink
from host_tools.sessions.keys import keys_to_deliver
from host_tools.terminal.audit import Auditor, Policy
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.decision import Decision, ExplainingFeed
from host_tools.terminal.key_source import KeySource
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.player import Hooks, Player, PlayOptions
from host_tools.terminal.purchase import PurchaseFlow, Remedy, first_that_helps
from host_tools.terminal.statistics import PlayStatistics

PROFILE = CardProfile.demo()
PIN = PROFILE.pins.pin1.value
STKM_PORT = 2269


def variant(name: str, **replaced: str) -> Scenario:
    """Return a shipped scenario with `old=new` replaced in its text."""
    text = (files("host_tools.headend") / "scenarios" / f"{name}.toml").read_text("utf-8")
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return parse_scenario(text, name)


class Stage:
    """A fresh card with the LTKMs of a scenario on their way."""

    def __init__(
        self,
        scenario: str | Scenario,
        link: Link | None = None,
        *,
        middleware: TerminalMiddleware | None = None,
        network: UsimNetwork | None = None,
    ) -> None:
        plan = shipped_scenario(scenario) if isinstance(scenario, str) else scenario
        self.network = network or UsimNetwork(plan, subscriber_of(PROFILE), tables=P1)
        self.middleware = middleware or TerminalMiddleware(
            link or InProcessLink(memory_card(PROFILE, strict=True)), tables=P1
        )
        self.middleware.connect(PIN)
        self.b_tid = self.middleware.bootstrap(self.network.bsf).b_tid
        self.middleware.establish(self.network.bsm.naf_id)
        self.delivery = keys_to_deliver(self.middleware, self.network, self.b_tid)
        self.auditor = Auditor(self.middleware.usim)
        self.decisions: list[Decision] = []
        self.heard: Counter[bytes] = Counter()
        self.teks: dict[bytes, bytes] = {}

    @property
    def capture(self) -> list[Datagram]:
        return list(CaptureReader(io.BytesIO(self.network.recording().pcap)))

    def purchase(self, each: int = 1) -> PurchaseFlow:
        return PurchaseFlow(
            TokenDesk(self.network.shop, self.b_tid, each), self.middleware.deliver,
            lambda ltkm, receipt: self.network.bsm.verify(ltkm, receipt.verification or b""),
        )  # fmt: skip

    def play(
        self,
        datagrams: Iterable[Datagram] | None = None,
        *remedies: Remedy,
        feed: KeySource | None = None,
        explain: bool = False,
        options: PlayOptions | None = None,
        on_time: Callable[[float], None] | None = None,
    ) -> PlayStatistics:
        """Play live; LTKMs arrive when they are due."""
        explaining = ExplainingFeed(feed or self.middleware, self.middleware.usim)
        hooks = self.hooks(*remedies, on_time=on_time)
        if explain:
            hooks = replace(hooks, explain=explaining.take)
        used = explaining if explain else feed or self.middleware
        player = Player(used, self.out(), options or PlayOptions(KNOWN), gate=self.middleware.gate)
        return player.play(self.capture if datagrams is None else datagrams, hooks)

    def hooks(self, *remedies: Remedy, on_time: Callable[[float], None] | None = None) -> Hooks:
        return Hooks(
            on_tek=lambda view, tek: self.teks.update({view.key_name: tek.key.reveal()}),
            on_time=on_time or self.delivery.deliver_until,
            on_decision=self.decisions.append,
            on_refusal=first_that_helps(remedies),
        )

    def out(self) -> MediaOut:
        return CheckedOut(self)

    # --- what the network knows

    def true_teks(self, service: str, mtk_ids: Iterable[int]) -> dict[bytes, bytes]:
        """Return the TEKs of these crypto periods by MKI, as the head-end knows them."""
        wanted = set(mtk_ids)
        group = self.network.scenario.service(service).key_group.to_bytes(2, "big")
        return {
            tek_name(name.msk_id, name.mtk_id): key.tek.reveal()
            for name, key in self.network.truth.teks.items()
            if name.msk_id[:2] == group and int.from_bytes(name.mtk_id, "big") in wanted
        }

    def packets_of(self, teks: Iterable[bytes]) -> Counter[bytes]:
        """Return how many media packets were sent under each of these TEKs (by MKI)."""
        sent = Counter(HEADEND_FORMAT.split(d.payload)[0] for d in self.capture if d.destination.port != STKM_PORT)
        return Counter({mki: sent[mki] for mki in teks})

    def require(self, service: str, mtk_ids: Iterable[int]) -> None:
        """Check that exactly these crypto periods were opened, with the right TEKs, and all their media heard."""
        expected = self.true_teks(service, mtk_ids)
        assert self.teks == expected
        assert self.heard == self.packets_of(expected)

    def refusals(self) -> list[tuple[int, str]]:
        """Return T and reason of each refusal, in order."""
        return [(d.view.timestamp, d.why) for d in self.decisions if not d.granted]

    def policies(self, service: str) -> tuple[Policy, ...]:
        found = self.network.scenario.service(service)
        return self.auditor.policies(key_domain_id(found.key_domain), found.key_group.to_bytes(2, "big"))

    def first_view(self, service: str) -> CardStkmView:
        address = self.network.scenario.service(service).address
        return next(
            CardStkmView.decode(d.payload, P1)
            for d in self.capture
            if (d.destination.host, d.destination.port) == (address, STKM_PORT)
        )


class CheckedOut(MediaOut):
    """Takes decrypted packets and compares each with what the head-end sent in that place."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self._frames: dict[int, list[bytes]] = {}
        self._first: dict[int, int] = {}
        for service in stage.network.scenario.services:
            frames = mulaw_frames(service.id, 160)
            self._frames[service.port] = [next(frames) for _ in range(stage.network.scenario.duration // 20)]
        for datagram in stage.capture:
            port = datagram.destination.port
            if port != STKM_PORT:
                self._first.setdefault(port, int.from_bytes(datagram.payload[2:4], "big"))

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:
        port = carrier.destination.port
        number = (packet.sequence - self._first[port]) % (1 << 16)
        assert packet.payload == self._frames[port][number]
        self._stage.heard[HEADEND_FORMAT.split(carrier.payload)[0]] += 1
        super().write(packet, carrier)
