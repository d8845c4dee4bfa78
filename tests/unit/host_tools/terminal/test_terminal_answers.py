"""Reading the card's answers: both shapes of the MBMS context, AKA and GBA, and bytes that are neither."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.tlv import encode_tlv
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import Reason
from host_tools.terminal.aka import (
    GbaResponse,
    SynchronisationFailure,
    decode_gba,
    decode_naf_key,
    encode_lv,
)
from host_tools.terminal.answers import (
    ParentalRequest,
    decode_deletion_answer,
    decode_msk_answer,
    decode_mtk_answer,
)
from host_tools.terminal.errors import MalformedAnswerError

TEK = bytes(range(16))
SALT = bytes(range(0x20, 0x2E))
AUTS = bytes(range(14))

DECODERS: list[Callable[[bytes], object]] = [
    decode_gba, decode_naf_key,
    partial(decode_msk_answer, tables=P1), partial(decode_mtk_answer, tables=P1), decode_deletion_answer,
]  # fmt: skip


class TestMbmsShape:
    def test_tek_alone(self) -> None:
        answer = decode_mtk_answer(bytes.fromhex("5311DB") + TEK, P1)
        assert (answer.key, answer.salt, answer.status) == (Secret(TEK), None, None)

    def test_tek_with_salt(self) -> None:
        answer = decode_mtk_answer(bytes.fromhex("531FDB") + TEK + SALT, P1)
        assert (answer.key, answer.salt) == (Secret(TEK), Secret(SALT))

    @pytest.mark.norm("27")
    @pytest.mark.parametrize("size", [16, 24, 32])
    @pytest.mark.parametrize("salt", [b"", SALT])
    def test_every_size_of_an_mtk_is_split_at_the_salt(self, size: int, salt: bytes) -> None:
        key = bytes(range(size))
        answer = decode_mtk_answer(encode_tlv(0x53, b"\xdb" + key + salt), P1)
        assert (answer.key, answer.salt) == (Secret(key), Secret(salt) if salt else None)

    def test_msk_update_without_verification(self) -> None:
        assert decode_msk_answer(bytes.fromhex("5301DB"), P1).verification is None

    def test_msk_update_with_verification(self) -> None:
        assert decode_msk_answer(bytes.fromhex("5304DB010203"), P1).verification == b"\x01\x02\x03"

    def test_long_verification_has_a_two_byte_length(self) -> None:
        mikey = bytes(200)
        assert decode_msk_answer(bytes.fromhex("5381C9DB") + mikey, P1).verification == mikey

    @pytest.mark.parametrize(
        "raw", ["5301DB", "5302DB00", "5310DB" + "00" * 15, "5322DB" + "00" * 33, "532FDB" + "00" * 45]
    )
    def test_wrong_key_sizes(self, raw: str) -> None:
        with pytest.raises(MalformedAnswerError, match="MTK generation"):
            decode_mtk_answer(bytes.fromhex(raw), P1)


class TestBcastShape:
    def test_worked_frame_with_salt(self) -> None:
        raw = bytes.fromhex("7327AE25800100 8610") + TEK + bytes.fromhex("870E") + SALT
        answer = decode_mtk_answer(raw, P1)
        assert (answer.key, answer.salt, answer.status) == (Secret(TEK), Secret(SALT), P1.answers[Reason.DONE])

    def test_refusal_without_key(self) -> None:
        answer = decode_mtk_answer(bytes.fromhex("7305AE03800102"), P1)
        assert (answer.key, answer.status) == (None, P1.answers[Reason.NO_CREDIT])

    def test_parental_pin_needed(self) -> None:
        answer = decode_mtk_answer(bytes.fromhex("730BAE09800107 8804 81 01 12 0C"), P1)
        assert answer.parental == ParentalRequest(0x81, 1, 0x12, 0x0C)

    def test_policy_not_supported(self) -> None:
        answer = decode_msk_answer(bytes.fromhex("7308AE068001018B010F"), P1)
        assert (answer.status, answer.unsupported_spe) == (P1.answers[Reason.SPE_NOT_SUPPORTED], 0x0F)

    def test_verification_and_rating(self) -> None:
        answer = decode_msk_answer(bytes.fromhex("730EAE0C800100 8A02010C 8C03AABBCC"), P1)
        assert (answer.verification, answer.rating) == (b"\xaa\xbb\xcc", (1, 0x0C))

    def test_empty_verification_is_none(self) -> None:
        assert decode_msk_answer(bytes.fromhex("7307AE058001008C00"), P1).verification is None

    @pytest.mark.parametrize(
        "raw",
        [
            "7305AF03800102",  # another template
            "7306AE0480020000",  # status of two bytes
            "7308AE06800100800100",  # status twice
            "7306AE05800102",  # lengths that lie
            "7307AE0588030102 03",  # parental control of three bytes
            "5405AE03800102",  # another outer tag
        ],
    )
    def test_malformed(self, raw: str) -> None:
        with pytest.raises(MalformedAnswerError):
            decode_mtk_answer(bytes.fromhex(raw), P1)


class TestAka:
    def test_synchronisation_failure(self) -> None:
        raw = b"\xdc" + encode_lv(AUTS)
        assert decode_gba(raw) == SynchronisationFailure(AUTS)

    def test_gba_gives_res_only(self) -> None:
        assert decode_gba(b"\xdb" + encode_lv(b"response")) == GbaResponse(b"response")

    def test_naf_key_has_32_bytes(self) -> None:
        assert decode_naf_key(b"\xdb" + encode_lv(bytes(32))) == Secret(bytes(32))
        with pytest.raises(MalformedAnswerError, match="31 bytes"):
            decode_naf_key(b"\xdb" + encode_lv(bytes(31)))

    @pytest.mark.parametrize("raw", ["", "AA", "DC0D" + "00" * 13, "DB03000000", "DB0400000000FF"])
    def test_malformed_gba(self, raw: str) -> None:
        with pytest.raises(MalformedAnswerError, match="GBA"):
            decode_gba(bytes.fromhex(raw))


def test_no_key_shows_in_any_repr() -> None:
    key = bytes.fromhex("C0FFEE") * 5 + b"\x01"
    shown = repr((decode_mtk_answer(b"\x53\x11\xdb" + key, P1), decode_naf_key(b"\xdb" + encode_lv(key * 2))))
    assert "c0ffee" not in shown.lower()
    assert "\\xff\\xee" not in shown


_HEADS = [bytes.fromhex(head) for head in ("53", "73", "DB", "DC", "5311DB", "7305AE", "730FAE0D")]
_SHAPED = st.builds(lambda head, body: head + body, st.sampled_from(_HEADS), st.binary(max_size=300))


@pytest.mark.parametrize("decoder", DECODERS)
@given(data=st.binary(max_size=300) | _SHAPED)
def test_hostile_bytes_raise_nothing_else(decoder: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(MalformedAnswerError):
        decoder(data)
