"""The BSM: keys by B-TID, LTKMs in order, withdrawal, further keys, verification."""

from __future__ import annotations

import pytest

from card.codec.mikey import KeyInterval, MikeyMessage, Timestamp, decode_key_data
from card.crypto.secret import Secret
from card.spec.bcast_p1 import P1
from host_tools.headend.bsm import Bsm
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import HeadendError, VerificationError
from host_tools.headend.network import TestNetwork
from tests.oracle.mikey import open_kemac
from tests.unit.host_tools.headend.networks import IMPI, small_network, small_scenario, subscriber


def bootstrapped(network: TestNetwork) -> tuple[Bsm, str]:
    return network.bsm, network.bsf.presume_answered(network.bsf.challenge(IMPI).rand).b_tid


def key_in(bsm: Bsm, b_tid: str, ltkm: bytes) -> tuple[Secret, KeyInterval]:
    """Open an LTKM with the oracle and return key and validity."""
    key = next(key for key in bsm.keys("one") if key.csb_id == MikeyMessage.decode(ltkm).header.csb_id)
    plain = open_kemac(bsm.smk(b_tid).reveal(), key.rand, ltkm)
    assert plain is not None
    (item,) = decode_key_data(plain)
    assert isinstance(item.validity, KeyInterval)
    return item.key, item.validity


def test_smk_and_srk_are_the_naf_keys() -> None:
    network = small_network()
    bsm, b_tid = bootstrapped(network)
    assert bsm.naf_id == b"bmsc.mnc001.mcc001.pub.3gppnetwork.org" + bytes.fromhex("0100000001")
    keys = network.bsf.ks_naf_keys(b_tid, bsm.naf_id)
    assert (bsm.smk(b_tid), bsm.srk(b_tid)) == (keys.ks_int_naf, keys.ks_ext_naf)
    assert bsm.smk(b_tid) != bsm.srk(b_tid)


def test_an_ltkm_brings_the_current_key() -> None:
    network = small_network()
    bsm, b_tid = bootstrapped(network)
    first = bsm.keys("one")[0]
    ltkm = bsm.ltkm("one", b_tid)
    assert key_in(bsm, b_tid, ltkm) == (first.key, first.validity)
    assert MikeyMessage.decode(ltkm).key_ids() == first.key_ids
    assert MikeyMessage.decode(ltkm).header.verification_requested


def test_the_clock_says_which_key_is_current() -> None:
    scenario = small_scenario()
    clock = ManualClock(scenario.start)
    bsm = TestNetwork(scenario, subscriber(), clock, tables=P1).bsm
    first, second = bsm.keys("one")
    assert bsm.current_key("one") == first
    clock.advance(0.999)
    assert bsm.current_key("one") == first
    clock.advance(0.001)
    assert bsm.current_key("one") == second
    clock.advance(100)
    assert bsm.current_key("one") == second


def test_the_counter_grows_per_smk() -> None:
    network = small_network()
    bsm, first = bootstrapped(network)
    _, second = bootstrapped(network)
    counters = [MikeyMessage.decode(bsm.ltkm(service, first)).one(Timestamp).value for service in ("one", "two")]
    assert counters == [1, 2]
    assert MikeyMessage.decode(bsm.ltkm("one", second)).one(Timestamp).value == 1


def test_a_withdrawal_has_the_lower_limit_above_the_upper() -> None:
    bsm, b_tid = bootstrapped(small_network())
    _, validity = key_in(bsm, b_tid, bsm.withdrawal("one", b_tid))
    assert validity.lower > validity.upper


def test_a_further_key_follows_the_last() -> None:
    bsm, b_tid = bootstrapped(small_network())
    last = bsm.keys("one")[-1]
    key = bsm.rekey("one")
    assert key.key_ids.key_group == last.key_ids.key_group
    assert key.msk_id > last.msk_id
    assert (key.first_mtk_id, key.last_mtk_id) == (last.last_mtk_id + 1, 0xFFFF)
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
