"""Data of AUTHENTICATE in the 3G and the GBA context (TS 31.102 clause 7.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.reader import Reader
from card.crypto.secret import Secret
from card.errors import DecodeError, EncodeError
from card.spec.contexts import SUCCESS, SYNCHRONISATION_FAILURE
from host_tools.terminal.errors import answer_to


@dataclass(frozen=True, slots=True)
class GbaResponse:
    """A successful bootstrapping: RES (4 to 16 bytes); CK and IK stay in the card."""

    res: bytes


@dataclass(frozen=True, slots=True)
class AkaKeys:
    """A successful 3G authentication: RES (4 to 16 bytes), CK and IK (16 bytes each)."""

    res: bytes
    ck: Secret
    ik: Secret


@dataclass(frozen=True, slots=True)
class SynchronisationFailure:
    """The card found the sequence number not fresh and gives AUTS (14 bytes) for resynchronisation."""

    auts: bytes


def encode_lv(*values: bytes) -> bytes:
    """Return each value with its length byte in front. Raises `EncodeError` for one over 255 bytes."""
    if any(len(value) > 255 for value in values):
        raise EncodeError("a field of AUTHENTICATE holds at most 255 bytes")
    return b"".join(bytes((len(value),)) + value for value in values)


def decode_gba(data: bytes) -> GbaResponse | SynchronisationFailure:
    """Read the response to GBA bootstrapping. Raises `MalformedAnswerError`."""
    with answer_to("GBA bootstrapping"):
        reader = _open(data)
        if data[0] == SYNCHRONISATION_FAILURE:
            return _decode_auts(reader)
        res = _lv(reader, "RES", range(4, 17))
        reader.expect_end("response")
        return GbaResponse(res)


def decode_3g(data: bytes) -> AkaKeys | SynchronisationFailure:
    """Read the response to 3G authentication; a Kc behind it is passed over. Raises `MalformedAnswerError`."""
    with answer_to("3G authentication"):
        reader = _open(data)
        if data[0] == SYNCHRONISATION_FAILURE:
            return _decode_auts(reader)
        res = _lv(reader, "RES", range(4, 17))
        return AkaKeys(res, Secret(_lv(reader, "CK", range(16, 17))), Secret(_lv(reader, "IK", range(16, 17))))


def decode_naf_key(data: bytes) -> Secret:
    """Read Ks_ext_NAF (32 bytes) from the response to NAF derivation. Raises `MalformedAnswerError`."""
    with answer_to("NAF derivation"):
        reader = _open(data)
        if data[0] != SUCCESS:
            raise DecodeError("it does not start with DB")
        key = Secret(_lv(reader, "Ks_ext_NAF", range(32, 33)))
        reader.expect_end("response")
        return key


def _open(data: bytes) -> Reader:
    """Return a reader behind the first byte, which says how it went."""
    reader = Reader(data)
    if reader.u8("status") not in (SUCCESS, SYNCHRONISATION_FAILURE):
        raise DecodeError("it starts with neither DB nor DC")
    return reader


def _lv(reader: Reader, what: str, sizes: range) -> bytes:
    value = reader.lv(what)
    if len(value) not in sizes:
        raise DecodeError(f"{what} has {len(value)} bytes")
    return value


def _decode_auts(reader: Reader) -> SynchronisationFailure:
    auts = _lv(reader, "AUTS", range(14, 15))
    reader.expect_end("response")
    return SynchronisationFailure(auts)
