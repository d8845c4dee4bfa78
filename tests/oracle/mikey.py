"""MSK, MTK and verification messages of MBMS, built and opened a second time from the texts.

RFC 3830 clauses 4.1 and 6, RFC 4563, RFC 4771; TS 33.246 clauses 6.4 and 6.6.2.1. Shares no code with `card`: fixed
layouts, strings put together, its own AES. Read into the texts, as they leave it open: the time stamp fills its 64 bits
in the IV with zeros in front; the verification MAC covers the identities without their payload headers; limits have two
bytes; "no key" is key data with a key of length 0; cs_id has one byte.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass

from tests.oracle.aes import counter_mode

# Payload numbers of RFC 3830 clause 6.1 and RFC 4563 clause 4
LAST, KEMAC, T, ID, V, SP, RAND, EXT = 0, 1, 5, 6, 9, 10, 11, 21
# Key data types of RFC 3830 clause 6.13, high nibble; low nibble 2: validity as an interval
TGK, TEK, TEK_SALT = 0x00, 0x20, 0x30
INTERVAL = 0x02

SRTP_RCC_EVERY_PACKET = bytes.fromhex("00010101011002010203011404010e0501000601000701010801010a01010b010e0d020001")
"""SRTP policy of a streaming service: AES-CM 128, HMAC-SHA-1 160, salt 112, rate 0, the counter of RFC 4771 in every
packet (R = 1), in the RCCm1 form."""


# --- keys


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha1).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _p(key: bytes, label: bytes, blocks: int) -> bytes:
    a, stream = label, b""
    for _ in range(blocks):
        a = _hmac(key, a)
        stream += _hmac(key, a + label)
    return stream


def prf(inkey: bytes, label: bytes, bits: int) -> bytes:
    """RFC 3830 clause 4.1.2: the input key in pieces of 256 bits, their streams added."""
    blocks = -(-bits // 160)
    result = bytes(20 * blocks)
    for start in range(0, len(inkey), 32):
        result = _xor(result, _p(inkey[start : start + 32], label, blocks))
    return result[: bits // 8]


@dataclass(frozen=True)
class Keys:
    encryption: bytes
    authentication: bytes
    salt: bytes


def keys(psk: bytes, csb_id: int, rand: bytes) -> Keys:
    """RFC 3830 clause 4.1.4: keys that protect the message itself; 160 bits for the MAC (TS 33.246 clause 6.4.1)."""
    end = b"\xff" + csb_id.to_bytes(4, "big") + rand
    return Keys(
        prf(psk, bytes.fromhex("150533e1") + end, 128),
        prf(psk, bytes.fromhex("2d22ac75") + end, 160),
        prf(psk, bytes.fromhex("29b88916") + end, 112),
    )


def download_keys(mtk: bytes, csb_id: int, rand: bytes, cs_id: bytes = b"\x00") -> tuple[bytes, bytes]:
    """RFC 3830 clause 4.1.3: authentication (160 bits) and encryption key (128) that a TGK gives for a file."""
    end = cs_id + csb_id.to_bytes(4, "big") + rand
    return prf(mtk, bytes.fromhex("1b5c7973") + end, 160), prf(mtk, bytes.fromhex("15798cef") + end, 128)


def iv(salt: bytes, csb_id: int, timestamp: int) -> bytes:
    """RFC 3830 clause 4.2.3."""
    return _xor(salt, bytes(2) + csb_id.to_bytes(4, "big") + timestamp.to_bytes(8, "big")) + bytes(2)


def newer(new: int, old: int | None) -> bool:
    """TS 33.246 clause 6.4.3, RFC 1982 with 32 bits; the distance that is undefined there counts as old.

    `None`: nothing was received since the counter was reset, and whatever comes first is new.
    """
    return old is None or 0 < (new - old) % 2**32 < 2**31


def mki(msk_id: bytes, mtk_id: bytes) -> bytes:
    """TS 33.246 clause 6.6.2.1."""
    return msk_id + mtk_id


def dcf_key_id(key_domain_id: bytes, msk_id: bytes, mtk_id: bytes) -> bytes:
    """TS 33.246 clause 6.6.3.2."""
    return b64encode(key_domain_id + msk_id + mtk_id)


# --- messages


def _two(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _header(data_type: int, verify: bool, csb_id: int, ssrc: int | None) -> bytes:
    """Return the common header with a 0 for the next payload; one SRTP session (policy 0, ROC 0) or an empty map."""
    sessions = b"\x00\x01" if ssrc is None else b"\x01\x00\x00" + ssrc.to_bytes(4, "big") + bytes(4)
    return bytes((1, data_type, 0, 0x80 if verify else 0)) + csb_id.to_bytes(4, "big") + sessions


def _chain(header: bytes, payloads: list[tuple[int, bytes]]) -> bytes:
    """Join payloads, each given by its number and its bytes behind the next payload field."""
    following = [number for number, _ in payloads] + [LAST]
    message = header[:2] + bytes(following[:1]) + header[3:]
    for (_, body), after in zip(payloads, following[1:], strict=True):
        message += bytes((after,)) + body
    return message


def _identifiers(*identifiers: bytes) -> bytes:
    """Return the body of EXT type 3: Key Domain ID, MSK ID and perhaps MTK ID are types 0, 1, 2."""
    return b"\x03" + _two(b"".join(bytes((kind, len(item))) + item for kind, item in enumerate(identifiers)))


def _time(timestamp: int) -> bytes:
    return b"\x02" + timestamp.to_bytes(4, "big")


def _protect(
    made: Keys, csb_id: int, timestamp: int, header: bytes, front: list[tuple[int, bytes]], plain: bytes
) -> bytes:
    encrypted = counter_mode(made.encryption, iv(made.salt, csb_id, timestamp), plain)
    covered = _chain(header, [*front, (KEMAC, b"\x01" + _two(encrypted) + b"\x01")])
    return covered + _hmac(made.authentication, covered)


def _ordered(front: list[tuple[int, bytes]], ext_last: bool) -> list[tuple[int, bytes]]:
    """Return the payloads with the extensions in front, as MBMS is sent here, or behind all others."""
    return sorted(front, key=lambda item: item[0] == EXT) if ext_last else front


@dataclass(frozen=True)
class Ltkm:
    """An MSK message (TS 33.246 clause 6.4.5.1). `bcast` is the value of an extension of OMA BCAST (type 5).

    `pull` leaves the KEMAC without a key (clause 6.3.2.2.4), an empty `msk` makes a message about validity only
    (clause 6.5.3). `ssrc` and `sp` are those of a streaming service, `None` for download.
    """

    psk: bytes
    csb_id: int
    rand: bytes
    timestamp: int
    id_i: bytes
    id_r: bytes
    key_domain_id: bytes
    msk_id: bytes
    msk: bytes
    lower: bytes
    upper: bytes
    verify: bool = True
    bcast: bytes | None = None
    pull: bool = False
    ssrc: int | None = None
    sp: bytes | None = None
    ext_last: bool = False
    id_i_type: int = 0

    @property
    def keys(self) -> Keys:
        return keys(self.psk, self.csb_id, self.rand)

    @property
    def plain(self) -> bytes:
        if self.pull:
            return b""
        limits = b"".join(bytes((len(limit),)) + limit for limit in (self.lower, self.upper))
        return bytes((0, TEK | INTERVAL)) + _two(self.msk) + limits

    def build(self) -> bytes:
        front = [(EXT, _identifiers(self.key_domain_id, self.msk_id))]
        front += [] if self.bcast is None else [(EXT, b"\x05" + _two(self.bcast))]
        front += [(T, _time(self.timestamp)), (RAND, bytes((len(self.rand),)) + self.rand)]
        front += [(ID, bytes((self.id_i_type,)) + _two(self.id_i)), (ID, b"\x00" + _two(self.id_r))]
        front += [] if self.sp is None else [(SP, b"\x00\x00" + _two(self.sp))]
        header = _header(0, self.verify, self.csb_id, self.ssrc)
        return _protect(self.keys, self.csb_id, self.timestamp, header, _ordered(front, self.ext_last), self.plain)

    def verification_covered(self) -> bytes:
        """TS 33.246 clause 6.4.5.2, RFC 3830 clause 5.2: what the MAC of the answer covers."""
        payloads = [(T, _time(self.timestamp)), (ID, b"\x00" + _two(self.id_r)), (V, b"\x01")]
        message = _chain(_header(1, False, self.csb_id, None), payloads)
        return message + self.id_i + self.id_r + self.timestamp.to_bytes(4, "big")

    def build_verification(self) -> bytes:
        covered = self.verification_covered()
        message = covered[: -len(self.id_i) - len(self.id_r) - 4]
        return message + _hmac(self.keys.authentication, covered)


@dataclass(frozen=True)
class Stkm:
    """An MTK message (TS 33.246 clause 6.4.5.3): with a salt for streaming, without one for download."""

    psk: bytes
    csb_id: int
    rand: bytes
    timestamp: int
    key_domain_id: bytes
    msk_id: bytes
    mtk_id: bytes
    tek: bytes
    salt: bytes | None = None
    bcast: bytes | None = None
    ext_last: bool = False

    @property
    def plain(self) -> bytes:
        if self.salt is None:
            return bytes((0, TGK)) + _two(self.tek)
        return bytes((0, TEK_SALT)) + _two(self.tek) + _two(self.salt)

    def build(self) -> bytes:
        front = [(EXT, _identifiers(self.key_domain_id, self.msk_id, self.mtk_id))]
        front += [] if self.bcast is None else [(EXT, b"\x05" + _two(self.bcast))]
        front += [(T, _time(self.timestamp))]
        made, header = keys(self.psk, self.csb_id, self.rand), _header(0, False, self.csb_id, None)
        return _protect(made, self.csb_id, self.timestamp, header, _ordered(front, self.ext_last), self.plain)


# --- reading


@dataclass(frozen=True)
class Read:
    """A message taken apart: what is absent is empty or `None`."""

    verify: bool
    csb_id: int
    key_domain_id: bytes
    msk_id: bytes
    mtk_id: bytes
    timestamp: int
    rand: bytes
    identities: tuple[bytes, ...]
    encrypted: bytes
    covered: bytes
    mac: bytes


def read(message: bytes) -> Read:
    """Walk the payloads of an MSK or MTK message by their numbers, with the sizes of RFC 3830; KEMAC ends it."""
    kind, position = message[2], 10 + 9 * message[8]
    found: dict[int, bytes] = {}
    identities: list[bytes] = []
    while kind != KEMAC:
        if kind == T:
            size, value = 6, message[position + 2 : position + 6]
        elif kind == RAND:
            size = 2 + message[position + 1]
            value = message[position + 2 : position + size]
        else:
            skip = 5 if kind == SP else 4
            size = skip + int.from_bytes(message[position + skip - 2 : position + skip], "big")
            value = message[position + skip : position + size]
        if kind == ID:
            identities.append(value)
        if kind != EXT or message[position + 1] == 3:
            found[kind] = value
        kind, position = message[position], position + size
    names: dict[int, bytes] = {}
    ids = found.get(EXT, b"")
    while ids:
        names[ids[0]], ids = ids[2 : 2 + ids[1]], ids[2 + ids[1] :]
    return Read(
        verify=message[3] >= 0x80,
        csb_id=int.from_bytes(message[4:8], "big"),
        key_domain_id=names.get(0, b""),
        msk_id=names.get(1, b""),
        mtk_id=names.get(2, b""),
        timestamp=int.from_bytes(found[T], "big"),
        rand=found.get(RAND, b""),
        identities=tuple(identities),
        encrypted=message[position + 4 : -21],
        covered=message[:-20],
        mac=message[-20:],
    )


def open_kemac(psk: bytes, rand: bytes, message: bytes) -> bytes | None:
    """Return the plain key data of a message, or `None` when its MAC is wrong."""
    taken = read(message)
    made = keys(psk, taken.csb_id, rand)
    if _hmac(made.authentication, taken.covered) != taken.mac:
        return None
    return counter_mode(made.encryption, iv(made.salt, taken.csb_id, taken.timestamp), taken.encrypted)


@dataclass(frozen=True)
class Opened:
    """One key out of a KEMAC; `limits` are the two bounds of a validity interval, `None` without one."""

    key: bytes
    salt: bytes
    limits: tuple[int, int] | None


def split_key_data(plain: bytes) -> Opened:
    """Read one key data sub-payload (RFC 3830 clause 6.13)."""
    kind, size = plain[1], int.from_bytes(plain[2:4], "big")
    key, rest, salt = plain[4 : 4 + size], plain[4 + size :], b""
    if kind & 0xF0 == TEK_SALT:
        size = int.from_bytes(rest[:2], "big")
        salt, rest = rest[2 : 2 + size], rest[2 + size :]
    if kind & 0x0F != INTERVAL:
        return Opened(key, salt, None)
    lower, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    return Opened(key, salt, (int.from_bytes(lower, "big"), int.from_bytes(rest[1 : 1 + rest[0]], "big")))
