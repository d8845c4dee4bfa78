"""What the files of MBMS must show, and names for tests of the MBMS context."""

from __future__ import annotations

from tests.support.network import KEY_DOMAIN
from tests.support.testcard import Answer, tlv

EF_GBABP, EF_MSK, EF_MUK, EF_GBANL = 0x6FD6, 0x6FD7, 0x6FD8, 0x6FDA
EMPTY_GROUP = b"\xff" * 20
EMPTY_MUK = b"\xff" * 200
EMPTY_NAF = b"\xff" * 200
MSK_1, MSK_2, MSK_3 = (bytes.fromhex(text) for text in ("00010001", "00010002", "00010003"))
OTHER_GROUPS = [bytes.fromhex(text) for text in ("00020001", "00030001", "00040001")]
TEK_AND_SALT = Answer("DB" + bytes(range(0xB0, 0xCE)).hex().upper(), "9000")
DONE = Answer("DB", "9000")


def msk_entry(*pairs: tuple[bytes, int], domain: bytes = KEY_DOMAIN) -> bytes:
    """Return a record of EF_MSK, given the MSKs in the order of the file: the newer one first."""
    body = b"".join(msk_id + counter.to_bytes(4, "big") for msk_id, counter in pairs)
    return (domain + bytes((len(pairs),)) + body).ljust(20, b"\xff")


def muk_id(id_i: bytes, id_r: bytes) -> bytes:
    """Return a MUK ID as MUK deletion has it."""
    return tlv(0xA0, tlv(0x80, id_r) + tlv(0x82, id_i))


def muk_entry(id_i: bytes, id_r: bytes, counter: int) -> bytes:
    """Return a record of EF_MUK."""
    return (muk_id(id_i, id_r) + tlv(0x81, counter.to_bytes(4, "big"))).ljust(200, b"\xff")


def naf_entry(naf_id: bytes, b_tid: bytes) -> bytes:
    """Return a record of EF_GBANL."""
    return (tlv(0x80, naf_id) + tlv(0x81, b_tid)).ljust(200, b"\xff")
