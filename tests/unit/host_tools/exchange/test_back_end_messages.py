"""Messages between BSM and BSD/A: there and back, no key in sight, and what is refused. Key wrap by the vectors."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from card.codec.mikey import MbmsKeyIds
from card.crypto.primitives import aes_key_unwrap, aes_key_wrap
from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest
from host_tools.exchange.messages.back_end import (
    MAC_HEADER,
    FinishedStkm,
    Handover,
    KeyGrant,
    KeyProfile,
    KeyWish,
    Stkms,
    TekOffer,
    TransportKey,
)

KEYS, OTHERS = TransportKey(Secret(bytes(32))), TransportKey(Secret(b"x" * 32))
IDS = MbmsKeyIds(bytes.fromhex("00f110"), bytes.fromhex("00010001"), b"\0\7")
NOW = datetime(2030, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
TEK, SALT, SEK = bytes(range(0xA0, 0xB0)), bytes(range(0xC0, 0xCE)), bytes(range(0xE0, 0x100))
OFFER = TekOffer("tone", IDS, Secret(TEK), Secret(SALT), (1, 2, 3), NOW, b"\5ext")
GRANT = KeyGrant("tone", MbmsKeyIds(IDS.key_domain_id, IDS.msk_id), 1, 9, Secret(SEK), bytes(range(16)), 0xFFFFFFFF)
STKMS = Stkms("tone", (FinishedStkm(4, NOW, b"stkm"), FinishedStkm(5, NOW, b"another")))


@pytest.mark.parametrize(
    ("key", "data", "wrapped"),
    [  # RFC 3394 clauses 4.1, 4.3, 4.6
        (16, "00112233445566778899AABBCCDDEEFF", "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"),
        (32, "00112233445566778899AABBCCDDEEFF", "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"),
        (
            32,
            "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
            "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
        ),
    ],
)
def test_key_wrap_by_the_vectors(key: int, data: str, wrapped: str) -> None:
    kek = bytes(range(key))
    assert aes_key_wrap(kek, bytes.fromhex(data)) == bytes.fromhex(wrapped)
    assert aes_key_unwrap(kek, bytes.fromhex(wrapped)) == bytes.fromhex(data)
    assert aes_key_unwrap(kek, bytes.fromhex(wrapped)[:-1] + b"\0") is None
    assert aes_key_unwrap(kek, b"") is None


def test_there_and_back() -> None:
    for offer in (OFFER, replace(OFFER, salt=None, extension=None, tek=Secret(bytes(32)))):
        assert TekOffer.decode(offer.encode(KEYS), KEYS) == offer
    assert KeyGrant.decode(GRANT.encode(KEYS), KEYS) == GRANT
    assert Stkms.decode(STKMS.encode()) == STKMS
    for wish in (KeyWish("tone", IDS), KeyWish("tone", GRANT.key_ids)):
        assert KeyWish.decode(wish.encode()) == wish
    for profile in KeyProfile:
        handover = Handover(profile, "", b"octets")
        assert Handover.decode(handover.encode()) == handover


def test_no_key_is_in_a_body_or_a_repr() -> None:
    seen = OFFER.encode(KEYS) + GRANT.encode(KEYS) + repr((OFFER, GRANT, KEYS)).encode()
    for secret in (TEK, SALT, SEK):
        assert secret.hex().encode() not in seen
        assert repr(secret).encode() not in seen


def test_keys_under_another_transport_key_are_refused() -> None:
    with pytest.raises(DecodeError, match="transport key"):
        TekOffer.decode(OFFER.encode(KEYS), OTHERS)
    with pytest.raises(DecodeError, match="transport key"):
        KeyGrant.decode(GRANT.encode(OTHERS), KEYS)
    with pytest.raises(ValueError, match="32 bytes"):
        TransportKey(Secret(bytes(16)))


def test_a_mac_is_over_method_target_and_body() -> None:
    mac = KEYS.sign("POST", "/a", b"body")
    good = HttpRequest("POST", "/a", ((MAC_HEADER, mac),), b"body")
    assert KEYS.is_signed(good)
    for other in (
        replace(good, method="PUT"),
        replace(good, target="/b"),
        replace(good, body=b"b"),
        replace(good, headers=()),
    ):
        assert not KEYS.is_signed(other)
    assert not OTHERS.is_signed(good)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("service", 1),
        ("counters", []),
        ("counters", [True]),
        ("counters", [1 << 32]),
        ("counters", list(range(1000))),
        ("mtk_id", None),
        ("mtk_id", "00"),
        ("msk_id", "00"),
        ("key_domain", "zz"),
        ("tek", "00" * 23),
        ("tek", ""),
        ("salt", 5),
        ("begins", -1),
        ("begins", 1 << 60),
        ("extension", "0" * 9999),
    ],
)
def test_what_is_no_offer(name: str, value: object) -> None:
    body = {**json.loads(OFFER.encode(KEYS)), name: value}
    with pytest.raises(DecodeError):
        TekOffer.decode(json.dumps(body).encode(), KEYS)


def test_broken_bodies_end_in_nothing_else() -> None:
    chance, refused = random.Random(14), 0
    messages: list[tuple[bytes, Callable[[bytes], object]]] = [
        (OFFER.encode(KEYS), lambda body: TekOffer.decode(body, KEYS)),
        (GRANT.encode(KEYS), lambda body: KeyGrant.decode(body, KEYS)),
        (STKMS.encode(), Stkms.decode),
    ]
    for number in range(1500):
        whole, read = messages[number % 3]
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(32, 127)
        try:
            read(bytes(broken))
        except DecodeError:
            refused += 1
    assert refused > 500
    for body in (b"[" * 100_000, b"[]", b"\xff"):
        with pytest.raises(DecodeError):
            Stkms.decode(body)
