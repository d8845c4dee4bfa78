"""The whole network in one process, and its LTKMs in a file."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.mikey import MikeyMessage, Timestamp
from card.spec.bcast.p1 import P1
from host_tools.headend.bsm.ltkm import recipient
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.handover import Handover, StoredBsf
from host_tools.headend.scenario.recorder import record
from host_tools.headend.scenario.usim import UsimNetwork
from tests.unit.host_tools.headend.networks import IMPI, OPC, K, small_network, small_scenario, subscriber

HANDOVER = Handover.mint(small_network())


def test_a_network_behaves_the_same_every_time() -> None:
    one, two = (small_network() for _ in range(2))
    assert one.bsf.challenge(IMPI) == two.bsf.challenge(IMPI)
    assert one.recording().pcap == record(small_scenario(), tables=P1).pcap
    assert one.truth is one.recording().truth
    assert Handover.mint(small_network()) == HANDOVER


def test_ltkms_are_minted_as_planned() -> None:
    network = small_network()
    b_tid = network.bsf.presume_answered(network.bsf.challenge(IMPI).rand).b_tid
    for number, delivery in enumerate(network.deliveries, 1):
        message = MikeyMessage.decode(network.ltkm(delivery, b_tid))
        assert message.key_ids() == delivery.key.key_ids
        assert message.one(Timestamp).value == number


def test_a_scenario_is_for_one_subscriber() -> None:
    with pytest.raises(HeadendError, match="for IMSI 001010000000000, not for 001010123456789"):
        UsimNetwork(small_scenario(**{"001010123456789": "001010000000000"}), subscriber(), tables=P1)


def test_a_handover_survives_its_file() -> None:
    assert Handover.parse(HANDOVER.to_json(), "x") == HANDOVER
    assert [planned.at for planned in HANDOVER.ltkms] == [-0.1, -0.1, 0.7]
    assert {recipient(planned.ltkm) for planned in HANDOVER.ltkms} == {HANDOVER.result.b_tid}


def test_a_handover_holds_no_secret() -> None:
    text = HANDOVER.to_json()
    network = small_network()
    b_tid = network.bsf.presume_answered(network.bsf.challenge(IMPI).rand).b_tid
    keys = [key.key for service in ("one", "two") for key in network.bsm.keys(service)]
    secrets = [K, OPC, network.bsm.smk(b_tid), network.bsm.srk(b_tid), *keys]
    assert all(secret.reveal().hex() not in text for secret in secrets)


def test_a_stored_server_plays_its_part() -> None:
    bsf = StoredBsf(HANDOVER)
    challenge = bsf.challenge(IMPI)
    assert challenge == HANDOVER.challenge
    assert bsf.complete(challenge.rand, b"any") == HANDOVER.result
    with pytest.raises(HeadendError, match="the card is someone@else"):
        bsf.challenge("someone@else")
    with pytest.raises(HeadendError, match="later challenge"):
        bsf.resynchronise(IMPI, challenge.rand, bytes(14))


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("format", "other", "format"),
        ("rand", "00", "rand has 1 bytes, not 16"),
        ("autn_star", "zz", "non-hexadecimal"),
        ("b_tid", None, "b_tid is missing"),
        ("ltkms", {}, "ltkms is missing or of the wrong kind"),
        ("ltkms", [5], "at is missing"),
        ("b_tid", "\ud800", r"b_tid holds half of a character \(a lone surrogate\)"),
        ("impi", "x\udfff", r"impi holds half of a character \(a lone surrogate\)"),
        ("b_tid", "é@bsf", "b_tid is no name: printable ASCII is wanted"),
        ("lifetime", "1\n2", "lifetime is no name"),
        ("ltkms", [{"at": 1e308, "service": "", "ltkm": ""}], "at is no time within a broadcast"),
        ("ltkms", [{"at": float("nan"), "service": "", "ltkm": ""}], "at is no time within a broadcast"),
        ("ltkms", [{"at": 10**400, "service": "", "ltkm": ""}], "int too large"),
        ("ltkms", [{"at": True, "service": "", "ltkm": ""}], "at is missing or of the wrong kind"),
    ],
)
def test_a_wrong_file_is_refused_with_the_field(field: str, value: object, complaint: str) -> None:
    data = json.loads(HANDOVER.to_json()) | {field: value}
    with pytest.raises(HeadendError, match=f"my.json is no file of LTKMs: .*{complaint}"):
        Handover.parse(json.dumps(data), "my.json")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(json.loads(HANDOVER.to_json()))), json_values)
def test_hostile_values_are_refused_or_read(field: str, value: object) -> None:
    data = json.loads(HANDOVER.to_json()) | {field: value}
    try:
        read = Handover.parse(json.dumps(data), "x")
    except HeadendError:
        return
    assert replace(read, impi=IMPI).naf_id == read.naf_id


@given(st.text(max_size=40))
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(HeadendError):
        Handover.parse(text, "x")
