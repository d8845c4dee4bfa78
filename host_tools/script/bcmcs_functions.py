"""The network's side of a CSIM for scripts: keys from RK, and BCMCS by the provisional set of functions.

provisional throughout (docs/spec/csim.md): a card with another set of functions answers otherwise.
"""

from __future__ import annotations

from card.codec.ef_csim import decode_hrpd_nai
from card.codec.reader import Reader
from card.codec.tlv import decode_tlvs, read_tlv
from card.crypto.bcmcs import PROVISIONAL_SET, BcmcsFunctions, RegistrationKey, find_functions
from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.script.errors import ExpressionError

_OBJECTS = 2  # of a record of EF_MUK: the MUK ID with IDr and IDi, and the counter
_MUK_ID, _ID_I, _COUNTER = 0xA0, 0x82, 0x81


def nai(file: bytes) -> bytes:
    """Return the NAI in EF_HRPDUPP. Raises `ExpressionError` when it has none."""
    found = decode_hrpd_nai(file)
    if not found:
        raise ExpressionError("csim_nai: EF_HRPDUPP holds no NAI")
    return found.encode()


def tk(rk: bytes, rand: bytes) -> bytes:
    """Return the temporary key for a RAND (16 bytes each): the SMK of an LTKM with this RAND."""
    return _root(rk).derive_tk(rand).reveal()


def sealed_bak(rk: bytes, tk_rand: bytes, bak: bytes) -> bytes:
    """Return a BAK (16 bytes) as it is delivered."""
    return _functions().seal_bak(_root(rk).derive_tk(tk_rand), Secret(bak))


def sk(bak: bytes, sk_rand: bytes) -> bytes:
    """Return the SK (16 bytes) for SK_RAND."""
    return _functions().derive_sk(Secret(bak), sk_rand).reveal()


def srtp_sk(bak: bytes, sk_rand: bytes, packet_index: bytes) -> bytes:
    """Return the SK for SRTP (16 bytes) at a packet index."""
    return _functions().derive_srtp_sk(Secret(bak), sk_rand, packet_index).reveal()


def signature(bak: bytes, flow_id: bytes, bak_id: bytes, timestamp: bytes) -> bytes:
    """Return the authorization signature for a timestamp."""
    return _functions().sign(Secret(bak), flow_id, bak_id, timestamp)


def response(rk: bytes, rand: bytes, challenge: bytes) -> bytes:
    """Return what the subscriber answers to a challenge under RAND."""
    return _root(rk).respond(rand, challenge)


def last_counter(counter: bytes, record: bytes, bmsc: bytes) -> bytes:
    """Return the counter (4 bytes) in a record of EF_MUK that is for this BM-SC, else the one given."""
    reader = Reader(record)
    try:
        found = {item.tag: item.value for item in (read_tlv(reader) for _ in range(_OBJECTS))}
        names = decode_tlvs(found.get(_MUK_ID, b""))
    except DecodeError:  # an empty record
        return counter
    return found.get(_COUNTER, counter) if names.get(_ID_I) == bmsc else counter


def _root(rk: bytes) -> RegistrationKey:
    return RegistrationKey(Secret(rk), _functions())


def _functions() -> BcmcsFunctions:
    return find_functions(PROVISIONAL_SET)
