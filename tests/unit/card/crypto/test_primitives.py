from __future__ import annotations

import pytest

from card.crypto import primitives


def test_aes_encrypts_the_example_of_fips_197() -> None:
    key, plain = bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff")
    assert primitives.aes_ecb_encrypt(key, plain).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


def test_aes_block_keeps_nothing_between_calls() -> None:
    aes = primitives.AesBlock(bytes(range(16)))
    first, second = bytes(16), b"\xff" * 16
    together = aes.encrypt(first + second)
    assert together == aes.encrypt(first) + aes.encrypt(second)


@pytest.mark.parametrize("size", [1, 15, 17])
def test_aes_block_refuses_a_part_of_a_block(size: int) -> None:
    aes = primitives.AesBlock(bytes(16))
    with pytest.raises(ValueError, match="whole blocks"):
        aes.encrypt(bytes(size))


def test_aes_block_does_not_show_its_key() -> None:
    assert repr(primitives.AesBlock(b"K" * 16)) == "AesBlock()"


def test_counter_mode_matches_sp_800_38a() -> None:
    """SP 800-38A clause F.5.1, the first two blocks; the second cut short."""
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    counter = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb7")
    cipher = bytes.fromhex("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617")
    assert primitives.AesCounter(key).apply(counter, plain) == cipher
    assert primitives.AesCounter(key).apply(counter, cipher) == plain


def test_a_counter_begins_anew_with_every_message_and_goes_round() -> None:
    aes, last = primitives.AesCounter(bytes(16)), b"\xff" * 16
    first = aes.apply(last, bytes(20))
    assert aes.apply(last, bytes(20)) == first
    assert first[:16] == primitives.aes_ecb_encrypt(bytes(16), last)
    assert first[16:] == primitives.aes_ecb_encrypt(bytes(16), bytes(16))[:4]


@pytest.mark.parametrize("size", [0, 20, 63, 64, 65, 200])
def test_kept_pads_give_the_same_code(size: int) -> None:
    key = bytes(range(size))
    kept = primitives.HmacSha1(key)
    for data in (b"", b"one", bytes(1000)):
        assert kept.digest(data) == primitives.hmac_sha1(key, data)
    assert repr(kept) == "HmacSha1()"


def test_hmac_sha1_matches_rfc_2202() -> None:
    made = primitives.hmac_sha1(b"Jefe", b"what do ya want for nothing?")
    assert made.hex() == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"


def test_hmac_sha256_matches_rfc_4231() -> None:
    made = primitives.hmac_sha256(b"Jefe", b"what do ya want for nothing?")
    assert made.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_sha1_matches_fips_180() -> None:
    assert primitives.sha1(b"abc").hex() == "a9993e364706816aba3e25717850c26c9cd0d89d"


def test_xor_takes_any_number_of_equal_lengths() -> None:
    assert primitives.xor_bytes(b"\x0f\x00", b"\xff\x01", b"\x00\x80") == b"\xf0\x81"
    with pytest.raises(ValueError, match="lengths"):
        primitives.xor_bytes(b"\x00\x00", b"\x00")


@pytest.mark.parametrize(("right", "equal"), [(b"abc", True), (b"abd", False), (b"ab", False)])
def test_equal_bytes(right: bytes, equal: bool) -> None:
    assert primitives.equal_bytes(b"abc", right) is equal
