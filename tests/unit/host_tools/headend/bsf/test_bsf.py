"""The bootstrapping server: challenge, answer, resynchronisation, keys for servers, push."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from card.crypto.gba import autn_star_mask, b_tid, flip_res
from card.crypto.gba_push import derive_gpi_keys, open_gpi
from card.crypto.milenage import Milenage
from card.crypto.primitives import xor_bytes
from card.crypto.secret import Secret
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.bsf.answers import NafKeys
from host_tools.headend.bsf.bootstrappings import MemoryBootstrappings
from host_tools.headend.bsf.server import PENDING_OF_A_SUBSCRIBER, Bsf
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import (
    BootstrapUnknownError,
    HeadendError,
    IdentityUnknownError,
    NafNotAuthorisedError,
)
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.gba_settings import UICC_BASED_MBMS, GbaSettings, UiccType
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.subscriber import Subscriber
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


NAF_ID, NAF = VECTOR["naf_id"], VECTOR["fqdn"].decode()
RIGHTS = {NAF: frozenset((VECTOR["fqdn"],))}
GBA_ME = GbaSettings(UiccType.GBA, KeyChoice.ME_BASED)


def bsf_of(name: str, subscribers: list[Subscriber], rng: SeededRng, clock: ManualClock) -> Bsf:
    return Bsf(name, MemorySubscribers(subscribers), MemoryBootstrappings(1000), RIGHTS, rng, clock)


def fixed_bsf(settings: GbaSettings = UICC_BASED_MBMS) -> tuple[Bsf, ManualClock]:
    clock = ManualClock(START)
    name = VECTOR["bsf_name"].decode()
    return bsf_of(name, [subscriber().with_settings(settings)], FixedRng(Seeded(""), ""), clock), clock


def seeded_bsf(settings: GbaSettings = UICC_BASED_MBMS) -> Bsf:
    rng = SeededRng(Seeded("x"), "rand")
    return bsf_of("bsf.example", [subscriber().with_settings(settings)], rng, ManualClock(START))


def plain_answer(rand: bytes) -> bytes:
    return Milenage(K, OPC).f2345(rand).res


def answer(rand: bytes) -> bytes:
    """Return RES as a GBA_U card gives it."""
    return flip_res(plain_answer(rand))


def keys_of(bsf: Bsf, b_tid: str, *, gba_u_aware: bool = True) -> NafKeys:
    return bsf.naf_keys(NAF, b_tid, NAF_ID, gba_u_aware=gba_u_aware)


@pytest.mark.norm("2")
def test_bootstrapping_gives_the_keys_of_the_vectors() -> None:
    bsf, _ = fixed_bsf()
    challenge = bsf.challenge(IMPI)
    result = bsf.complete(challenge.rand, VECTOR["res_sent"])
    assert result.b_tid == VECTOR["b_tid"].decode()
    assert result.lifetime == "2026-11-22T12:00:00Z"
    keys = keys_of(bsf, result.b_tid)
    assert keys.uicc_key == Secret(VECTOR["ks_int_naf"])
    assert keys.me_key == Secret(VECTOR["ks_ext_naf"])
    assert (keys.impi, keys.expires, keys.key_choice) == (IMPI, START + timedelta(days=1), KeyChoice.UICC_BASED)


@pytest.mark.norm("2")
@pytest.mark.parametrize(
    ("settings", "res", "what"),
    [
        (UICC_BASED_MBMS, VECTOR["res"], "RES not flipped"),
        (GBA_ME, VECTOR["res_sent"], "RES flipped"),
        (replace(UICC_BASED_MBMS, plain_res=True), VECTOR["res_sent"], "RES flipped"),
    ],
)
def test_a_res_that_is_flipped_or_not_is_told(
    settings: GbaSettings, res: bytes, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """TS 33.220 clause 5.3.2: a RES of GBA_U is none elsewhere, and the other way round."""
    bsf, _ = fixed_bsf(settings)
    rand = bsf.challenge(IMPI).rand
    with caplog.at_level(logging.WARNING), pytest.raises(HeadendError, match=what):
        bsf.complete(rand, res)
    assert [record.getMessage() for record in caplog.records] == [f"{IMPI}: {what}"]
    with pytest.raises(HeadendError, match="no challenge"):
        bsf.complete(rand, res)


@pytest.mark.norm("2")
def test_gba_me_has_a_plain_autn_a_plain_res_and_one_key() -> None:
    bsf, _ = fixed_bsf(GBA_ME)
    challenge = bsf.challenge(IMPI)
    assert challenge.autn_star == subscriber().vector(VECTOR["rand"]).autn
    keys = keys_of(bsf, bsf.complete(challenge.rand, VECTOR["res"]).b_tid)
    assert keys.me_key == Secret(VECTOR["ks_ext_naf"])  # Ks_NAF is made like it (TS 33.220 clause B.3)
    assert keys.uicc_key is None


def test_a_card_from_before_the_flipped_res() -> None:
    bsf, _ = fixed_bsf(replace(UICC_BASED_MBMS, plain_res=True))
    rand = bsf.challenge(IMPI).rand
    assert keys_of(bsf, bsf.complete(rand, VECTOR["res"]).b_tid).uicc_key == Secret(VECTOR["ks_int_naf"])


def test_a_server_that_does_not_know_gba_u_gets_one_key() -> None:
    bsf, _ = fixed_bsf()
    b_tid = bsf.presume_answered(bsf.challenge(IMPI).rand).b_tid
    keys = keys_of(bsf, b_tid, gba_u_aware=False)
    assert (keys.me_key, keys.uicc_key) == (Secret(VECTOR["ks_ext_naf"]), None)


@pytest.mark.parametrize(("naf", "naf_id"), [("other.example", NAF_ID), (NAF, b"other.example" + NAF_ID[-5:])])
def test_a_server_gets_keys_for_its_own_names_only(naf: str, naf_id: bytes) -> None:
    """TS 33.220 clause 5.3.3; 5402 of TS 29.109."""
    bsf, _ = fixed_bsf()
    b_tid = bsf.presume_answered(bsf.challenge(IMPI).rand).b_tid
    with pytest.raises(NafNotAuthorisedError, match="may not use the name"):
        bsf.naf_keys(naf, b_tid, naf_id, gba_u_aware=True)
    with pytest.raises(NafNotAuthorisedError, match="may not use the name"):
        bsf.push(naf, IMPI, naf_id, timedelta(hours=1), "p@naf")


def test_a_new_run_replaces_ks_and_b_tid() -> None:
    bsf = seeded_bsf()
    first, second = (bsf.presume_answered(bsf.challenge(IMPI).rand).b_tid for _ in range(2))
    assert keys_of(bsf, second).me_key != Secret(bytes(32))
    with pytest.raises(BootstrapUnknownError, match="not known"):
        keys_of(bsf, first)


def test_the_tmpi_of_the_last_run_names_the_subscriber() -> None:
    """TS 33.220 clause B.4; 5401 of TS 29.109 for one that is not known."""
    bsf, _ = fixed_bsf()
    tmpi = load("gba")["tmpi"]["tmpi"].decode()
    with pytest.raises(IdentityUnknownError, match=r"tmpi\.bsf\.3gppnetwork\.org"):
        bsf.challenge(tmpi)
    bsf.complete(bsf.challenge(IMPI).rand, VECTOR["res_sent"])
    assert bsf.complete(bsf.challenge(tmpi).rand, VECTOR["res_sent"]).b_tid == VECTOR["b_tid"].decode()
    with pytest.raises(IdentityUnknownError):
        bsf.challenge("")


class TestPush:
    PUSH = load("gba_push")["vectors"][0]

    def test_the_message_of_the_vectors(self) -> None:
        """TS 33.223 clause 5.3: message and keys, for Key_LT 2030-01-02T03:04:05Z."""
        bsf, clock = fixed_bsf(replace(UICC_BASED_MBMS, lifetime=timedelta(days=3650)))
        expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
        made = bsf.push(NAF, IMPI, NAF_ID, expires - clock.now(), self.PUSH["p_tid"].decode())
        vector = open_gpi(self.PUSH["gpi"], derive_gpi_keys(Secret(VECTOR["ks"]), VECTOR["rand"], VECTOR["impi"]))
        opened = open_gpi(made.gpi, derive_gpi_keys(Secret(VECTOR["ks"]), VECTOR["rand"], VECTOR["impi"]))
        assert replace(opened, autn=vector.autn) == vector
        assert (made.keys.me_key, made.keys.uicc_key) == (Secret(VECTOR["ks_ext_naf"]), Secret(VECTOR["ks_int_naf"]))
        assert made.keys.expires == expires

    def test_it_ends_the_ks_before_and_its_own_serves_nothing_else(self) -> None:
        """TS 33.223 clause 5.1.3."""
        bsf = seeded_bsf()
        b_tid = bsf.presume_answered(bsf.challenge(IMPI).rand).b_tid
        pushed = bsf.push(NAF, IMPI, NAF_ID, timedelta(hours=1), "p@naf")
        for name in (b_tid, b_tid_of(pushed.gpi[1:17])):
            with pytest.raises(BootstrapUnknownError):
                keys_of(bsf, name)

    def test_auts_answers_a_push_once(self) -> None:
        """TS 33.223 clauses 5.1.2 and 5.1.3 step 4; a RES answers no push."""
        bsf, milenage = seeded_bsf(), Milenage(K, OPC)
        rand = bsf.push(NAF, IMPI, NAF_ID, timedelta(hours=1), "p@naf").gpi[1:17]
        with pytest.raises(HeadendError, match="no challenge"):
            bsf.complete(rand, flip_res(milenage.f2345(rand).res))
        sqn_ms = (1000 << 5 | 3).to_bytes(6, "big")
        auts = xor_bytes(sqn_ms, milenage.f5_star(rand)) + milenage.f1_star(rand, sqn_ms, bytes(2))
        bsf.resynchronise(IMPI, rand, auts)
        again = bsf.push(NAF, IMPI, NAF_ID, timedelta(hours=1), "p@naf").gpi
        sqn = xor_bytes(again[17:23], milenage.f2345(again[1:17]).ak)
        assert int.from_bytes(sqn, "big") >> 5 == 1001
        with pytest.raises(HeadendError, match="no challenge"):
            bsf.resynchronise(IMPI, rand, auts)

    def test_gba_me(self) -> None:
        bsf, _ = fixed_bsf(GBA_ME)
        pushed = bsf.push(NAF, IMPI, NAF_ID, timedelta(hours=1), "p@naf", "usim")
        assert pushed.gpi[0] == 0x10
        assert pushed.keys.uicc_key is None

    def test_a_push_that_cannot_be_made_leaves_ks_alone(self) -> None:
        bsf = seeded_bsf()
        b_tid = bsf.presume_answered(bsf.challenge(IMPI).rand).b_tid
        with pytest.raises(HeadendError, match="may live"):
            bsf.push(NAF, IMPI, NAF_ID, timedelta(days=2), "p@naf")
        with pytest.raises(IdentityUnknownError):
            bsf.push(NAF, "someone@else", NAF_ID, timedelta(hours=1), "p@naf")
        with pytest.raises(HeadendError, match="P-TID"):
            bsf.push(NAF, IMPI, NAF_ID, timedelta(hours=1), "p" * 256)
        assert keys_of(bsf, b_tid).impi == IMPI


def b_tid_of(rand: bytes) -> str:
    return b_tid(rand, b"bsf.example").decode()


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
    rands = [bsf.challenge(IMPI).rand for _ in range(PENDING_OF_A_SUBSCRIBER + 1)]
    assert len(set(rands)) == len(rands)
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
    with pytest.raises(IdentityUnknownError, match="someone@else"):
        bsf.resynchronise("someone@else", rand, bytes(14))


def test_keys_of_an_unknown_or_expired_b_tid_are_refused() -> None:
    bsf, clock = fixed_bsf()
    with pytest.raises(HeadendError, match="not known"):
        keys_of(bsf, "x@y")
    b_tid = bsf.presume_answered(bsf.challenge(IMPI).rand).b_tid
    clock.advance(24 * 3600)
    with pytest.raises(HeadendError, match="expired"):
        keys_of(bsf, b_tid)


def test_presuming_needs_a_challenge() -> None:
    with pytest.raises(HeadendError, match="no challenge"):
        seeded_bsf().presume_answered(bytes(16))
