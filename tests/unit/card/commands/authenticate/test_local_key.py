"""AUTHENTICATE in the Local Key Establishment context (TS 31.102 clauses 7.1.1.11, 7.1.1.12, 7.1.2.6), and channels."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec import local_key
from card.crypto.local_key import terminal_appli_id
from card.errors import DecodeError
from card.spec.provisional import CAPACITY
from tests.oracle.sac import Connection, LocalKey
from tests.support.network import BM_SC, Bootstrap, bootstrap, derive_naf_keys
from tests.support.profiles import AID
from tests.support.sac import OTHER_TERMINAL, TERMINAL, TERMINAL_APPLI, sac_card, sac_card_with_msk
from tests.support.sac_terminal import OracleTerminal, Tunnel, get_tek
from tests.support.testcard import Answer, TestCard, tlv

ICCID = bytes.fromhex("980001010000000010F9")
PLATFORM = b"platform"


@pytest.fixture
def network() -> tuple[TestCard, LocalKey]:
    return with_naf_key(sac_card().ready())


def with_naf_key(card: TestCard) -> tuple[TestCard, LocalKey]:
    session = bootstrap(card)
    derive_naf_keys(card)
    return card, local_key_of(session)


def local_key_of(session: Bootstrap, limit: int = 5) -> LocalKey:
    return LocalKey(session.muk(), session.b_tid, BM_SC, TERMINAL, ICCID, TERMINAL_APPLI, AID, b"r" * 16, limit)


def identifier(key: LocalKey, **changes: bytes | None) -> bytes:
    """Return the object A0; `changes` are values by tag in hex (`t84`), None for an object that is left out."""
    names: dict[str, bytes | None] = {
        "t83": key.naf_id, "t84": key.terminal_id, "t85": key.terminal_appli_id, "t86": key.uicc_appli_id,
        "t87": key.randx,
    }  # fmt: skip
    names |= changes
    return tlv(0xA0, b"".join(tlv(int(tag[1:], 16), name) for tag, name in names.items() if name is not None))


def request(key: LocalKey, mac: bytes | None = None, **changes: bytes | None) -> bytes:
    proof = key.request_mac if mac is None else mac
    limit = tlv(0x81, key.limit.to_bytes(16, "big"))
    return tlv(0x73, tlv(0x80, b"\x01") + limit + tlv(0x82, proof) + identifier(key, **changes))


def check(key: LocalKey, **changes: bytes | None) -> bytes:
    return tlv(0x73, tlv(0x80, b"\x02") + identifier(key, **changes))


def run(card: TestCard, data: bytes, block: int = 255) -> Answer:
    """Send the object in blocks; return the whole response object and the last status word."""
    answer = Answer("", "63F1")
    for start in range(0, len(data), block):
        assert answer.sw == "63F1"
        part = data[start : start + block]
        answer = card.send("0089", "00" if start else "80", "86", bytes((len(part),)), part)
    return card.send("0089A08600") if answer.sw == "62F3" else answer


def derived(key: LocalKey) -> Answer:
    response = tlv(0x73, tlv(0x80, b"\xdb") + tlv(0x82, key.response_mac))
    return Answer(response.hex().upper(), "9000")


AVAILABLE, NOT_THERE = Answer("73038001DB", "9000"), Answer("", "6A88")


def uses(card: TestCard) -> list[int]:
    """Return how often each kept key was used."""
    return [json.loads(raw)["used"] for name, raw in card.persistent().items() if name.startswith("ks-local/")]


# --- derivation


@pytest.mark.norm("42", "43", "44", "45", "46")
def test_derivation(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, request(key)) == derived(key)
    assert run(card, check(key)) == AVAILABLE


def test_derivation_in_blocks(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, request(key), 50) == derived(key)


@pytest.mark.norm("47")
def test_the_platform_key(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    platform = replace(key, terminal_appli_id=PLATFORM, uicc_appli_id=PLATFORM)
    assert run(card, request(platform)) == derived(platform)


@pytest.mark.norm("43")
@pytest.mark.parametrize("limit", [1, 1 << 32, (1 << 128) - 1])
def test_the_counter_limit_has_128_bits(network: tuple[TestCard, LocalKey], limit: int) -> None:
    card, key = network
    key = replace(key, limit=limit)
    assert run(card, request(key)) == derived(key)
    assert run(card.reopened().ready(), check(key)) == AVAILABLE


@pytest.mark.norm("50")
@pytest.mark.parametrize(
    ("field", "sizes"), [("terminal_id", (1, 10)), ("terminal_appli_id", (1, 32)), ("randx", (1, 8, 16))]
)
def test_names_of_every_size(network: tuple[TestCard, LocalKey], field: str, sizes: tuple[int, ...]) -> None:
    card, key = network
    for size in sizes:
        each: LocalKey = replace(key, **{field: b"x" * size})  # type: ignore[arg-type]  # no field of a number
        assert run(card, request(each)) == derived(each)
        assert run(card, check(each)) == AVAILABLE


@pytest.mark.norm("44")
def test_the_b_tid_is_the_one_kept_with_the_naf_key(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    bootstrap(card, 2)  # another B-TID stands in EF_GBABP now
    assert run(card, request(key)) == derived(key)


def test_a_wrong_request_mac(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    before = card.persistent()
    for position in range(16):
        wrong = bytearray(key.request_mac)
        wrong[position] ^= 1
        assert run(card, request(key, bytes(wrong))) == Answer("", "9862")
    assert card.persistent() == before
    assert run(card, check(key)) == NOT_THERE


@pytest.mark.norm("44", "45")
@pytest.mark.parametrize("field", ["b_tid", "naf_id", "terminal_id", "iccid", "terminal_appli_id", "randx"])
def test_every_name_is_under_the_mac(network: tuple[TestCard, LocalKey], field: str) -> None:
    card, key = network
    other = replace(key, **{field: getattr(key, field)[:-1] + b"?"})
    sw = run(card, request(key, other.request_mac)).sw
    assert sw == "9862"


def test_the_counter_limit_is_under_the_mac(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, request(replace(key, limit=6), key.request_mac)).sw == "9862"


@pytest.mark.norm("46")
def test_the_response_mac_covers_its_text_alone(network: tuple[TestCard, LocalKey]) -> None:
    """So a key has one response MAC, whatever was asked."""
    _, key = network
    same_key = replace(key, naf_id=b"other.example.org" + bytes(5))
    assert same_key.response_mac == key.response_mac
    assert same_key.request_mac != key.request_mac


def test_no_naf_key(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    other = replace(key, naf_id=b"other.example.org" + bytes(5))
    assert run(card, request(other)) == NOT_THERE


def test_a_long_name_of_a_terminal_application_is_hashed() -> None:
    name = b"com.example.this.is.an.application.identifier.longer.than.32"
    assert terminal_appli_id(name).hex() == "4ffa4089b6b52a9ca085160455237de27fce16d2ac062b1309aa75fb2f36d07a"
    assert terminal_appli_id(b"x" * 32) == b"x" * 32


# --- the card's policy


@pytest.mark.norm("47")
def test_an_application_that_is_not_the_current_one(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    for refused in (
        replace(key, uicc_appli_id=AID[:-1] + b"\1"),
        replace(key, uicc_appli_id=PLATFORM),
        replace(key, terminal_appli_id=PLATFORM),
    ):
        assert run(card, request(refused)) == Answer("", "6985")


def test_a_terminal_and_an_application_that_the_policy_leaves_out() -> None:
    card, key = with_naf_key(sac_card(terminals=(TERMINAL,), terminal_applications=("player",)).ready())
    assert run(card, request(key)) == derived(key)
    assert run(card, request(replace(key, terminal_id=OTHER_TERMINAL))) == Answer("", "6985")
    assert run(card, request(replace(key, terminal_appli_id=b"other"))) == Answer("", "6985")
    platform = replace(key, terminal_appli_id=PLATFORM, uicc_appli_id=PLATFORM)
    assert run(card, request(platform)) == derived(platform)


def test_the_order_of_the_checks(network: tuple[TestCard, LocalKey]) -> None:
    """No key of the NAF, then the policy, then the MAC (TS 31.102 clause 7.1.1.11)."""
    card, key = network
    wrong = replace(key, naf_id=b"other.example.org" + bytes(5), uicc_appli_id=PLATFORM)
    assert run(card, request(wrong, bytes(16))).sw == "6A88"
    assert run(card, request(replace(wrong, naf_id=BM_SC), bytes(16))).sw == "6985"
    assert run(card, request(key, bytes(16))).sw == "9862"


def test_pin_and_service_are_needed(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    card.card.reset()
    assert run(card, request(key)).sw == "6985"
    card.ok(f"00A4040C10{AID.hex()}")
    assert run(card, request(key)).sw == "6982"
    without = sac_card(naf_key_centre=None).ready()
    assert run(without, request(key)).sw == "9864"


# --- what cannot be read: never 6A80 (TS 31.102 clause 7.3.2)


@pytest.mark.parametrize(
    "changes",
    [
        *({f"t{tag:02X}": None} for tag in range(0x83, 0x88)),
        *({f"t{tag:02X}": b""} for tag in range(0x83, 0x88)),
        {"t84": bytes(11)},
        {"t85": bytes(33)},
        {"t86": bytes(17)},
        {"t87": bytes(17)},
    ],
    ids=str,
)
def test_a_name_that_no_key_has(network: tuple[TestCard, LocalKey], changes: dict[str, bytes | None]) -> None:
    card, key = network
    assert run(card, request(key, **changes)) == Answer("", "6985")
    assert run(card, check(key, **changes)) == Answer("", "6985")


DERIVE, LIMIT, MAC = tlv(0x80, b"\x01"), tlv(0x81, bytes(16)), tlv(0x82, bytes(16))


@pytest.mark.parametrize(
    "front",
    [
        b"",
        b"\x80",
        tlv(0x80, b"\x03"),
        tlv(0x80, b"") + LIMIT + MAC,
        tlv(0x80, b"\x01\x01") + LIMIT + MAC,
        DERIVE,
        DERIVE + LIMIT,
        DERIVE + MAC,
        DERIVE + tlv(0x81, bytes(4)) + MAC,
        DERIVE + tlv(0x81, bytes(17)) + MAC,
        DERIVE + LIMIT + tlv(0x82, bytes(15)),
        DERIVE + LIMIT + MAC + MAC,
        DERIVE + LIMIT + MAC + tlv(0x83, b"?"),
        tlv(0x80, b"\x02") + LIMIT,
    ],
)
def test_objects_that_are_wrong(network: tuple[TestCard, LocalKey], front: bytes) -> None:
    card, key = network
    assert run(card, tlv(0x73, front + identifier(key))) == Answer("", "6700")


def test_an_identifier_with_something_else_in_it(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, request(key, t80=b"?")) == Answer("", "6700")


def test_another_object_than_73(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, b"\x53" + request(key)[1:]) == Answer("", "6700")


def test_an_object_longer_than_it_says(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, check(key) + b"\0").sw == "6700"
    assert run(card, b"\x73\x84" + bytes(4)).sw == "6700"


def test_ef_nafkca_names_the_key_centre() -> None:
    card = sac_card().ready()
    assert card.record(0x6FDD, 1).rstrip(b"\xff") == tlv(0x80, b"nkc.example.org")


# --- several keys, and room for them


@pytest.mark.norm("51")
def test_asking_again_does_not_undo_the_uses(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    run(card, request(key))
    open_on(card, key)
    assert uses(card) == [1]
    assert run(card, request(key)) == derived(key)
    assert uses(card) == [1]


@pytest.mark.norm("50", "51")
def test_keys_of_one_pair_live_side_by_side(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    newer = replace(key, randx=b"s" * 16)
    for each in (key, newer, key):
        assert run(card, request(each)) == derived(each)
    assert [run(card, check(each)) for each in (key, newer)] == [AVAILABLE] * 2


def test_another_counter_limit_makes_another_key_in_its_place(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    run(card, request(key))
    open_on(card, key)
    other = replace(key, limit=6)
    assert run(card, request(other)) == derived(other)
    assert uses(card) == [0]


@pytest.mark.norm("51")
def test_a_naf_key_gives_any_number_of_local_keys(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    for number in range(70):
        each = replace(key, randx=number.to_bytes(16, "big"))
        assert run(card, request(each)) == derived(each)
    assert len(uses(card)) == CAPACITY["local_keys"].value


def many(key: LocalKey) -> list[LocalKey]:
    """Return one key more than the card has room for."""
    return [replace(key, randx=bytes([number]) * 16) for number in range(CAPACITY["local_keys"].value + 1)]


def state_of(card: TestCard, keys: list[LocalKey]) -> list[str]:
    return [run(card, check(each)).sw for each in keys]


@pytest.mark.norm("49")
def test_the_key_derived_longest_ago_makes_room(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    keys = many(key)
    for each in keys:
        assert run(card, request(each)) == derived(each)
    assert state_of(card, keys) == ["6A88"] + ["9000"] * (len(keys) - 1)


@pytest.mark.norm("49")
@pytest.mark.parametrize("how", ["used in a channel", "derived again"])
def test_a_key_that_was_used_or_derived_again_stays(network: tuple[TestCard, LocalKey], how: str) -> None:
    card, key = network
    first, *between, last = many(key)
    run(card, request(first))
    made, terminal = connected(card, first)
    for each in between:
        run(card, request(each))
    if how == "derived again":
        run(card, request(first))
    else:
        terminal.start(made)
    run(card, request(last))
    assert state_of(card, [first, *between, last]) == ["9000", "6A88"] + ["9000"] * (len(between))


@pytest.mark.norm("49")
def test_a_check_is_no_use(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    first, *others = many(key)
    for each in (first, *others[:-1]):
        run(card, request(each))
    assert run(card, check(first)) == AVAILABLE
    run(card, request(others[-1]))
    assert run(card, check(first)) == NOT_THERE


@pytest.mark.norm("52")
def test_a_derivation_is_a_use_of_the_naf_key(network: tuple[TestCard, LocalKey]) -> None:
    """EF_GBANL has two records here: of two NAF keys the one used last stays when a third comes."""
    card, key = network
    second, third = (name + bytes(5) for name in (b"second.example.org", b"third.example.org"))
    derive_naf_keys(card, second)
    assert run(card, request(key)) == derived(key)
    derive_naf_keys(card, third)
    listed = card.record(0x6FDA, 1) + card.record(0x6FDA, 2)
    assert (BM_SC in listed, second in listed, third in listed) == (True, False, True)
    other = replace(key, randx=b"s")
    assert run(card, request(other)) == derived(other)


def test_a_refused_derivation_is_no_use_of_the_naf_key(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    second, third = (name + bytes(5) for name in (b"second.example.org", b"third.example.org"))
    derive_naf_keys(card, second)
    assert run(card, request(key, bytes(16))).sw == "9862"
    derive_naf_keys(card, third)
    assert run(card, request(key)) == NOT_THERE


def test_keys_outlive_power(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    run(card, request(key))
    assert run(card.reopened().ready(), check(key)) == AVAILABLE


# --- channels on Ks_local


def connected(card: TestCard, key: LocalKey) -> tuple[Connection, OracleTerminal]:
    terminal = OracleTerminal(card, key.key)
    return terminal.connect(terminal.master(methods=1)), terminal


def open_on(card: TestCard, key: LocalKey) -> Tunnel:
    terminal = OracleTerminal(card, key.key)
    names = terminal.master(methods=1)
    assert names.method == 0x81
    made = terminal.connect(names)
    return Tunnel(card, names, made, terminal.start(made))


def test_a_tek_through_a_channel_on_ks_local() -> None:
    card, session, message = sac_card_with_msk()
    key = local_key_of(session)
    assert run(card, request(key)) == derived(key)
    get_tek(open_on(card, key), message, 1)


def test_the_platform_key_serves_every_application(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    platform = replace(key, terminal_appli_id=PLATFORM, uicc_appli_id=PLATFORM)
    run(card, request(platform))
    open_on(card, platform).run("80F2000C")


def test_gba_is_preferred_to_a_psk(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert OracleTerminal(card).master(methods=3).method == 0x82
    run(card, request(key))
    assert OracleTerminal(card).master(methods=3).method == 0x81


def test_a_channel_runs_on_the_key_derived_last(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    newer = replace(key, randx=b"s" * 16)
    run(card, request(key))
    older = open_on(card, key)
    run(card, request(newer))
    terminal = OracleTerminal(card, key.key)
    terminal.end_connection(older.made)
    terminal.start(terminal.connect(older.names))  # a later use of the older key changes nothing about that
    open_on(card, newer).run("80F2000C")


@pytest.mark.norm("48")
def test_the_counter_limit_counts_channels(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    key = replace(key, limit=2)
    run(card, request(key))
    tunnel = open_on(card, key)
    terminal = OracleTerminal(card, key.key)
    made = terminal.connect(tunnel.names)
    terminal.start(made)
    terminal.end_connection(made)
    third = terminal.connect(tunnel.names)
    assert terminal.manage(3, terminal.start_value(third)) == Answer("", "9865")
    assert run(card, check(key)) == NOT_THERE
    # The channels that run go on; there is no new Master SA, and the limit outlives power.
    tunnel.run("80F2000C")
    assert terminal.manage(1, _master_value()).sw == "6A88"
    assert run(card.reopened().ready(), check(key)) == NOT_THERE


@pytest.mark.norm("48")
def test_a_limit_of_zero_is_used_up(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    none = replace(key, limit=0)
    assert run(card, request(none)) == derived(none)
    assert run(card, check(none)) == NOT_THERE
    assert OracleTerminal(card).manage(1, _master_value()).sw == "6A88"


def test_a_failed_start_costs_nothing(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    key = replace(key, limit=1)
    run(card, request(key))
    made, terminal = connected(card, key)
    for _ in range(3):
        forged = terminal.start_value(made).replace(made.start_mac(240), bytes(16))
        assert terminal.manage(3, forged).sw == "9862"
    assert terminal.start(made) == 0


@pytest.mark.norm("49")
def test_an_association_goes_on_without_its_key(network: tuple[TestCard, LocalKey]) -> None:
    """What runs on a key that made room is not disturbed (TS 31.102 clause 7.1.1.11), and its limit still holds."""
    card, key = network
    first, *others = many(replace(key, limit=2))
    run(card, request(first))
    tunnel = open_on(card, first)
    for each in others:
        run(card, request(each))
    assert run(card, check(first)) == NOT_THERE
    tunnel.run("80F2000C")
    card = card.reopened().ready()
    terminal = OracleTerminal(card, first.key)
    made = terminal.connect(tunnel.names)
    Tunnel(card, tunnel.names, made, terminal.start(made)).run("80F2000C")
    again = terminal.connect(tunnel.names)
    assert terminal.manage(3, terminal.start_value(again)) == Answer("", "9865")


def test_an_association_does_not_use_a_key_that_came_in_place_of_its_own(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    run(card, request(key))
    tunnel = open_on(card, key)
    run(card, request(replace(key, limit=9)))
    terminal = OracleTerminal(card, key.key)
    terminal.start(terminal.connect(tunnel.names))
    assert uses(card) == [0]


def _master_value() -> bytes:
    return tlv(0x83, b"\x01") + tlv(0x84, TERMINAL) + tlv(0x85, TERMINAL_APPLI) + tlv(0x86, AID)


# --- codec

NAMES = local_key.KeyIdentifier(b"naf", b"terminal", b"appli", b"uicc", bytes(16))


def test_codec_both_ways() -> None:
    for message in (local_key.KeyDerivation(NAMES, 7, bytes(16)), local_key.AvailabilityCheck(NAMES)):
        assert local_key.decode_request(message.encode()) == message
    assert local_key.decode_response(local_key.encode_response(bytes(16))) == bytes(16)
    assert local_key.decode_response(local_key.encode_response()) == b""


@given(st.binary(max_size=120))
def test_codec_refuses_anything_else(junk: bytes) -> None:
    for decode in (local_key.decode_request, local_key.decode_response):
        try:
            decode(junk)
        except DecodeError:
            continue
