"""Slow and faulty cards in real readers: delays by a latency profile, and what each kind of fault leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from card import CardProfile, memory_card
from host_tools.links.base import Link, LinkError
from host_tools.links.pcsc import PcscLink
from host_tools.realism.bridge import ReturningBridge
from host_tools.realism.faulty import FaultyCard
from host_tools.realism.latency import LatencyProfile
from host_tools.realism.plan import Fault, FaultKind, Injector
from host_tools.realism.slow import SlowCard
from tests.bench.echo import LOOPBACK
from tests.integration.conftest import Desk
from tests.integration.pcsc_client import Client
from vpicc_bridge.connection import Connection
from vpicc_bridge.lines import Dialler
from vpicc_bridge.slots import Bridge

pytestmark = pytest.mark.pcscd

CHALLENGE = bytes.fromhex("0084000008")
SELECT_USIM = bytes.fromhex("00A4040C07A0000000871002")
RIGHT_PIN = bytes.fromhex("002000010831323334FFFFFFFF")
WRONG_PIN = bytes.fromhex("002000010839393939FFFFFFFF")
ASK_PIN = bytes.fromhex("00200001")
READ_IMSI = bytes.fromhex("00B0870009")

Open = Callable[[str], Link]


@pytest.fixture
def connect() -> Iterator[Open]:
    """Connect to readers; every link is closed again."""
    links: list[Link] = []

    def opened(reader: str) -> Link:
        links.append(PcscLink.open(reader))
        return links[-1]

    yield opened
    for link in links:
        link.close()


def faulty(*plan: Fault, seed: int = 0) -> Callable[[int], Bridge]:
    """Return what makes the bridge of a card with faults for a port."""

    def make(port: int) -> Bridge:
        card = FaultyCard(memory_card(CardProfile.demo()), Injector(plan, seed), lambda after: bridge.pull(after))
        bridge = ReturningBridge(lambda: Connection(Dialler(LOOPBACK, port), card))
        return bridge

    return make


def status_words(link: Link, *commands: bytes) -> list[str]:
    return [link.transmit(command)[-2:].hex() for command in commands]


class TestLatency:
    LATENCY = LatencyProfile(
        default=(0.25,) * 11,
        commands={"GET CHALLENGE": tuple(n / 10 for n in range(11)), "VERIFY PIN": (2.0,) * 11},
    )

    def slow(self, naps: list[float], seed: int = 0) -> SlowCard:
        """Return a slow card that notes its naps and does not take them: its clock stands still."""
        card = memory_card(CardProfile.demo())
        return SlowCard(card, self.LATENCY, seed, sleep=naps.append, clock=lambda: 0.0)

    def test_every_command_in_a_reader_takes_its_own_time(self, insert: Desk, connect: Open) -> None:
        naps: list[float] = []
        link = connect(insert(self.slow(naps)))
        assert status_words(link, SELECT_USIM, RIGHT_PIN, READ_IMSI, CHALLENGE) == ["9000"] * 4
        assert naps[:3] == [0.25, 2.0, 0.25]
        assert 0.0 < naps[3] < 1.0

    def test_the_same_seed_gives_the_same_delays_in_two_readers(self, insert: Desk, connect: Open) -> None:
        runs: dict[str, list[float]] = {}
        for name, seed in (("one", 7), ("other", 7), ("third", 8)):
            naps = runs.setdefault(name, [])
            assert set(status_words(connect(insert(self.slow(naps, seed))), *[CHALLENGE] * 8)) == {"9000"}
        assert runs["one"] == runs["other"] != runs["third"]
        assert len(set(runs["one"])) == 8

    def test_a_nap_that_is_taken_delays_the_answer_and_loses_nothing(self, insert: Desk, connect: Open) -> None:
        short = LatencyProfile(default=(0.01,) * 11, commands={})
        link = connect(insert(SlowCard(memory_card(CardProfile.demo()), short)))
        assert len({link.transmit(CHALLENGE) for _ in range(5)}) == 5
        assert link.reset() == link.atr


class TestFaultsThatAnswer:
    def test_a_wrong_status_word_with_and_without_the_work_done(self, insert: Desk, connect: Open) -> None:
        plan = (
            Fault(FaultKind.WRONG_SW, command="VERIFY PIN", at=1, sw=0x6581),
            Fault(FaultKind.WRONG_SW, command="VERIFY PIN", at=2, sw=0x6581, executed=True),
        )
        link = connect(insert.insert_bridge(faulty(*plan)))
        told = status_words(link, SELECT_USIM, RIGHT_PIN, READ_IMSI, RIGHT_PIN, READ_IMSI)
        assert told == ["9000", "6581", "6982", "6581", "9000"]

    def test_an_internal_error_passes(self, insert: Desk, connect: Open) -> None:
        link = connect(insert.insert_bridge(faulty(Fault(FaultKind.INTERNAL_ERROR, command="SELECT", at=1))))
        assert [link.transmit(SELECT_USIM).hex() for _ in range(2)] == ["6f00", "9000"]

    def test_a_seed_repeats_the_faults_in_another_reader(self, insert: Desk, connect: Open) -> None:
        plan = Fault(FaultKind.WRONG_SW, chance=0.4, sw=0x6581)
        seen = [
            status_words(connect(insert.insert_bridge(faulty(plan, seed=seed))), *[CHALLENGE] * 24)
            for seed in (3, 3, 4)
        ]
        assert seen[0] == seen[1] != seen[2]
        assert set(seen[0]) == {"9000", "6581"}


class TestFaultsThatLoseTheCard:
    @pytest.mark.parametrize(
        ("kind", "tries"),
        [
            (FaultKind.DROP, "63c2"),
            (FaultKind.MUTE, "63c3"),
            (FaultKind.POWER_LOSS, "63c3"),
            (FaultKind.REMOVAL, "63c3"),
        ],
    )
    def test_only_a_dropped_answer_leaves_the_work_done(
        self, insert: Desk, client: Client, connect: Open, kind: FaultKind, tries: str
    ) -> None:
        """A wrong PIN whose answer never comes costs a try when the card had done its work."""
        reader = insert.insert_bridge(faulty(Fault(kind, command="VERIFY PIN", at=1)))
        link = connect(reader)
        assert status_words(link, SELECT_USIM) == ["9000"]
        with pytest.raises(LinkError):
            link.transmit(WRONG_PIN)
        client.wait_empty(reader)
        client.wait_present(reader)
        assert status_words(connect(reader), SELECT_USIM, ASK_PIN) == ["9000", tries]

    def test_with_the_power_goes_the_pin(self, insert: Desk, client: Client, connect: Open) -> None:
        reader = insert.insert_bridge(faulty(Fault(FaultKind.POWER_LOSS, command="GET CHALLENGE", at=1)))
        link = connect(reader)
        assert status_words(link, SELECT_USIM, RIGHT_PIN, READ_IMSI) == ["9000"] * 3
        with pytest.raises(LinkError):
            link.transmit(CHALLENGE)
        client.wait_empty(reader)
        client.wait_present(reader)
        assert status_words(connect(reader), SELECT_USIM, READ_IMSI, CHALLENGE) == ["9000", "6982", "9000"]
