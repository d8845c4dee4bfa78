"""GBA keys and what goes over the air for them, written a second time from the texts. Shares no code with `card`.

TS 33.220 clause 5.3.2 and annexes B, H, I; TS 33.246 annex F; TS 33.223 clause 5.3 (push).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

from tests.oracle.aes import encrypt

UA_MBMS = bytes.fromhex("0100000001")
UA_TMPI = bytes.fromhex("0100000100")


def kdf(key: bytes, *params: bytes) -> bytes:
    """Annex B.2 with FC 01."""
    message = b"\x01"
    for param in params:
        message += param + len(param).to_bytes(2, "big")
    return hmac.new(key, message, hashlib.sha256).digest()


def ks_ext_naf(ks: bytes, rand: bytes, impi: bytes, naf_id: bytes) -> bytes:
    return kdf(ks, b"gba-me", rand, impi, naf_id)


def ks_int_naf(ks: bytes, rand: bytes, impi: bytes, naf_id: bytes) -> bytes:
    return kdf(ks, b"gba-u", rand, impi, naf_id)


def mrk(ks_naf: bytes) -> bytes:
    """TS 33.246 annex F: the MRK where the terminal does MBMS itself."""
    return kdf(ks_naf, b"mbms-mrk")


def autn_star(autn: bytes, ik: bytes) -> bytes:
    """Clause 5.3.2: the MAC in AUTN is masked, and unmasked by the same step."""
    digest = hashlib.sha1(ik).digest()
    return autn[:8] + bytes(a ^ b for a, b in zip(autn[8:], digest[:8], strict=True))


def flip(res: bytes) -> bytes:
    """Clause 5.3.2: in GBA_U the last bit of RES is flipped, by the card that sends it and the BSF that keeps it."""
    return res[:-1] + bytes((res[-1] ^ 1,))


def b_tid(rand: bytes, bsf_name: bytes) -> bytes:
    return b64encode(rand) + b"@" + bsf_name


def tmpi_key(ks: bytes, rand: bytes, impi: bytes, bsf_name: bytes) -> bytes:
    return ks_ext_naf(ks, rand, impi, bsf_name + UA_TMPI)


def tmpi(key: bytes) -> bytes:
    """Annex B.4."""
    return b64encode(key[:24]) + b"@tmpi.bsf.3gppnetwork.org"


def two_g(kc: bytes, sres: bytes, rand: bytes, ks_input: bytes) -> tuple[bytes, bytes]:
    """Annex I: RES and Ks of a subscriber with a SIM. The function code 01 is a reading."""
    key = kc + kc + rand
    return kdf(key, b"3gpp-gba-res", sres)[:16], kdf(key, ks_input, b"3gpp-gba-ks", sres)


# --- push (TS 33.223)


def push_key(ks: bytes, rand: bytes, impi: bytes, name: bytes) -> bytes:
    """Clause 5.3.2: `GPI_integrity`, `GPI_confidentiality` or `GPI_IV` in the place of the NAF_ID; last 16 bytes."""
    return ks_ext_naf(ks, rand, impi, name)[-16:]


def _stream(key: bytes, first: bytes, size: int) -> bytes:
    """Clause 5.3.4: counter mode in which the last 16 bits count."""
    count, blocks = int.from_bytes(first[14:], "big"), b""
    for index in range(-(-size // 16)):
        blocks += encrypt(key, first[:14] + ((count + index) % 65536).to_bytes(2, "big"))
    return blocks[:size]


def push_info(
    ks: bytes, rand: bytes, masked: bytes, impi: bytes, label: bytes, naf_id: bytes, lifetime: bytes, p_tid: bytes
) -> bytes:
    """Clause 5.3.5: the GPI of GBA_U; `lifetime` are 4 bytes of NTP seconds. Length bytes in clear are a reading."""
    integrity, confidentiality, first = (
        push_key(ks, rand, impi, b"GPI_" + name) for name in (b"integrity", b"confidentiality", b"IV")
    )
    secret = naf_id + lifetime + p_tid
    hidden = bytes(a ^ b for a, b in zip(secret, _stream(confidentiality, first, len(secret)), strict=True))
    cut = len(naf_id)
    message = b"\x11" + rand + masked + bytes((len(label),)) + label
    message += bytes((cut,)) + hidden[: cut + 4] + bytes((len(p_tid),)) + hidden[cut + 4 :]
    return message + hmac.new(integrity, message + bytes(4), hashlib.sha256).digest()[:4]
