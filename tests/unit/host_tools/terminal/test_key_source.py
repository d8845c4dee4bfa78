"""The player works with any key source: here one in software, with STKMs of a form of its own and no card."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.bcast.tables import TrafficProtection
from host_tools.content.captures.pcap import Datagram, Endpoint
from host_tools.content.known import KNOWN
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.media_out import MediaOut
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.content.srtp.receiver import SrtpSender
from host_tools.content.traffic_key import TrafficKey
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome, Tek
from host_tools.terminal.decision import Decision
from host_tools.terminal.departure import Departure, Service
from host_tools.terminal.key_source import KeySource, StkmView, UnsignalledFeed
from host_tools.terminal.player import Hooks, Player, PlayOptions
from host_tools.terminal.replay import TekBuffer

HERE = Endpoint("10.0.0.1", 4000)
HOST = "239.1.1.1"
SERVICE = Service(b"drm", b"\0\1")


class Agent:
    """Opens STKMs that are JSON; the names of its keys in packets are what the STKM says, not any MSK ID and MTK ID."""

    def __init__(self, rights: set[int]) -> None:
        self._rights = rights
        self.fed: list[int] = []
        self.left: list[Service] = []

    def read(self, stkm: bytes) -> StkmView:
        try:
            said = json.loads(stkm)
            number = said["period"]
            return StkmView(
                identity=bytes((number,)), key_name=bytes.fromhex(said["name"]), session=b"programme",
                long_term_key=b"rights object", label=f"period {number}", timestamp=number, is_bcast=True,
                service=SERVICE, protection=TrafficProtection.SRTP,
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            raise DecodeError("no STKM of this agent") from None

    def feed(self, stkm: bytes) -> StkmOutcome:
        number = self.read(stkm).timestamp
        self.fed.append(number)
        if number not in self._rights:
            return Refusal(RefusalReason.NO_PLAYBACK_RIGHT, "no rights object")
        return Tek(tek(number), is_bcast=True)

    def leave(self, service: Service) -> Departure:
        self.left.append(service)
        return Departure(service)


def tek(number: int) -> Secret:
    return Secret(bytes((number,)) * 16)


def name(number: int) -> bytes:
    return b"key" + bytes((0, 0, number))


def stkm(number: int) -> Datagram:
    said = json.dumps({"period": number, "name": name(number).hex()})
    return Datagram(float(number), HERE, Endpoint(HOST, 2269), said.encode())


def media(number: int, sender: SrtpSender) -> Datagram:
    packet = RtpPacket(0, number, 160 * number, 1, bytes((number,)) * 160).encode()
    protected = sender.protect(packet, name(number), TrafficKey(tek(number)))
    return Datagram(float(number), HERE, Endpoint(HOST, 5004), protected)


def broadcast() -> list[Datagram]:
    sender = SrtpSender(HEADEND_FORMAT)
    return [datagram for number in (1, 2, 3) for datagram in (stkm(number), media(number, sender))]


@pytest.mark.parametrize("layer", [lambda source: source, UnsignalledFeed, TekBuffer])
def test_media_open_with_the_keys_of_an_agent(layer: Callable[[KeySource], KeySource]) -> None:
    agent, out, decisions = Agent({1, 3}), MediaOut(), list[Decision]()
    source: KeySource = layer(agent)
    datagrams = [*broadcast(), Datagram(4.0, HERE, Endpoint(HOST, 2269), b"\x01\x00")]
    result = Player(source, out, PlayOptions(KNOWN)).play(datagrams, Hooks(on_decision=decisions.append))
    assert (agent.fed, result.teks, result.refusals) == ([1, 2, 3], 2, {"no rights object": 1})
    assert (result.packets_decrypted, result.missing_keys) == (2, {name(2): 1})
    assert result.stkms_unreadable == 1
    assert [decision.granted for decision in decisions] == [True, False, True]
    assert agent.left == ([] if layer is UnsignalledFeed else [SERVICE])
