"""The BSM: keys by B-TID, LTKMs in order, pull, validity, withdrawal, deregistration, further keys, verification."""

from __future__ import annotations

import io

import pytest

from card.codec.mikey import (
    CryptoSession,
    Kemac,
    KeyInterval,
    MbmsKeyIds,
    MikeyMessage,
    Timestamp,
    decode_key_data,
)
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.content.captures.pcap import CaptureReader
from host_tools.headend.bsm.ltkm import recipient
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import HeadendError, VerificationError
from host_tools.headend.scenario.usim import UsimNetwork
from tests.oracle.mikey import open_kemac
from tests.unit.host_tools.headend.networks import IMPI, small_network, small_scenario, subscriber


def bootstrapped(network: UsimNetwork) -> tuple[Bsm, str]:
    return network.bsm, network.bsf.presume_answered(network.bsf.challenge(IMPI).rand).b_tid


def key_in(bsm: Bsm, b_tid: str, ltkm: bytes) -> tuple[Secret, KeyInterval]:
    """Open an LTKM with the oracle and return key and validity."""
    key = next(key for key in bsm.keys("one") if key.csb_id == MikeyMessage.decode(ltkm).header.csb_id)
    plain = open_kemac(bsm.smk(b_tid).reveal(), key.rand, ltkm)
    assert plain is not None
    (item,) = decode_key_data(plain)
    assert isinstance(item.validity, KeyInterval)
    return item.key, item.validity


def counter_of(ltkm: bytes) -> int:
    return MikeyMessage.decode(ltkm).one(Timestamp).value


def test_smk_and_srk_are_the_naf_keys() -> None:
    network = small_network()
    bsm, b_tid = bootstrapped(network)
    assert bsm.naf_id == b"bmsc.mnc001.mcc001.pub.3gppnetwork.org" + bytes.fromhex("0100000001")
    naf = network.scenario.network.bsm_fqdn
    keys = network.bsf.naf_keys(naf, b_tid, bsm.naf_id, gba_u_aware=True)
    assert (bsm.smk(b_tid), bsm.srk(b_tid)) == (keys.uicc_key, keys.me_key)
    assert bsm.smk(b_tid) != bsm.srk(b_tid)


def test_an_ltkm_brings_the_current_key() -> None:
    network = small_network()
    bsm, b_tid = bootstrapped(network)
    first = bsm.keys("one")[0]
    ltkm = bsm.ltkm("one", b_tid)
    assert key_in(bsm, b_tid, ltkm) == (first.key, first.validity)
    assert MikeyMessage.decode(ltkm).key_ids() == first.key_ids
    assert MikeyMessage.decode(ltkm).header.verification_requested


@pytest.mark.norm("57")
def test_an_ltkm_describes_the_srtp_stream() -> None:
    """TS 33.246 clause 6.4.5.1: one crypto session with the SSRC of the packets, and a policy."""
    network = small_network()
    bsm, b_tid = bootstrapped(network)
    header = MikeyMessage.decode(bsm.ltkm("one", b_tid)).header
    (ssrc,) = {
        int.from_bytes(datagram.payload[8:12], "big")
        for datagram in CaptureReader(io.BytesIO(network.recording().pcap))
        if datagram.destination.port == 5004
    }
    assert header.sessions == (CryptoSession(0, ssrc, 0),)


@pytest.mark.norm("57")
def test_an_ltkm_tells_the_roll_over_counter_of_its_moment() -> None:
    """Service two begins at sequence number 65530, so its seventh packet, at 120 ms, is behind the wrap."""
    scenario = small_scenario()
    clock = ManualClock(scenario.start)
    network = UsimNetwork(scenario, subscriber(), clock, tables=P1)
    bsm, b_tid = bootstrapped(network)
    counters = []
    for _ in range(2):
        (session,) = MikeyMessage.decode(bsm.ltkm("two", b_tid)).header.sessions
        counters.append(session.roc)
        clock.advance(0.12)
    assert counters == [0, 1]


