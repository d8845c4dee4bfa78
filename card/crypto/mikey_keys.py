"""Keys and codes of a MIKEY message protected by a pre-shared key (RFC 3830 clauses 4.1, 4.2.3 and 5.2).

The pre-shared key of an LTKM is the MUK (SMK), that of an STKM the MSK (SEK or PEK) together with the RAND of
the LTKM that brought it. Everything here is a pure transform of bytes; card and head-end use it alike.
"""

from __future__ import annotations

from dataclasses import field

from card.crypto.primitives import AesCounter, HmacSha1, equal_bytes, hmac_sha1
from card.crypto.secret import Secret
from card.errors import MacMismatch
from card.lean import lean_dataclass

_ENCRYPTION_CONSTANT = bytes.fromhex("150533E1")
_AUTHENTICATION_CONSTANT = bytes.fromhex("2D22AC75")
_SALT_CONSTANT = bytes.fromhex("29B88916")
_ENCRYPTION_SIZE = 16
_AUTHENTICATION_SIZE = 20
_SALT_SIZE = 14

_PRF_BLOCK = 32  # bytes of the input key that one P function takes
_SHA1_SIZE = 20


@lean_dataclass(frozen=True, slots=True)
class MikeyKeys:
    """What protects one message: encryption key (16 bytes), authentication key (20), salt (14)."""

    encryption: Secret
    authentication: Secret
    salt: Secret
    cipher: AesCounter = field(init=False, repr=False, compare=False)
    code: HmacSha1 = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Setting up cipher and MAC costs more than using them, and a SEK's keys serve thousands of STKMs.
        object.__setattr__(self, "cipher", AesCounter(self.encryption.reveal()))
        object.__setattr__(self, "code", HmacSha1(self.authentication.reveal()))


def derive_psk_keys(psk: Secret, csb_id: int, rand: bytes) -> MikeyKeys:
    """Return the keys for messages under `psk` (RFC 3830 clause 4.1.4).

    `csb_id` is the unsigned 32-bit number in the message header, `rand` the RAND payload's value. The result
    depends on nothing else, so it may be kept as long as the three stay the same.
    """
    label_end = b"\xff" + csb_id.to_bytes(4, "big") + rand
    inkey = psk.reveal()
    return MikeyKeys(
        Secret(prf(inkey, _ENCRYPTION_CONSTANT + label_end, _ENCRYPTION_SIZE)),
        Secret(prf(inkey, _AUTHENTICATION_CONSTANT + label_end, _AUTHENTICATION_SIZE)),
        Secret(prf(inkey, _SALT_CONSTANT + label_end, _SALT_SIZE)),
    )


def prf(inkey: bytes, label: bytes, size: int) -> bytes:
    """Return `size` bytes of the MIKEY-1 PRF (RFC 3830 clause 4.1.2)."""
    result = 0
    rounded = -(-size // _SHA1_SIZE) * _SHA1_SIZE
    for start in range(0, len(inkey), _PRF_BLOCK):
        result ^= int.from_bytes(_p(inkey[start : start + _PRF_BLOCK], label, rounded), "big")
    return result.to_bytes(rounded, "big")[:size]


def _p(key: bytes, label: bytes, size: int) -> bytes:
    """Return `size` bytes (a multiple of 20) of the P function."""
    output = b""
    chained = label
    while len(output) < size:
        chained = hmac_sha1(key, chained)
        output += hmac_sha1(key, chained + label)
    return output


def counter_iv(salt: Secret, csb_id: int, timestamp: int) -> bytes:
    """Return the 16-byte initial counter block of AES-CM (RFC 3830 clause 4.2.3).

    `timestamp` is the value of the T payload. provisional: a 32-bit COUNTER enters as a 64-bit number with
    zeros in front; the clause does not say how a shorter timestamp is widened.
    """
    message = csb_id << 64 | timestamp
    mixed = int.from_bytes(salt.reveal(), "big") ^ message
    return (mixed << 16).to_bytes(16, "big")


def encrypt_key_data(keys: MikeyKeys, csb_id: int, timestamp: int, plain: bytes) -> bytes:
    """Return the encrypted part of a KEMAC with AES-CM-128; same length as `plain`."""
    return keys.cipher.apply(counter_iv(keys.salt, csb_id, timestamp), plain)


def decrypt_key_data(keys: MikeyKeys, csb_id: int, timestamp: int, encrypted: bytes) -> bytes:
    """Return the plain key data of a KEMAC with AES-CM-128. Verify its MAC first."""
    return keys.cipher.apply(counter_iv(keys.salt, csb_id, timestamp), encrypted)


def kemac_mac(keys: MikeyKeys, covered: bytes) -> bytes:
    """Return the 20-byte MAC of a KEMAC payload over `covered` (`MikeyMessage.mac_input`)."""
    return keys.code.digest(covered)


def verify_kemac(keys: MikeyKeys, covered: bytes, mac: bytes) -> None:
    """Raise `MacMismatch` unless `mac` is the MAC over `covered`; compares in constant time."""
    if not equal_bytes(kemac_mac(keys, covered), mac):
        raise MacMismatch("the MAC of the MIKEY message is wrong")


def verification_mac(keys: MikeyKeys, covered: bytes, id_i: bytes, id_r: bytes, timestamp: bytes) -> bytes:
    """Return the 20-byte MAC of a verification message (RFC 3830 clause 5.2).

    `keys` are those of the LTKM answered, `covered` the verification message up to its MAC.
    provisional: the identities enter as the ID data alone, the timestamp as the T value in the size in which
    it travels (`Timestamp.encode_value`).
    """
    return keys.code.digest(covered + id_i + id_r + timestamp)


def verify_verification(
    keys: MikeyKeys, covered: bytes, id_i: bytes, id_r: bytes, timestamp: bytes, mac: bytes
) -> None:
    """Raise `MacMismatch` unless `mac` is the verification MAC; compares in constant time."""
    if not equal_bytes(verification_mac(keys, covered, id_i, id_r, timestamp), mac):
        raise MacMismatch("the MAC of the MIKEY verification message is wrong")
