"""AUTHENTICATE in the Local Key Establishment context, and channels on Ks_local."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec import local_key
from card.domain.local_key import MAX_DERIVATIONS, MAX_KEYS
from card.errors import DecodeError
from tests.oracle.sac import LocalKey
from tests.support.network import BM_SC, Bootstrap, bootstrap, derive_naf_keys
from tests.support.profiles import AID
from tests.support.sac import TERMINAL, TERMINAL_APPLI, sac_card, sac_card_with_msk
from tests.support.sac_terminal import OracleTerminal, Tunnel, get_tek
from tests.support.testcard import Answer, TestCard, tlv

ICCID = bytes.fromhex("980001010000000010F9")
PLATFORM = b"platform"


@pytest.fixture
def network() -> tuple[TestCard, LocalKey]:
    card = sac_card().ready()
    session = bootstrap(card)
    derive_naf_keys(card)
    return card, local_key_of(session)


def local_key_of(session: Bootstrap, limit: int = 5) -> LocalKey:
    return LocalKey(session.muk(), session.b_tid, BM_SC, TERMINAL, ICCID, TERMINAL_APPLI, AID, b"r" * 16, limit)


def identifier(key: LocalKey) -> bytes:
    names = (key.naf_id, key.terminal_id, key.terminal_appli_id, key.uicc_appli_id, key.randx)
    return tlv(0xA0, b"".join(tlv(0x80 + number, name) for number, name in enumerate(names)))


def request(key: LocalKey, mac: bytes | None = None) -> bytes:
    proof = key.request_mac if mac is None else mac
    limit = tlv(0x81, key.limit.to_bytes(4, "big"))
    return tlv(0x73, tlv(0x80, b"\x01") + limit + tlv(0x82, proof) + identifier(key))


def check(key: LocalKey) -> bytes:
    return tlv(0x73, tlv(0x80, b"\x02") + identifier(key))


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


AVAILABLE = Answer("73038001DB", "9000")


# --- derivation


def test_derivation(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, request(key)) == derived(key)
    assert run(card, check(key)) == AVAILABLE


def test_derivation_in_blocks(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, request(key), 50) == derived(key)


def test_the_platform_key(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    platform = replace(key, terminal_appli_id=PLATFORM, uicc_appli_id=PLATFORM)
    assert run(card, request(platform)) == derived(platform)


def test_a_wrong_request_mac(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    before = card.persistent()
    for position in range(16):
        wrong = bytearray(key.request_mac)
        wrong[position] ^= 1
        assert run(card, request(key, bytes(wrong))) == Answer("", "9862")
    assert card.persistent() == before
    assert run(card, check(key)) == Answer("", "6A88")


@pytest.mark.parametrize("field", ["b_tid", "naf_id", "terminal_id", "iccid", "terminal_appli_id", "randx"])
def test_every_name_is_under_the_mac(network: tuple[TestCard, LocalKey], field: str) -> None:
    card, key = network
    other = replace(key, **{field: getattr(key, field)[:-1] + b"?"})
    sw = run(card, request(key, other.request_mac)).sw
    assert sw == "9862"


def test_the_counter_limit_is_under_the_mac(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, request(replace(key, limit=6), key.request_mac)).sw == "9862"


def test_no_naf_key(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    other = replace(key, naf_id=b"other.example.org" + bytes(5))
    assert run(card, request(other)) == Answer("", "6A88")


def test_an_application_that_is_not_the_current_one(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    assert run(card, request(replace(key, uicc_appli_id=AID[:-1] + b"\1"))).sw == "6A80"
    assert run(card, request(replace(key, uicc_appli_id=PLATFORM))).sw == "6A80"
    assert run(card, request(replace(key, terminal_appli_id=PLATFORM))).sw == "6A80"


def test_pin_and_service_are_needed(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    card.card.reset()
    assert run(card, request(key)).sw == "6985"
    card.ok(f"00A4040C10{AID.hex()}")
    assert run(card, request(key)).sw == "6982"
    without = sac_card(naf_key_centre=None).ready()
    assert run(without, request(key)).sw == "9864"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        tlv(0x80, b"\x01"),
        tlv(0x80, b"\x03") + tlv(0xA0, b""),
        tlv(0x80, b"\x02") + tlv(0xA0, b""),
        tlv(0x80, b"\x02") + tlv(0xA0, tlv(0x80, b"n")),
        b"\x80",
    ],
)
def test_malformed_requests(network: tuple[TestCard, LocalKey], value: bytes) -> None:
    card, _ = network
    assert run(card, tlv(0x73, value)).sw == "6A80"
    assert run(card, tlv(0x53, value)).sw == "6A80"


def test_ef_nafkca_names_the_key_centre() -> None:
    card = sac_card().ready()
    assert card.record(0x6FDD, 1).rstrip(b"\xff") == tlv(0x80, b"nkc.example.org")


# --- replay and limits


def test_asking_again_changes_nothing(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    run(card, request(key))
    before = card.persistent()
    assert run(card, request(key)) == derived(key)
    assert card.persistent() == before


def test_a_key_that_had_its_turn_does_not_come_back(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    newer = replace(key, randx=b"s" * 16)
    run(card, request(key))
    assert run(card, request(newer)) == derived(newer)
    assert run(card, request(key)) == Answer("", "9862")
    assert run(card, check(key)) == Answer("", "6A88")
    assert run(card, check(newer)) == AVAILABLE


def test_one_naf_key_gives_so_many_local_keys(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    for number in range(MAX_DERIVATIONS):
        each = replace(key, randx=number.to_bytes(16, "big"))
        assert run(card, request(each)) == derived(each)
    one_more = replace(key, randx=b"\xff" * 16)
    assert run(card, request(one_more)) == Answer("", "9866")
    session = bootstrap(card, 2)
    derive_naf_keys(card)
    fresh = local_key_of(session)
    assert run(card, request(fresh)) == derived(fresh)


def test_the_oldest_key_makes_room(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    keys = [
        replace(key, terminal_appli_id=b"appli %d" % number, randx=bytes([number]) * 16)
        for number in range(MAX_KEYS + 1)
    ]
    for each in keys:
        assert run(card, request(each)) == derived(each)
    assert [run(card, check(each)).sw for each in keys] == ["6A88"] + ["9000"] * MAX_KEYS


def test_keys_outlive_power(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    run(card, request(key))
    assert run(card.reopened().ready(), check(key)) == AVAILABLE


# --- channels on Ks_local


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
    assert run(card, check(key)) == Answer("", "9865")
    # The channels that run go on; there is no new Master SA, and the limit outlives power.
    tunnel.run("80F2000C")
    assert terminal.manage(1, _master_value()).sw == "6A88"
    assert run(card.reopened().ready(), check(key)).sw == "9865"


def test_a_limit_of_zero_is_used_up(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    run(card, request(replace(key, limit=0)))
    assert OracleTerminal(card).manage(1, _master_value()).sw == "6A88"


def test_a_failed_start_costs_nothing(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    key = replace(key, limit=1)
    run(card, request(key))
    terminal = OracleTerminal(card, key.key)
    names = terminal.master(methods=1)
    made = terminal.connect(names)
    for _ in range(3):
        forged = terminal.start_value(made).replace(made.start_mac(240), bytes(16))
        assert terminal.manage(3, forged).sw == "9862"
    assert terminal.start(made) == 0


def test_an_association_ends_with_its_key(network: tuple[TestCard, LocalKey]) -> None:
    card, key = network
    run(card, request(key))
    tunnel = open_on(card, key)
    run(card, request(replace(key, randx=b"s" * 16)))
    terminal = OracleTerminal(card, key.key)
    made = terminal.connect(tunnel.names)
    assert terminal.manage(3, terminal.start_value(made)).sw == "9863"


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
