"""AUTHENTICATE in the GSM and 3G contexts, and the bootstrapping of the GBA context."""

from __future__ import annotations

import pytest

from tests.support.network import autn_star, bootstrap, rand, vector
from tests.support.profiles import PIN1, card_profile
from tests.support.testcard import SELECT_USIM, Answer, TestCard, lv
from tests.vectors.loader import load

GSM, UMTS, GBA = "80", "81", "84"


@pytest.fixture
def card() -> TestCard:
    return TestCard.new().ready()


def command(context: str, data: bytes) -> bytes:
    return bytes.fromhex(f"008800{context}") + bytes((len(data),)) + data


def umts(made: dict[str, bytes], number: int = 1) -> bytes:
    return command(UMTS, lv(rand(number), made["autn"]))


def gba(made: dict[str, bytes], number: int = 1) -> bytes:
    return command(GBA, b"\xdd" + lv(rand(number), autn_star(made)))


# --- 3G


def test_3g(card: TestCard) -> None:
    made = vector(1, rand(1))
    expected = b"\xdb" + lv(made["f2"], made["f3"], made["f4"], made["kc"])
    assert card.ok(umts(made)) == expected


def test_the_vector_of_an_independent_client() -> None:
    vector = load("aka_pysim")["vectors"][0]
    card = TestCard.new(card_profile(k=vector["k"], opc=vector["opc"])).ready()
    expected = b"\xdb" + lv(vector["res"], vector["ck"], vector["ik"], vector["kc"])
    assert card.ok(command(UMTS, lv(vector["rand"], vector["autn"]))) == expected


@pytest.mark.parametrize("published", load("milenage")["vectors"], ids=lambda item: f"set{item['set']}")
def test_published_milenage_sets(published: dict[str, bytes]) -> None:
    """The published SQNs are far ahead of a new card's, so the card begins just below them."""
    sqn = int.from_bytes(published["sqn"], "big")
    profile = card_profile(k=published["k"], opc=published["opc"], initial_seq=(sqn >> 5) - 1)
    masked = bytes(a ^ b for a, b in zip(published["sqn"], published["f5"], strict=True))
    autn = masked + published["amf"] + published["f1"]
    card = TestCard.new(profile).ready()
    answer = card.ok(command(UMTS, lv(published["rand"], autn)))
    assert answer.startswith(b"\xdb" + lv(published["f2"], published["f3"], published["f4"]))


def test_without_gsm_access_there_is_no_kc() -> None:
    card = TestCard.new(card_profile(disabled=(27,))).ready()
    made = vector(1, rand(1))
    assert card.ok(umts(made)) == b"\xdb" + lv(made["f2"], made["f3"], made["f4"])


def test_a_repeated_challenge_is_answered_with_auts(card: TestCard) -> None:
    made = vector(5, rand(1), 3)
    card.ok(umts(made))
    before = card.persistent()
    assert card.ok(umts(made)) == b"\xdc" + lv(made["auts"])
    assert card.persistent() == before, "a synchronisation failure stores nothing"


def test_resynchronisation(card: TestCard) -> None:
    """The network learns SQN_MS from AUTS and goes on behind it."""
    card.ok(umts(vector(100, rand(1), 7)))
    stale = vector(50, rand(2), 7)
    auts = card.ok(umts(stale, 2))[2:]
    sqn_ms = int.from_bytes(bytes(a ^ b for a, b in zip(auts[:6], stale["f5_star"], strict=True)), "big")
    assert auts == vector(sqn_ms >> 5, rand(2), sqn_ms & 31)["auts"]
    assert card.ok(umts(vector((sqn_ms >> 5) + 1, rand(3), 8), 3))[:1] == b"\xdb"


def test_a_number_too_far_ahead(card: TestCard) -> None:
    assert card.ok(umts(vector((1 << 28) + 1, rand(1))))[:1] == b"\xdc"
    assert card.ok(umts(vector(1 << 28, rand(1))))[:1] == b"\xdb"


def test_the_sqn_survives_power(card: TestCard) -> None:
    made = vector(5, rand(1))
    card.ok(umts(made))
    assert card.reopened().ready().ok(umts(made))[:1] == b"\xdc"


@pytest.mark.parametrize("position", [0, 5, 6, 8, 15])
def test_a_wrong_mac(card: TestCard, position: int) -> None:
    autn = bytearray(vector(1, rand(1))["autn"])
    autn[position] ^= 0x80
    card.refused("9862", command(UMTS, lv(rand(1), bytes(autn))))


def test_autn_star_in_the_3g_context(card: TestCard) -> None:
    card.refused("9862", command(UMTS, lv(rand(1), autn_star(vector(1, rand(1))))))