@pytest.mark.norm("62")
def test_a_solicited_pull() -> None:
    """TS 33.246 clause 6.3.2.2.4: Key Number 0, V clear, no key data, protected all the same."""
    bsm, b_tid = bootstrapped(small_network())
    pull = MikeyMessage.decode(bsm.pull("one", b_tid))
    key = bsm.current_key("one")
    assert pull.key_ids() == MbmsKeyIds(key.key_domain_id, key.msk_id[:2] + bytes(2))
    assert not pull.header.verification_requested
    assert pull.one(Kemac).encrypted == b""
    pull.one(Kemac).require_protection()
    assert open_kemac(bsm.smk(b_tid).reveal(), key.rand, pull.encode()) == b""


@pytest.mark.norm("62")
def test_beyond_the_life_of_the_muk_a_pull_is_all_that_goes_out() -> None:
    scenario = small_scenario()
    clock = ManualClock(scenario.start)
    bsm, b_tid = bootstrapped(UsimNetwork(scenario, subscriber(), clock, tables=P1))
    bsm.smk(b_tid)  # the BM-SC has asked for it
    clock.advance(24 * 3600)
    for refused in (bsm.ltkm, bsm.withdrawal):
        with pytest.raises(HeadendError, match="solicited pull"):
            refused("one", b_tid)
    with pytest.raises(HeadendError, match="solicited pull"):
        bsm.validity_update(b_tid, bsm.keys("one")[0], 1, 2)
    assert recipient(bsm.pull("one", b_tid)) == b_tid


@pytest.mark.norm("62")
def test_the_muk_of_an_earlier_run_still_serves_a_pull() -> None:
    """The BSF has only the newest Ks; the BM-SC keeps the MUK it knows (TS 33.246 clause 6.1), and two at most."""
    network = small_network()
    bsm, first = bootstrapped(network)
    bsm.ltkm("one", first)
    _, second = bootstrapped(network)
    assert recipient(bsm.pull("one", first)) == first
    bsm.ltkm("one", second)
    assert recipient(bsm.pull("one", first)) == first
    _, third = bootstrapped(network)
    bsm.ltkm("one", third)
    with pytest.raises(HeadendError, match="not known"):
        bsm.pull("one", first)


@pytest.mark.norm("59", "62")
def test_a_message_about_validity_alone() -> None:
    """TS 33.246 clause 6.5.3: no key, and limits of which the lower one is exclusive."""
    bsm, b_tid = bootstrapped(small_network())
    key = bsm.keys("one")[0]
    assert key_in(bsm, b_tid, bsm.validity_update(b_tid, key, 5, 9)) == (Secret(b""), KeyInterval.between(4, 9, 2))


@pytest.mark.norm("60")
@pytest.mark.parametrize(("first", "last"), [(0, 9), (5, 0xFFFF)])
def test_limits_that_no_key_may_have(first: int, last: int) -> None:
    bsm, b_tid = bootstrapped(small_network())
    with pytest.raises(HeadendError, match="from 1 to 65534"):
        bsm.validity_update(b_tid, bsm.keys("one")[0], first, last)


class TestDeregistration:
    """TS 33.246 clause 6.3.2.1B."""

    @staticmethod
    def invalidated(bsm: Bsm, b_tid: str, left: list[str], kept: list[str]) -> list[str]:
        ltkms = bsm.deregister(b_tid, left, kept)
        for ltkm in ltkms:
            key = next(
                k for s in ("one", "two") for k in bsm.keys(s) if k.key_ids == MikeyMessage.decode(ltkm).key_ids()
            )
            plain = open_kemac(bsm.smk(b_tid).reveal(), key.rand, ltkm)
            assert plain is not None
            (item,) = decode_key_data(plain)
            assert isinstance(item.validity, KeyInterval)
            assert item.validity.lower > item.validity.upper
        return [MikeyMessage.decode(ltkm).key_ids().msk_id.hex() for ltkm in ltkms]

    def test_what_was_delivered_is_made_invalid_once(self) -> None:
        bsm, b_tid = bootstrapped(small_network())
        for key in bsm.keys("one"):
            bsm.ltkm("one", b_tid, key)
        assert self.invalidated(bsm, b_tid, ["one", "two", "one"], []) == ["00010001", "00010002"]
        assert self.invalidated(bsm, b_tid, ["one"], []) == []

    def test_a_service_of_another_item_goes_on(self) -> None:
        bsm, b_tid = bootstrapped(small_network())
        bsm.ltkm("one", b_tid)
        bsm.ltkm("two", b_tid)
        assert self.invalidated(bsm, b_tid, ["one", "two"], ["two"]) == ["00010001"]

    def test_a_new_b_tid_is_the_same_subscriber(self) -> None:
        network = small_network()
        bsm, first = bootstrapped(network)
        bsm.ltkm("one", first)
        _, second = bootstrapped(network)
        assert self.invalidated(bsm, second, ["one"], []) == ["00010001"]


