"""Recordings: the same every time, and what a terminal finds in them is the truth."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest

from card.codec.mikey import MikeyMessage, Timestamp, decode_key_data
from card.spec.bcast.p1 import P1
from host_tools.content.captures.pcap import CaptureReader, Datagram
from host_tools.content.rtp import RtpPacket
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.content.srtp.receiver import SrtpReceiver
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.slots import StkmSlot
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.scenario.maker import make_bsda, make_keys
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record, record_to
from host_tools.headend.scenario.schedule import slots
from host_tools.headend.scenario.seeded_keys import service_keys
from host_tools.headend.scenario.truth import MediaDigest, TekName
from host_tools.headend.sealing import MikeySealer
from tests.oracle.mikey import open_kemac
from tests.unit.host_tools.headend.networks import small_scenario

SCENARIO = small_scenario()
RECORDING = record(SCENARIO, tables=P1)


def datagrams(pcap: bytes) -> list[Datagram]:
    reader = CaptureReader(io.BytesIO(pcap))
    found = list(reader)
    assert reader.report.truncated_at is None
    assert reader.report.udp == reader.report.packets
    return found


def stkms(pcap: bytes) -> list[Datagram]:
    return [item for item in datagrams(pcap) if item.destination.port == 2269]


def open_stkms(scenario: Scenario, pcap: bytes) -> dict[TekName, TrafficKey]:
    """Open every STKM of a capture with the oracle and return the keys found."""
    found: dict[TekName, TrafficKey] = {}
    for datagram in stkms(pcap):
        ids = MikeyMessage.decode(datagram.payload).key_ids()
        (sek,) = [
            key for key in service_keys(scenario) if (key.key_domain_id, key.msk_id) == (ids.key_domain_id, ids.msk_id)
        ]
        plain = open_kemac(sek.key.reveal(), sek.rand, datagram.payload)
        assert plain is not None
        (item,) = decode_key_data(plain)
        assert item.salt is not None
        assert ids.mtk_id is not None
        found[TekName(ids.key_domain_id, ids.msk_id, ids.mtk_id)] = TrafficKey(item.key, item.salt)
    return found


@pytest.mark.parametrize(
    "scenario",
    [
        shipped_scenario("demo"),
        SCENARIO,
        small_scenario(**{'id = "one"': 'id = "one"\nbcast = { protection_after_reception = 3 }'}),
    ],
)
def test_an_stkm_that_goes_out_again_is_what_its_slot_asks_for(scenario: Scenario) -> None:
    back_end = BackEnd(make_keys(scenario), MikeySealer)
    on_the_air = make_bsda(scenario, back_end, P1)
    asked = [slot for slot in slots(scenario) if isinstance(slot, StkmSlot)]
    sent = [on_the_air.stkm(slot) for slot in asked]
    assert any(slot.copy for slot in asked)
    assert back_end.sealed == sum(not slot.copy for slot in asked)
    other = make_bsda(scenario, back_end, P1)
    assert [other.stkm(replace(slot, copy=0)) for slot in asked] == sent


def test_the_same_scenario_gives_the_same_bytes() -> None:
    again = record(small_scenario(), tables=P1)
    assert again.pcap == RECORDING.pcap
    assert again.truth == RECORDING.truth


# Service one rolls over behind its second period; its viewer switches to service two in the third.
NAMES = [("00010001", 1), ("00010001", 2), ("00010002", 3), ("00020001", 3), ("00020001", 4)]


def test_another_seed_gives_other_bytes() -> None:
    assert record(small_scenario(**{"a seed": "another"}), tables=P1).pcap != RECORDING.pcap


@pytest.mark.parametrize(
    "scenario",
    [SCENARIO, small_scenario(**{'view = "one"': 'view = "all"'}), shipped_scenario("demo")],
    ids=["viewed", "all", "demo"],
)
def test_a_terminal_finds_the_truth(scenario: Scenario) -> None:
    """The keys come out of the STKMs by the oracle, the media by those keys, also across the wrap at 65535."""
    recording = record(scenario, tables=P1)
    keys = open_stkms(scenario, recording.pcap)
    assert keys == recording.truth.teks
    receiver, digests = SrtpReceiver(HEADEND_FORMAT), defaultdict[int, MediaDigest](MediaDigest)
    for name, key in keys.items():
        receiver.add_key(tek_name(name.msk_id, name.mtk_id), key)
    for datagram in datagrams(recording.pcap):
        if datagram.destination.port != 2269:
            digests[datagram.destination.port].add(RtpPacket.decode(receiver.unprotect(datagram.payload)).payload)
    ports = recording.truth.ports
    heard = {name: digests[ports[name]].result() for name in recording.truth.media}
    assert heard == recording.truth.media


def test_the_capture_is_in_order_of_time_and_starts_before_the_media() -> None:
    times = [round(item.timestamp - SCENARIO.start.timestamp(), 6) for item in datagrams(RECORDING.pcap)]
    assert times[0] == -0.1
    assert all(before <= after for before, after in pairwise(times))


@pytest.mark.norm("61")
def test_plain_mbms_sends_the_same_bytes_again_within_a_crypto_period() -> None:
    """TS 33.246 clause 6.4.3; another period has a higher T, another MSK begins anew."""
    by_name: dict[tuple[bytes, bytes], set[bytes]] = defaultdict(set)
    for item in stkms(RECORDING.pcap):
        ids = MikeyMessage.decode(item.payload).key_ids()
        by_name[ids.msk_id, ids.mtk_id or b""].add(item.payload)
    assert {len(payloads) for payloads in by_name.values()} == {1}
    counters = {name: MikeyMessage.decode(*payloads).one(Timestamp).value for name, payloads in by_name.items()}
    assert [counters[bytes.fromhex(msk_id), bytes((0, mtk_id))] for msk_id, mtk_id in NAMES] == [1, 2, 1, 3, 4]
    truth = RECORDING.truth
    assert (truth.stkms_sent, truth.stkms_different) == (len(stkms(RECORDING.pcap)), len(by_name))


def test_a_switch_changes_what_is_recorded() -> None:
    start = SCENARIO.start.timestamp()
    for item in datagrams(RECORDING.pcap):
        expected = "239.1.1.1" if item.timestamp - start < 1.1999 else "239.1.1.2"
        assert item.destination.host == expected
    assert RECORDING.truth.media["one"].packets == 60
    assert RECORDING.truth.media["two"].packets == 40


def test_progress_reaches_the_end() -> None:
    reached: list[int] = []
    record_to(SCENARIO, io.BytesIO(), reached.append, tables=P1)
    assert reached == sorted(reached)
    assert reached[-1] == 1980


def test_no_tek_shows() -> None:
    shown = repr(RECORDING.truth) + repr(RECORDING.deliveries)
    assert "Secret(16 bytes)" in shown
    assert all(key.tek.reveal().hex() not in shown for key in RECORDING.truth.teks.values())
    assert all(str(key.tek.reveal()) not in shown for key in RECORDING.truth.teks.values())
