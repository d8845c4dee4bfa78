"""Answers of AUTHENTICATE in the MBMS context: the plain MBMS shape and the OMA BCAST shape.

Plain MBMS answers with tag 53 whose content starts with DB (TS 31.102 clause 7.1.2.5); OMA BCAST with tag 73
holding one template AE. Which one arrived is seen from the content, as terminals in the field do. The objects inside
AE have the tags of a set of tables (`card.spec.bcast.tables`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from card.codec.reader import Reader
from card.codec.tlv import decode_tlv, decode_tlvs
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.bcast.ratings import rating_words, value_words
from card.spec.bcast.tables import BcastTables
from card.spec.contexts import STRUCTURED, SUCCESS, UNSTRUCTURED
from host_tools.terminal.errors import answer_to

_BCAST_TEMPLATE = 0xAE
_KEY_SIZES = (16, 24, 32)  # an MTK is an SRTP master key of 128, 192 or 256 bits (TS 33.246 clause 4.2)
_MTK_SALT_SIZE = 14  # the salt of streaming has 112 bits, download has none (TS 33.246 clause 6.4.5.3)
_LONGEST_SALT = 16


@dataclass(frozen=True, slots=True)
class ParentalRequest:
    """Why a TEK is held back: key reference of the PIN to ask for, rating type and value, level granted."""

    pin_reference: int
    rating_type: int
    rating_value: int
    level_granted: int

    def __str__(self) -> str:
        granted = value_words(self.rating_type, self.level_granted)
        return f"{rating_words(self.rating_type, self.rating_value)}, level granted {granted}"


@dataclass(frozen=True, slots=True)
class MskAnswer:
    """The card took an LTKM.

    `verification` is the MIKEY verification or reporting message when one was asked for. The others only come
    with the BCAST shape: `status` (one byte), `rating` (rating type, level granted) and `unsupported_spe`.
    """

    verification: bytes | None = None
    status: int | None = None
    rating: tuple[int, int] | None = None
    unsupported_spe: int | None = None


@dataclass(frozen=True, slots=True)
class MtkAnswer:
    """The card's decision about an STKM: a TEK (16, 24 or 32 bytes) and maybe a salt, or a status saying why not.

    `protection` is protection_after_reception (0 to 3), where the card reports it. `is_bcast` says that the answer has
    the OMA BCAST shape: message or key is under its rules.
    """

    key: Secret | None = None
    salt: Secret | None = None
    status: int | None = None
    parental: ParentalRequest | None = None
    protection: int | None = None
    is_bcast: bool = False


def decode_msk_answer(data: bytes, tables: BcastTables) -> MskAnswer:
    """Read the answer to MSK update. Raises `MalformedAnswerError`."""
    with answer_to("MSK update"):
        content, objects = _open(data)
        if objects is None:
            return MskAnswer(verification=content or None)
        tags = tables.response_tags
        rating = objects.get(tags["parental_rating"])
        if rating is not None and len(rating) != 2:
            raise DecodeError("parental rating has 2 bytes")
        return MskAnswer(
            verification=objects.get(tags["mikey"]) or None,
            status=_byte(objects, tags["status"], "the status"),
            rating=None if rating is None else (rating[0], rating[1]),
            unsupported_spe=_byte(objects, tags["spe_not_supported"], "the unsupported SPE"),
        )


def decode_mtk_answer(data: bytes, tables: BcastTables) -> MtkAnswer:
    """Read the answer to MTK generation. Raises `MalformedAnswerError`."""
    with answer_to("MTK generation"):
        content, objects = _open(data)
        if objects is None:
            return _split_mtk(content)
        tags = tables.response_tags
        key = objects.get(tags["tek"])
        return MtkAnswer(
            key=None if key is None else _key(key),
            salt=_salt(objects.get(tags["salt"], b"")),
            status=_byte(objects, tags["status"], "the status"),
            parental=_parental(objects.get(tags["parental_control"])),
            protection=_byte(objects, tags["protection_after_reception"], "protection after reception"),
            is_bcast=True,
        )


def decode_deletion_answer(data: bytes) -> None:
    """Check the answer to MSK or MUK deletion. Raises `MalformedAnswerError`."""
    with answer_to("a deletion"):
        _open(data)


def _open(data: bytes) -> tuple[bytes, Mapping[int, bytes] | None]:
    """Return the content behind DB (plain MBMS), or nothing and the objects of the BCAST template."""
    outer = decode_tlv(data)
    if outer.tag not in (UNSTRUCTURED, STRUCTURED):
        raise DecodeError(f"tag {outer.tag:02X} instead of 53 or 73")
    if outer.value[:1] == bytes((SUCCESS,)):
        return outer.value[1:], None
    template = decode_tlv(outer.value)
    if template.tag != _BCAST_TEMPLATE:
        raise DecodeError("neither DB nor a template AE inside")
    return b"", MappingProxyType(decode_tlvs(template.value))


def _split_mtk(content: bytes) -> MtkAnswer:
    """Take MTK and salt apart, between which nothing stands: the whole size says where (TS 31.102 clause 7.1.2.5)."""
    if len(content) in _KEY_SIZES:
        return MtkAnswer(Secret(content))
    if len(content) - _MTK_SALT_SIZE in _KEY_SIZES:
        return MtkAnswer(Secret(content[:-_MTK_SALT_SIZE]), Secret(content[-_MTK_SALT_SIZE:]))
    raise DecodeError(f"MTK and salt have {len(content)} bytes; 16, 24 or 32 and 14 more with a salt are wanted")


def _key(value: bytes) -> Secret:
    if len(value) not in _KEY_SIZES:
        raise DecodeError(f"the traffic key has {len(value)} bytes; 16, 24 or 32 are wanted")
    return Secret(value)


def _salt(value: bytes) -> Secret | None:
    if len(value) > _LONGEST_SALT:
        raise DecodeError(f"the salt has {len(value)} bytes")
    return Secret(value) if value else None


def _byte(objects: Mapping[int, bytes], tag: int, what: str) -> int | None:
    value = objects.get(tag)
    if value is not None and len(value) != 1:
        raise DecodeError(f"{what} has 1 byte")
    return None if value is None else value[0]


def _parental(value: bytes | None) -> ParentalRequest | None:
    if value is None:
        return None
    reader = Reader(value)
    request = ParentalRequest(reader.u8(), reader.u8(), reader.u8(), reader.u8())
    reader.expect_end("parental control")
    return request