def test_where_no_key_has_begun_none_is_current() -> None:
    """As where a broadcast was repeated and its next key is late: it is said, and no error of the server."""
    scenario = small_scenario()
    network = UsimNetwork(scenario, subscriber(), ManualClock(scenario.start), tables=P1)
    first, _ = network.bsm.keys("one")
    network.keys.drop_sek(first)
    with pytest.raises(HeadendError, match="no SEK of one has begun"):
        network.bsm.current_key("one")


def test_the_clock_says_which_key_is_current() -> None:
    scenario = small_scenario()
    clock = ManualClock(scenario.start)
    bsm = UsimNetwork(scenario, subscriber(), clock, tables=P1).bsm
    first, second = bsm.keys("one")
    assert bsm.current_key("one") == first
    clock.advance(0.999)
    assert bsm.current_key("one") == first
    clock.advance(0.001)
    assert bsm.current_key("one") == second
    clock.advance(100)
    assert bsm.current_key("one") == second


def test_the_counter_grows_per_smk() -> None:
    """TS 33.246 clause 6.4.3: one more with each message, also one sent again; anew with a new MUK."""
    network = small_network()
    bsm, first = bootstrapped(network)
    plain = bsm.ltkm("one", first)
    sent = [plain, bsm.pull("two", first), bsm.withdrawal("two", first), bsm.renewed(plain), bsm.ltkm("two", first)]
    assert [counter_of(ltkm) for ltkm in sent] == [1, 2, 3, 4, 5]
    assert key_in(bsm, first, sent[3]) == key_in(bsm, first, plain)
    _, second = bootstrapped(network)
    assert counter_of(bsm.ltkm("one", second)) == 1


def test_a_withdrawal_has_the_lower_limit_above_the_upper() -> None:
    bsm, b_tid = bootstrapped(small_network())
    _, validity = key_in(bsm, b_tid, bsm.withdrawal("one", b_tid))
    assert validity.lower > validity.upper


@pytest.mark.norm("60")
def test_a_further_key_follows_the_last() -> None:
    bsm, b_tid = bootstrapped(small_network())
    last = bsm.keys("one")[-1]
    key = bsm.rekey("one")
    assert key.key_ids.key_group == last.key_ids.key_group
    assert key.msk_id > last.msk_id
    assert (key.first_mtk_id, key.last_mtk_id) == (last.last_mtk_id + 1, 0xFFFE)
    assert key_in(bsm, b_tid, bsm.ltkm("one", b_tid, key))[0] == key.key != last.key
    with pytest.raises(HeadendError, match="all MTK IDs"):
        bsm.rekey("one")


def test_unknown_names_are_refused() -> None:
    bsm, b_tid = bootstrapped(small_network())
    with pytest.raises(HeadendError, match="no service three"):
        bsm.ltkm("three", b_tid)
    with pytest.raises(HeadendError, match="not known"):
        bsm.ltkm("one", "x@y")


def test_verification_finds_the_smk_by_the_ltkm() -> None:
    bsm, b_tid = bootstrapped(small_network())
    ltkm = bsm.ltkm("one", b_tid)
    with pytest.raises(VerificationError, match="cannot be read"):
        bsm.verify(ltkm, b"junk")
    with pytest.raises(VerificationError, match="no LTKM"):
        bsm.verify(b"junk", b"junk")
    with pytest.raises(HeadendError, match="no LTKM"):
        bsm.renewed(b"junk")
