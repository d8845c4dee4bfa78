"""The GPI message against a vector computed with the standard library and `cryptography` (TS 33.223 clause 5.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.gba_push import SealedGpi, decode_ntp_seconds, encode_ntp_seconds, mac_input
from card.crypto.gba_push import Gpi, GpiKeys, derive_gpi_keys, open_gpi, seal_gpi
from card.crypto.primitives import hmac_sha256
from card.crypto.secret import Secret
from card.errors import DecodeError, EncodeError, MacMismatch
from tests.vectors.loader import load

VECTOR = load("gba_push")["vectors"][0]
RAND, KS, IMPI, MESSAGE = VECTOR["rand"], Secret(VECTOR["ks"]), VECTOR["impi"], VECTOR["gpi"]
KEYS = GpiKeys(Secret(VECTOR["integrity_key"]), Secret(VECTOR["confidentiality_key"]), Secret(VECTOR["iv"]))
GPI = Gpi(
    gba_u=True,
    rand=RAND,
    autn=VECTOR["autn_star"],
    naf_id=VECTOR["naf_id"],
    expires=datetime.fromisoformat(VECTOR["key_lifetime"].decode()),
    p_tid=VECTOR["p_tid"].decode(),
)
LABEL_AT = 33


def with_mac(message: bytes) -> bytes:
    """Return a message that was changed, its MAC made right again."""
    return message[:-4] + hmac_sha256(KEYS.integrity.reveal(), mac_input(message))[:4]


def test_keys_from_ks() -> None:
    assert derive_gpi_keys(KS, RAND, IMPI) == KEYS


def test_sealed_as_the_vector() -> None:
    assert seal_gpi(GPI, KEYS) == MESSAGE


def test_opened_again() -> None:
    assert open_gpi(MESSAGE, KEYS) == GPI


def test_every_byte_is_under_the_mac() -> None:
    """Also the bytes of the MAC itself; a length that no longer fits is told before the MAC."""
    for position in range(len(MESSAGE)):
        changed = bytearray(MESSAGE)
        changed[position] ^= 0x02  # not the version, not a length that still fits
        with pytest.raises((MacMismatch, DecodeError)):
            open_gpi(bytes(changed), KEYS)


def test_every_cut_is_refused() -> None:
    for size in range(len(MESSAGE)):
        with pytest.raises(DecodeError):
            SealedGpi.decode(MESSAGE[:size])


def test_a_byte_too_many_is_refused() -> None:
    with pytest.raises(DecodeError, match="too many"):
        SealedGpi.decode(MESSAGE + b"\x00")


def test_another_version_is_refused() -> None:
    with pytest.raises(DecodeError, match="version 2"):
        SealedGpi.decode(b"\x21" + MESSAGE[1:])


def test_reserved_bits_are_ignored_and_under_the_mac() -> None:
    reserved = b"\x1f" + MESSAGE[1:]
    with pytest.raises(MacMismatch):
        open_gpi(reserved, KEYS)
    assert open_gpi(with_mac(reserved), KEYS) == GPI


def test_gba_me_is_told() -> None:
    message = seal_gpi(replace(GPI, gba_u=False, app_label="usim"), KEYS)
    assert message[0] == 0x10
    assert message[LABEL_AT : LABEL_AT + 5] == b"\x04usim"
    assert not open_gpi(message, KEYS).gba_u


def test_the_counter_counts_in_sixteen_bits() -> None:
    """112 bits stand still: behind FFFF comes 0000, and no carry reaches the byte before."""
    near_the_end = GpiKeys(KEYS.integrity, KEYS.confidentiality, Secret(bytes(14) + b"\xff\xff"))
    carried = GpiKeys(KEYS.integrity, KEYS.confidentiality, Secret(bytes(16)))
    sealed = SealedGpi.decode(seal_gpi(GPI, near_the_end))
    from_zero = SealedGpi.decode(seal_gpi(replace(GPI, naf_id=GPI.naf_id[16:]), carried))
    assert sealed.naf_id[16:] == from_zero.naf_id


@pytest.mark.parametrize("naf_id", [b"", bytes(5)])
def test_a_naf_id_without_an_fqdn_is_refused(naf_id: bytes) -> None:
    with pytest.raises(EncodeError, match="FQDN"):
        seal_gpi(replace(GPI, naf_id=naf_id), KEYS)
    with pytest.raises(EncodeError, match="Ua protocol"):
        SealedGpi(True, RAND, RAND, b"", naf_id, bytes(4), b"").encode()


def test_a_short_naf_id_on_the_wire_is_refused() -> None:
    with pytest.raises(DecodeError, match="FQDN"):
        SealedGpi.decode(MESSAGE[:34] + b"\x05" + bytes(5) + bytes(4) + b"\x00" + bytes(4))


def test_sizes_are_checked() -> None:
    with pytest.raises(EncodeError, match="16, 16, 4 and 4"):
        seal_gpi(replace(GPI, rand=RAND[1:]), KEYS)
    with pytest.raises(EncodeError, match="P-TID"):
        seal_gpi(replace(GPI, p_tid="p" * 256), KEYS)


def test_a_text_that_is_none() -> None:
    label = MESSAGE[:LABEL_AT] + b"\x01\xff" + MESSAGE[LABEL_AT + 1 :]
    with pytest.raises(DecodeError, match="App_Lbl"):
        open_gpi(with_mac(label), KEYS)


@pytest.mark.parametrize(
    ("moment", "value"),
    [
        (datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), "f487d3a5"),
        (datetime(2036, 2, 7, 6, 28, 15, tzinfo=UTC), "ffffffff"),
        (datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC), "00000000"),
        (datetime(2104, 2, 26, 9, 42, 23, tzinfo=UTC), "7fffffff"),
        (datetime(1968, 1, 20, 3, 14, 8, tzinfo=UTC), "80000000"),
    ],
)
def test_times_over_the_overflow(moment: datetime, value: str) -> None:
    """RFC 4330 clause 3, which TS 33.223 clause 5.3.5 asks for."""
    assert encode_ntp_seconds(moment).hex() == value
    assert decode_ntp_seconds(bytes.fromhex(value)) == moment


@pytest.mark.parametrize("year", [1967, 2105])
def test_times_that_do_not_fit(year: int) -> None:
    with pytest.raises(EncodeError, match=str(year)):
        encode_ntp_seconds(datetime(year, 1, 1, tzinfo=UTC))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """What can be read is written back the same but for the reserved bits."""
    try:
        message = SealedGpi.decode(raw)
    except DecodeError:
        return
    assert message.encode()[1:] == raw[1:]
