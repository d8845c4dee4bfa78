"""The network's side of a CSIM for scripts: keys from RK, and BCMCS by the provisional set of functions.

provisional throughout (docs/spec/csim.md): a card with another set of functions answers otherwise.
"""

from __future__ import annotations

from card.codec.ef.csim import decode_hrpd_nai
from card.crypto.bcmcs import PROVISIONAL_SET, BcmcsFunctions, RegistrationKey, find_functions
from card.crypto.secret import Secret
from host_tools.script.errors import ExpressionError


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


def _root(rk: bytes) -> RegistrationKey:
    return RegistrationKey(Secret(rk), _functions())


def _functions() -> BcmcsFunctions:
    return find_functions(PROVISIONAL_SET)
