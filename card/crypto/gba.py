"""Keys and names of the Generic Bootstrapping Architecture (TS 33.220)."""

from __future__ import annotations

import base64

from card.crypto.primitives import hmac_sha256, sha1, xor_bytes
from card.crypto.secret import Secret
from card.spec.gba import TMPI_DOMAIN, TMPI_UA_PROTOCOL

_FC_GBA = 0x01
_MAC_SIZE = 8
_TMPI_SIZE = 24


def derive(key: Secret, fc: int, *params: bytes) -> Secret:
    """Return 32 bytes by the KDF of TS 33.220 clause B.2.

    `fc` is one byte; each parameter (up to 65,535 bytes) goes in with its two-byte length behind it. Raises
    `OverflowError` for a longer one.
    """
    text = bytes((fc,)) + b"".join(param + len(param).to_bytes(2, "big") for param in params)
    return Secret(hmac_sha256(key.reveal(), text))


def derive_ks(ck: bytes, ik: bytes) -> Secret:
    """Return Ks (32 bytes) from CK and IK (16 bytes each)."""
    return Secret(ck + ik)


def derive_ks_ext_naf(ks: Secret, rand: bytes, impi: bytes, naf_id: bytes) -> Secret:
    """Return Ks_ext_NAF of GBA_U, which is Ks_NAF in GBA_ME (32 bytes; TS 33.220 clause B.3).

    `impi` is UTF-8; `naf_id` is the FQDN of the NAF in UTF-8 and the five bytes of the Ua security protocol.
    """
    return derive(ks, _FC_GBA, b"gba-me", rand, impi, naf_id)


def derive_ks_int_naf(ks: Secret, rand: bytes, impi: bytes, naf_id: bytes) -> Secret:
    """Return Ks_int_NAF (32 bytes), which does not leave the card (TS 33.220 clause B.3)."""
    return derive(ks, _FC_GBA, b"gba-u", rand, impi, naf_id)


def derive_ks_naf_mrk(ks_naf: Secret) -> Secret:
    """Return the MRK (32 bytes) where the terminal holds the MBMS keys (TS 33.246 clause 6.1 and annex F).

    `ks_naf` is Ks_NAF of GBA_ME, or Ks_ext_NAF of a GBA_U card without MBMS: it is the MUK as well. With MBMS in the
    card the MRK is Ks_ext_NAF itself.
    """
    return derive(ks_naf, _FC_GBA, b"mbms-mrk")


def mask_autn(autn: bytes, ik: bytes) -> bytes:
    """Turn AUTN into the AUTN* of GBA_U, and back (TS 33.220 clause 5.3.2).

    The MAC, the last 8 of the 16 bytes, is combined with the first 8 bytes of SHA-1(IK).
    """
    return autn[:-_MAC_SIZE] + xor_bytes(autn[-_MAC_SIZE:], autn_star_mask(ik))


def autn_star_mask(ik: bytes) -> bytes:
    """Return the 8 bytes that tell MAC* from MAC (TS 33.220 clause 5.3.2)."""
    return sha1(ik)[:_MAC_SIZE]


def flip_res(res: bytes) -> bytes:
    """Return RES (4 to 16 bytes) with its least significant bit flipped (TS 33.220 clause 5.3.2).

    So the card answers a GBA_U bootstrapping, and so the BSF keeps XRES: a RES of GBA_U is none elsewhere.
    """
    return res[:-1] + bytes((res[-1] ^ 1,))


def b_tid(rand: bytes, bsf_name: bytes) -> bytes:
    """Return the B-TID: RAND in base64, "@", the name of the BSF (TS 33.220 clause 4.5.2)."""
    return base64.b64encode(rand) + b"@" + bsf_name


def derive_tmpi(ks: Secret, rand: bytes, impi: bytes, bsf_name: bytes) -> str:
    """Return the TMPI, a name for one run that does not tell the IMPI (TS 33.220 clause B.4).

    With GBA_U a terminal gets its 24 bytes from an ordinary NAF derivation, as Ks stays in the card.
    """
    return tmpi_of(derive_ks_ext_naf(ks, rand, impi, bsf_name + TMPI_UA_PROTOCOL))


def tmpi_of(derived: Secret) -> str:
    """Return the TMPI from the key (32 bytes) of the NAF derivation for it (TS 33.220 clause B.4)."""
    return f"{base64.b64encode(derived.reveal()[:_TMPI_SIZE]).decode()}@{TMPI_DOMAIN}"
