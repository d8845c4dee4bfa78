"""The bootstrapping server: challenge, answer, resynchronisation, keys for servers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from card.crypto.gba import autn_star_mask
from card.crypto.milenage import Milenage
from card.crypto.primitives import xor_bytes
from card.crypto.secret import Secret
from host_tools.headend.bsf import Bsf
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.seeded import Seeded, SeededRng
from tests.unit.host_tools.headend.networks import IMPI, OPC, K, subscriber
from tests.vectors.loader import load

VECTOR = load("gba")["vectors"][0]
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FixedRng(SeededRng):
    """Draws the RAND of the vectors."""

    def random_bytes(self, count: int, /) -> bytes:
        rand: bytes = VECTOR["rand"]
        assert count == len(rand)
        return rand


def fixed_bsf() -> tuple[Bsf, ManualClock]:
    clock = ManualClock(START)
    name = VECTOR["bsf_name"].decode()
    return Bsf(name, subscriber(), FixedRng(Seeded(""), ""), clock), clock


def seeded_bsf() -> Bsf:
    return Bsf("bsf.example", subscriber(), SeededRng(Seeded("x"), "rand"), ManualClock(START))


def answer(rand: bytes) -> bytes:
    return Milenage(K, OPC).f2345(rand).res


def test_bootstrapping_gives_the_keys_of_the_vectors() -> None:
    bsf, _ = fixed_bsf()
    challenge = bsf.challenge(IMPI)
    result = bsf.complete(challenge.rand, answer(challenge.rand))
    assert result.b_tid == VECTOR["b_tid"].decode()
    assert result.lifetime == "2026-11-22T12:00:00Z"
    keys = bsf.ks_naf_keys(result.b_tid, VECTOR["naf_id"])
    assert keys.ks_int_naf == Secret(VECTOR["ks_int_naf"])
    assert keys.ks_ext_naf == Secret(VECTOR["ks_ext_naf"])


def test_autn_star_is_autn_with_its_mac_masked() -> None:
    bsf, _ = fixed_bsf()
    autn = subscriber().vector(VECTOR["rand"]).autn
    expected = autn[:8] + xor_bytes(autn[8:], autn_star_mask(VECTOR["ik"]))
    assert bsf.challenge(IMPI).autn_star == expected != autn


def test_a_challenge_can_be_answered_once() -> None:
    bsf = seeded_bsf()
    rand = bsf.challenge(IMPI).rand
    bsf.complete(rand, answer(rand))
    with pytest.raises(HeadendError, match="no challenge"):
        bsf.complete(rand, answer(rand))


@pytest.mark.parametrize("res", [b"", bytes(8), bytes(16)])
def test_a_wrong_res_ends_the_run(res: bytes) -> None:
    bsf = seeded_bsf()
    rand = bsf.challenge(IMPI).rand
    with pytest.raises(HeadendError, match="RES is wrong"):
        bsf.complete(rand, res)
    with pytest.raises(HeadendError, match="no challenge"):
        bsf.complete(rand, answer(rand))


def test_challenges_differ_and_only_the_newest_are_kept() -> None:
    bsf = seeded_bsf()
    rands = [bsf.challenge(IMPI).rand for _ in range(70)]
    assert len(set(rands)) == 70
    with pytest.raises(HeadendError, match="no challenge"):
        bsf.complete(rands[0], answer(rands[0]))
    assert bsf.complete(rands[-1], answer(rands[-1])).b_tid.endswith("@bsf.example")


def test_an_unknown_subscriber_gets_no_challenge() -> None:
    with pytest.raises(HeadendError, match="someone@else"):
        seeded_bsf().challenge("someone@else")


def test_resynchronisation_moves_the_next_challenge() -> None:
    bsf, milenage = seeded_bsf(), Milenage(K, OPC)
    rand = bsf.challenge(IMPI).rand
    sqn_ms = (1000 << 5 | 3).to_bytes(6, "big")
    auts = xor_bytes(sqn_ms, milenage.f5_star(rand)) + milenage.f1_star(rand, sqn_ms, bytes(2))
    bsf.resynchronise(IMPI, rand, auts)
    challenge = bsf.challenge(IMPI)
    sqn = xor_bytes(challenge.autn_star[:6], milenage.f2345(challenge.rand).ak)
    assert int.from_bytes(sqn, "big") >> 5 == 1001


def test_resynchronisation_needs_its_challenge() -> None:
    bsf = seeded_bsf()
    with pytest.raises(HeadendError, match="no challenge"):
        bsf.resynchronise(IMPI, bytes(16), bytes(14))
    rand = bsf.challenge(IMPI).rand
    with pytest.raises(HeadendError, match="another subscriber"):
        bsf.resynchronise("someone@else", rand, bytes(14))


def test_keys_of_an_unknown_or_expired_b_tid_are_refused() -> None:
    bsf, clock = fixed_bsf()
    with pytest.raises(HeadendError, match="not known"):
        bsf.ks_naf_keys("x@y", VECTOR["naf_id"])
    b_tid = bsf.presume_answered(bsf.challenge(IMPI).rand).b_tid
    clock.advance(24 * 3600)
    with pytest.raises(HeadendError, match="expired"):
        bsf.ks_naf_keys(b_tid, VECTOR["naf_id"])


def test_presuming_needs_a_challenge() -> None:
    with pytest.raises(HeadendError, match="no challenge"):
        seeded_bsf().presume_answered(bytes(16))
