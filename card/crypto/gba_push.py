"""Keys and protection of the GBA Push Information message, GPI (TS 33.223 clause 5.3).

The keys come from the Ks that the message itself sets up, each like the key of a NAF whose NAF_ID is a text. In GBA_U
Ks stays in the card, and only Ks_ext_NAF leaves it: so a terminal asks for three NAF derivations with the texts of
`GPI_NAF_IDS`.

provisional: that the keys are made like Ks_ext_NAF ("gba-me") in GBA_U too; that the key stream runs on from one
encrypted element to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from card.codec.gba_push import (
    MAC_SIZE,
    SealedGpi,
    decode_ntp_seconds,
    encode_ntp_seconds,
    mac_input,
)
from card.crypto.gba import derive_ks_ext_naf
from card.crypto.primitives import BLOCK_SIZE, AesBlock, equal_bytes, hmac_sha256, xor_bytes
from card.crypto.secret import Secret
from card.errors import DecodeError, MacMismatch
from card.spec.gba import UA_PROTOCOL_SIZE

INTEGRITY_NAF_ID = b"GPI_integrity"
CONFIDENTIALITY_NAF_ID = b"GPI_confidentiality"
IV_NAF_ID = b"GPI_IV"
GPI_NAF_IDS = (INTEGRITY_NAF_ID, CONFIDENTIALITY_NAF_ID, IV_NAF_ID)
"""What stands for the NAF_ID in the derivations of the three keys, in the order of `GpiKeys.of_naf_keys`."""

_KEY_SIZE = 16
_COUNTER_BITS = 16


@dataclass(frozen=True, slots=True)
class GpiKeys:
    """What protects one GPI: integrity key, encryption key and first counter block, 16 bytes each."""

    integrity: Secret
    confidentiality: Secret
    iv: Secret

    @classmethod
    def of_naf_keys(cls, integrity: Secret, confidentiality: Secret, iv: Secret) -> GpiKeys:
        """Return the keys from the results (32 bytes each) of the derivations with `GPI_NAF_IDS`."""
        return cls(*(Secret(key.reveal()[-_KEY_SIZE:]) for key in (integrity, confidentiality, iv)))


def derive_gpi_keys(ks: Secret, rand: bytes, impi: bytes) -> GpiKeys:
    """Return the keys of a GPI from Ks (32 bytes), RAND (16) and IMPI (UTF-8), as the BSF does (clause 5.3.2)."""
    return GpiKeys.of_naf_keys(*(derive_ks_ext_naf(ks, rand, impi, name) for name in GPI_NAF_IDS))


@dataclass(frozen=True, slots=True)
class Gpi:
    """What a GPI says, in clear (TS 33.223 clause 5.2.1).

    RAND and AUTN (AUTN* if `gba_u`) have 16 bytes each. `app_label` may be empty. `naf_id` is the FQDN and 5 bytes of
    the Ua protocol. `expires` is an aware time in whole seconds. `p_tid` names the keys in what the terminal sends.
    """

    gba_u: bool
    rand: bytes
    autn: bytes
    naf_id: bytes
    expires: datetime
    p_tid: str
    app_label: str = ""


def seal_gpi(gpi: Gpi, keys: GpiKeys) -> bytes:
    """Return the message, encrypted first and authenticated then. Raises `EncodeError` when a value does not fit."""
    naf_id, lifetime, p_tid = _encipher(keys, gpi.naf_id, encode_ntp_seconds(gpi.expires), gpi.p_tid.encode())
    message = SealedGpi(gpi.gba_u, gpi.rand, gpi.autn, gpi.app_label.encode(), naf_id, lifetime, p_tid)
    return message.with_mac(_mac(keys, message.encode())).encode()


def open_gpi(raw: bytes, keys: GpiKeys) -> Gpi:
    """Check the MAC of a message and return what it says.

    Raises `MacMismatch` when the MAC is wrong, `DecodeError` when the message or a text in it cannot be read.
    """
    message = SealedGpi.decode(raw)
    if not equal_bytes(_mac(keys, raw), message.mac):
        raise MacMismatch("the MAC of the GPI is wrong")
    naf_id, lifetime, p_tid = _encipher(keys, message.naf_id, message.lifetime, message.p_tid)
    _text(naf_id[:-UA_PROTOCOL_SIZE], "FQDN of the NAF")
    return Gpi(
        gba_u=message.gba_u,
        rand=message.rand,
        autn=message.autn,
        naf_id=naf_id,
        expires=decode_ntp_seconds(lifetime),
        p_tid=_text(p_tid, "P-TID"),
        app_label=_text(message.app_label, "App_Lbl"),
    )


def _mac(keys: GpiKeys, raw: bytes) -> bytes:
    """Return HMAC-SHA-256-32 over the whole message (clause 5.3.3)."""
    return hmac_sha256(keys.integrity.reveal(), mac_input(raw))[:MAC_SIZE]


def _encipher(keys: GpiKeys, naf_id: bytes, lifetime: bytes, p_tid: bytes) -> tuple[bytes, bytes, bytes]:
    """Encrypt, or decrypt, the three elements with AES-128 in counter mode (clause 5.3.4)."""
    result = _counter_mode(keys, naf_id + lifetime + p_tid)
    end = len(naf_id) + len(lifetime)
    return result[: len(naf_id)], result[len(naf_id) : end], result[end:]


def _counter_mode(keys: GpiKeys, data: bytes) -> bytes:
    """Only the last 16 bits of the counter block count; the other 112 stand still (clause 5.3.4)."""
    iv = keys.iv.reveal()
    still, first = iv[: -_COUNTER_BITS // 8], int.from_bytes(iv[-_COUNTER_BITS // 8 :], "big")
    count = -(-len(data) // BLOCK_SIZE)
    blocks = b"".join(
        still + ((first + i) % (1 << _COUNTER_BITS)).to_bytes(_COUNTER_BITS // 8, "big") for i in range(count)
    )
    return xor_bytes(data, AesBlock(keys.confidentiality.reveal()).encrypt(blocks)[: len(data)])


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DecodeError(f"GPI: {what} is no UTF-8") from None