# --- GSM


def test_gsm(card: TestCard) -> None:
    made = vector(1, rand(4))
    before = card.persistent()
    assert card.ok(command(GSM, lv(rand(4)))) == lv(made["sres"], made["kc"])
    assert card.persistent() == before


# --- GBA bootstrapping


@pytest.mark.norm("1", "6")
def test_bootstrapping(card: TestCard) -> None:
    """RES leaves the card with its last bit flipped (TS 31.102 clause 7.1.1.4)."""
    made = vector(1, rand(1))
    assert card.ok(gba(made)) == b"\xdb" + lv(made["f2"][:-1] + bytes((made["f2"][-1] ^ 1,)))
    assert card.read(0x6FD6) == (lv(rand(1)) + b"\0\0").ljust(128, b"\xff")


def test_a_new_bootstrapping_replaces_b_tid_and_lifetime(card: TestCard) -> None:
    session = bootstrap(card)
    assert session.b_tid in card.read(0x6FD6)
    card.ok(gba(vector(2, rand(2)), 2))
    assert card.read(0x6FD6) == (lv(rand(2)) + b"\0\0").ljust(128, b"\xff")


def test_plain_autn_in_the_gba_context(card: TestCard) -> None:
    card.refused("9862", command(GBA, b"\xdd" + lv(rand(1), vector(1, rand(1))["autn"])))


def test_gba_shares_its_sequence_numbers_with_3g(card: TestCard) -> None:
    made = vector(3, rand(1))
    card.ok(umts(made))
    before = card.persistent()
    assert card.ok(gba(made)) == b"\xdc" + lv(made["auts"])
    assert card.persistent() == before, "the old Ks and EF_GBABP stay"


# --- who may, and when


@pytest.mark.parametrize("context", [GSM, UMTS, GBA])
def test_no_application_is_selected(context: str) -> None:
    card = TestCard.new()
    card.verify(0x01, PIN1)
    card.refused("6985", command(context, bytes(20)))


@pytest.mark.parametrize("context", [GSM, UMTS, GBA])
def test_the_pin_is_not_verified(context: str) -> None:
    card = TestCard.new()
    card.ok(SELECT_USIM)
    card.refused("6982", command(context, bytes(20)))


def test_a_disabled_pin_is_no_obstacle() -> None:
    card = TestCard.new().ready()
    card.ok("0026000108", PIN1.encode().ljust(8, b"\xff"))
    card = card.reopened()
    card.ok(SELECT_USIM)
    assert card.ok(umts(vector(1, rand(1))))[:1] == b"\xdb"


@pytest.mark.parametrize(("context", "service"), [(GSM, 38), (GBA, 68)])
def test_a_service_that_is_off(context: str, service: int) -> None:
    card = TestCard.new(card_profile(disabled=(service,))).ready()
    card.refused("9864", command(context, bytes(20)))


@pytest.mark.parametrize("p1p2", ["0000", "0001", "0085", "0086", "0087", "00FF", "0181", "8081"])
def test_wrong_parameters(card: TestCard, p1p2: str) -> None:
    card.refused("6A86", "0088", p1p2, "2210", rand(1), "10", vector(1, rand(1))["autn"])


GOOD = lv(rand(1), vector(1, rand(1))["autn"])


@pytest.mark.parametrize(
    ("context", "data"),
    [
        (UMTS, GOOD[:-1]),
        (UMTS, GOOD + b"\0"),
        (UMTS, lv(rand(1))),
        (UMTS, lv(rand(1)[:15], GOOD[18:])),
        (UMTS, lv(rand(1), GOOD[18:-1])),
        (UMTS, b"\xff" + GOOD),
        (GSM, GOOD),
        (GSM, lv(bytes(15))),
        (GSM, b"\0"),
        (GBA, GOOD),
        (GBA, b"\xdd"),
        (GBA, b"\xdd" + GOOD[:-1]),
        (GBA, b"\xdc" + GOOD),
        (GBA, b"\xde"),
        (GBA, b"\xde" + lv(b"naf")),
        (GBA, b"\xde" + lv(b"naf", b"impi") + b"\0"),
    ],
)
def test_malformed_data(card: TestCard, context: str, data: bytes) -> None:
    card.refused("6700", command(context, data))


def test_no_data(card: TestCard) -> None:
    card.refused("6700", "00880081")
    card.refused("6700", "0088008100")


def test_the_answer_waits_behind_61_without_le(card: TestCard) -> None:
    assert card.send(umts(vector(1, rand(1)))) == Answer("", "6135")
    assert card.send("00C0000035").sw == "9000"
