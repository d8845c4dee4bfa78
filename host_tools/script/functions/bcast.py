"""The network's side of OMA BCAST for scripts: bytes in, bytes out.

Every number, tag and layout is read from a named set of tables, all of which are provisional; who corrects a table
corrects the scripts with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from card.codec.bcast import LtkmManagement, ParentalControl, Rating, StkmManagement
from card.codec.mikey import Extension, ExtensionType, KeyInterval, MbmsKeyIds
from card.codec.tlv import encode_tlv
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import LOWEST_STATUS_WORD, BcastTables, TrafficProtection
from card.spec.bcast.x2 import X2
from card.spec.contexts import STRUCTURED
from host_tools.headend.bsm.ltkm import LtkmContent, open_verification, seal_ltkm
from host_tools.headend.bsm.srtp_policy import srtp_description
from host_tools.headend.errors import VerificationError
from host_tools.headend.service_keys import NO_KEY_NUMBER
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.script.errors import ExpressionError

T = TypeVar("T")

CSB_ID = 0x42434153
SRTP_STREAM = srtp_description(ssrc=0x42434153)
"""The stream that LTKMs of scripts describe; no card looks at it (TS 33.246 clause 6.4.6.1: the terminal does)."""

_SETS: Mapping[str, BcastTables] = {tables.name: tables for tables in (P1, X2)}
_DOMAIN_SIZE = 3
_BOUND_SIZE = 4
_TEMPLATE = 0xAE
_FLAGS = ("add", "keep", "report")
_LIFETIME = 3


def number(tables: bytes, name: bytes) -> bytes:
    """Return a number of the tables: `tag tek`, `audit user_purse`, `mode spe_audit`, `property recorded`, `pin`.

    One byte. Raises `ExpressionError` naming the kinds, or the names of one kind, there are.
    """
    rows = _find(tables)
    kind, _, which = name.decode().partition(" ")
    kinds: Mapping[str, Mapping[str, int]] = {
        "tag": rows.response_tags,
        "audit": rows.audit_tags,
        "mode": rows.modes,
        "property": rows.properties,
        "pin": {"": rows.pin_reference},
    }
    return bytes((_pick(_pick(kinds, kind, "kind of number"), which, kind),))


def spe(tables: bytes, name: bytes) -> bytes:
    """Return the value (1 byte) of the SPE with this name."""
    return bytes((_spe(_find(tables), name),))


def status(tables: bytes, reason: bytes) -> bytes:
    """Return the object with the status of a reason. Raises `ExpressionError` where it is a status word."""
    rows = _find(tables)
    answer = _answer(rows, reason)
    if answer >= LOWEST_STATUS_WORD:
        raise ExpressionError(f"{rows.name} answers {reason.decode()} with the status word {answer:04X}")
    return encode_tlv(rows.response_tags["status"], bytes((answer,)))


def refusal(tables: bytes, reason: bytes, objects: bytes) -> bytes:
    """Return the whole data of a refusal: the status and `objects` in their template; none behind a status word."""
    if _answer(_find(tables), reason) >= LOWEST_STATUS_WORD:
        return b""
    return encode_tlv(STRUCTURED, encode_tlv(_TEMPLATE, status(tables, reason) + objects))


def deletion(tables: bytes, reason: bytes, objects: bytes) -> bytes:
    """Return the whole data that answer a deletion, as `refusal` does; the status has a tag of its own there."""
    rows = _find(tables)
    answer = _answer(rows, reason)
    if answer >= LOWEST_STATUS_WORD:
        return b""
    said = encode_tlv(rows.audit_tags["status"], bytes((answer,)))
    return encode_tlv(STRUCTURED, encode_tlv(_TEMPLATE, said + objects))


def stricter(tables: bytes, level: bytes) -> bytes:
    """Return the rating (type and value) that a level granted (type and value) just holds back."""
    kind, value = level
    return bytes((kind, value - 1 if kind in _find(tables).lower_is_stricter else value + 1))


def policy(tables: bytes, name: bytes, cost: bytes, tokens: bytes, counter: bytes, flags: bytes) -> bytes:
    """Return the extension of an LTKM with a policy: subtype and management data.

    `name` is that of the SPE, or its value as one byte. Empty tokens or counter are left out; `flags` are of
    `add keep report`.
    """
    rows, given = _find(tables), flags.decode().split()
    for flag in given:
        _pick({known: known for known in _FLAGS}, flag, "flag")
    management = LtkmManagement(
        spe=_spe(rows, name),
        cost=int.from_bytes(cost, "big"),
        tokens=_optional(tokens),
        counter=_optional(counter),
        add="add" in given,
        keep_credit="keep" in given,
        consumption_reporting="report" in given,
    )
    return management.to_extension(rows).data


def rated_policy(tables: bytes, name: bytes, rating: bytes) -> bytes:
    """Return the extension of an LTKM with a free policy and a parental rating (type and value)."""
    rows = _find(tables)
    management = LtkmManagement(spe=_spe(rows, name), access_criteria=(_rating(rating).to_descriptor(rows),))
    return management.to_extension(rows).data


def parental(tables: bytes, level: bytes, pincode: bytes, unblock: bytes) -> bytes:
    """Return the extension of a parental control message.

    `level` is rating type and level granted, or empty; the PINCODE itself goes in as the key. `unblock` 01 unblocks.
    """
    granted = (level[0], level[1]) if level else None
    control = ParentalControl(bool(pincode), granted, unblock == b"\x01")
    return control.to_extension(_find(tables)).data


def stkm_data(tables: bytes, protection: bytes, rating: bytes) -> bytes:
    """Return the extension of an STKM: protection after reception (1 byte) and a rating (type and value, or empty)."""
    rows = _find(tables)
    management = StkmManagement(
        protection_after_reception=protection[0],
        traffic_protection_protocol=TrafficProtection.SRTP,
        traffic_authentication=True,
        traffic_key_lifetime=_LIFETIME,
        access_criteria=(_rating(rating).to_descriptor(rows),) if rating else None,
    )
    return management.to_extension(rows).data


def ltkm(
    smk: bytes, bmsc: bytes, b_tid: bytes, counter: bytes, key_id: bytes, key: bytes, bounds: bytes, rand: bytes,
    extension: bytes,
) -> bytes:  # fmt: skip
    """Return an LTKM without the V bit.

    `bmsc` is the FQDN of the BM-SC, `key_id` Key Domain ID and MSK ID, `bounds` two timestamps of 4 bytes.
    """
    return seal_ltkm(_content(bmsc, b_tid, counter, key_id, key, bounds, rand, extension), Secret(smk))


def ltkm_v(
    smk: bytes, bmsc: bytes, b_tid: bytes, counter: bytes, key_id: bytes, key: bytes, bounds: bytes, rand: bytes,
    extension: bytes,
) -> bytes:  # fmt: skip
    """Return an LTKM that asks for a verification message (V bit)."""
    content = _content(bmsc, b_tid, counter, key_id, key, bounds, rand, extension)
    return seal_ltkm(replace(content, verification_requested=True), Secret(smk))


def _content(
    bmsc: bytes, b_tid: bytes, counter: bytes, key_id: bytes, key: bytes, bounds: bytes, rand: bytes,
    extension: bytes,
) -> LtkmContent:  # fmt: skip
    return LtkmContent(
        key_ids=MbmsKeyIds(key_id[:_DOMAIN_SIZE], key_id[_DOMAIN_SIZE:]),
        key=Secret(key),
        validity=KeyInterval(bounds[:_BOUND_SIZE], bounds[_BOUND_SIZE:]),
        counter=int.from_bytes(counter, "big"),
        csb_id=CSB_ID,
        rand=rand,
        fqdn=bmsc,
        b_tid=b_tid.decode("ascii"),
        verification_requested=False,
        stream=None if key_id.endswith(NO_KEY_NUMBER) else SRTP_STREAM,
        extension=_extension(extension),
    )


def verified(sent: bytes, answer: bytes, smk: bytes) -> bytes:
    """Return the verification message `answer` to an LTKM, its MAC checked. Raises `ExpressionError` saying why not."""
    try:
        open_verification(sent, answer, Secret(smk))
    except VerificationError as error:
        raise ExpressionError(f"verified: {error}") from None
    return answer


def stkm(key: bytes, key_id: bytes, mtk_id: bytes, tek: bytes, counter: bytes, rand: bytes, extension: bytes) -> bytes:
    """Return an STKM without a salt. `counter` is its timestamp (4 bytes)."""
    ids = MbmsKeyIds(key_id[:_DOMAIN_SIZE], key_id[_DOMAIN_SIZE:], mtk_id)
    content = StkmContent(ids, Secret(tek), None, int.from_bytes(counter, "big"), _extension(extension))
    return seal_stkm(content, Secret(key), CSB_ID, rand)


def _extension(data: bytes) -> Extension | None:
    return Extension(ExtensionType.OMA_BCAST, data) if data else None


def _find(tables: bytes) -> BcastTables:
    return _pick(_SETS, tables.decode(), "set of tables")


def _spe(rows: BcastTables, name: bytes) -> int:
    if len(name) == 1:
        return name[0]
    return _pick({row.name: row.value for row in rows.spe}, name.decode(), "SPE")


def _answer(rows: BcastTables, reason: bytes) -> int:
    return _pick({known.value: answer for known, answer in rows.answers.items()}, reason.decode(), "reason")


def _pick(known: Mapping[str, T], name: str, what: str) -> T:
    if name not in known:
        raise ExpressionError(f"there is no {what} {name[:40]!r}; there are: {', '.join(known)}")
    return known[name]


def _rating(rating: bytes) -> Rating:
    return Rating(rating[0], rating[1])


def _optional(value: bytes) -> int | None:
    return int.from_bytes(value, "big") if value else None
