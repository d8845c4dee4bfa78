"""Records of EF_MUK for scripts (TS 31.102 clause 4.2.81): MUK ID and counter."""

from __future__ import annotations

from card.codec.reader import Reader
from card.codec.tlv import decode_tlvs, encode_tlv, read_tlv
from card.errors import DecodeError

_OBJECTS = 2  # the MUK ID with IDr and IDi, and the counter
_MUK_ID, _ID_R, _ID_I, _COUNTER = 0xA0, 0x80, 0x82, 0x81
_NOBODY = encode_tlv(_ID_R, b"nobody") + encode_tlv(_ID_I, b"nobody")


def last_counter(counter: bytes, record: bytes, bmsc: bytes) -> bytes:
    """Return the counter (4 bytes) in a record that is for this BM-SC, else the one given."""
    muk_id, found = _split(record)
    return found if _bmsc_of(muk_id) == bmsc else counter


def muk_id_under(record: bytes, name: bytes) -> bytes:
    """Return the MUK ID in a record whose BM-SC is `name` or has a name that ends in it, else one that nobody has."""
    muk_id, _ = _split(record)
    bmsc = _bmsc_of(muk_id)
    return muk_id if bmsc == name or bmsc.endswith(b"." + name) else _NOBODY


def _split(record: bytes) -> tuple[bytes, bytes]:
    """Return MUK ID and counter of a record, both empty for a free one."""
    reader = Reader(record)
    try:
        found = {item.tag: item.value for item in (read_tlv(reader) for _ in range(_OBJECTS))}
    except DecodeError:
        return b"", b""
    return found.get(_MUK_ID, b""), found.get(_COUNTER, b"")


def _bmsc_of(muk_id: bytes) -> bytes:
    try:
        return decode_tlvs(muk_id).get(_ID_I, b"")
    except DecodeError:
        return b""
