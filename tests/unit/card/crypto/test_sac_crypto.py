"""The cryptography of x-sac-1 against the oracle and against published vectors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.crypto import sac
from card.crypto.primitives import aes_cbc_decrypt, aes_cbc_encrypt, aes_cmac
from card.crypto.secret import Secret
from card.errors import MacMismatch
from tests.oracle import sac as oracle

MASTER = bytes(range(32))
NAMES = oracle.Names(b"m" * 16, b"u" * 10, b"terminal", b"player", b"A" * 16, 3, 0x82)
PARTIES = sac.Parties(b"m" * 16, b"u" * 10, b"terminal", b"player", b"A" * 16, 3, 0x82)
NONCES = b"t" * 16, b"c" * 16
AES = b"\x04\x04"
AGREEMENT = sac.Agreement(PARTIES, b"i" * 16, *NONCES, AES, AES)
KEYS = sac.derive_channel_keys(Secret(MASTER), AGREEMENT)
ORACLE = oracle.Connection(MASTER, NAMES, b"i" * 16, *NONCES, AES, AES)
TO_CARD, TO_TERMINAL = sac.Direction.TO_CARD, sac.Direction.TO_TERMINAL

# RFC 4493 clause 4.
RFC4493_KEY = "2b7e151628aed2a6abf7158809cf4f3c"
RFC4493_TEXT = (
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
RFC4493_MACS = {
    0: "bb1d6929e95937287fa37d129b756746",
    16: "070a16b46b4d4144f79bdd9dd04a287c",
    40: "dfa66747de9ae63030ca32611497c827",
    64: "51f0bebf7e3b9d92fc49741779363cfe",
}


@pytest.mark.parametrize(("size", "mac"), RFC4493_MACS.items())
def test_cmac_vectors(size: int, mac: str) -> None:
    key, text = bytes.fromhex(RFC4493_KEY), bytes.fromhex(RFC4493_TEXT)[:size]
    assert aes_cmac(key, text).hex() == mac
    assert oracle.cmac(key, text).hex() == mac


def test_cbc_vector() -> None:
    # NIST SP 800-38A clause F.2.1, first two blocks.
    key, iv, text = bytes.fromhex(RFC4493_KEY), bytes(range(16)), bytes.fromhex(RFC4493_TEXT)[:32]
    expected = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
    assert aes_cbc_encrypt(key, iv, text).hex() == expected
    assert aes_cbc_decrypt(key, iv, bytes.fromhex(expected)) == text


def test_control_macs_are_the_oracles() -> None:
    assert sac.connection_mac(KEYS, AGREEMENT) == ORACLE.csa_mac()
    assert sac.start_mac(KEYS, b"i" * 16, AES, 240) == ORACLE.start_mac(240)
    assert sac.termination_mac(KEYS.control, b"i" * 16) == ORACLE.end_mac()
    control = sac.derive_master_control(Secret(MASTER), PARTIES)
    assert sac.termination_mac(control, b"m" * 16) == oracle.master_end_mac(MASTER, NAMES)


@given(st.binary(max_size=70), st.integers(1, sac.LAST_COUNTER), st.sampled_from(sac.Direction))
def test_containers_are_the_oracles(text: bytes, counter: int, direction: sac.Direction) -> None:
    sealed = sac.seal_container(KEYS, b"i" * 16, direction, counter, text)
    assert sealed == ORACLE.seal(direction, counter, text)
    assert sac.open_container(KEYS, b"i" * 16, direction, counter, sealed) == text


@given(st.binary(max_size=64))
def test_no_other_bytes_open(junk: bytes) -> None:
    with pytest.raises(MacMismatch):
        sac.open_container(KEYS, b"i" * 16, TO_CARD, 1, junk)


def test_a_container_opens_only_with_its_number_direction_and_association() -> None:
    sealed = sac.seal_container(KEYS, b"i" * 16, TO_CARD, 5, b"command")
    for csa_id, direction, counter in ((b"j" * 16, TO_CARD, 5), (b"i" * 16, TO_TERMINAL, 5), (b"i" * 16, TO_CARD, 6)):
        with pytest.raises(MacMismatch):
            sac.open_container(KEYS, csa_id, direction, counter, sealed)


def test_every_flipped_bit_is_noticed() -> None:
    sealed = sac.seal_container(KEYS, b"i" * 16, TO_CARD, 1, b"command")
    for position in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(MacMismatch):
            sac.open_container(KEYS, b"i" * 16, TO_CARD, 1, bytes(changed))


def test_an_empty_text_is_no_way_round_the_padding() -> None:
    # A container without any block has a right MAC, yet nothing in it says what it holds.
    body = (1).to_bytes(5, "big")
    mac = oracle.cmac(ORACLE.mac_key, b"\x00" + b"i" * 16 + body)[:8]
    with pytest.raises(MacMismatch):
        sac.open_container(KEYS, b"i" * 16, TO_CARD, 1, body + mac)


def test_every_part_of_the_agreement_changes_every_key() -> None:
    parties = [
        replace(PARTIES, msa_id=b"M" * 16),
        replace(PARTIES, uicc_id=b"U" * 10),
        replace(PARTIES, terminal_id=b"x"),
        replace(PARTIES, terminal_appli_id=b"x"),
        replace(PARTIES, uicc_appli_id=b"B" * 16),
        replace(PARTIES, methods=7),
        replace(PARTIES, method=0x81),
    ]
    others = [replace(AGREEMENT, parties=changed) for changed in parties]
    others += [
        sac.Agreement(PARTIES, b"j" * 16, *NONCES, AES, AES),
        sac.Agreement(PARTIES, b"i" * 16, b"x" * 16, NONCES[1], AES, AES),
        sac.Agreement(PARTIES, b"i" * 16, NONCES[0], b"x" * 16, AES, AES),
        sac.Agreement(PARTIES, b"i" * 16, *NONCES, b"\x05\x05", AES),
        sac.Agreement(PARTIES, b"i" * 16, *NONCES, AES, b"\x01\x01"),
    ]
    for other in others:
        keys = sac.derive_channel_keys(Secret(MASTER), other)
        assert keys.to_card != KEYS.to_card
        assert keys.to_terminal != KEYS.to_terminal
        assert keys.mac != KEYS.mac
        assert keys.control != KEYS.control


def test_keys_stay_out_of_the_repr() -> None:
    assert KEYS.mac.reveal().hex() not in repr(KEYS)
