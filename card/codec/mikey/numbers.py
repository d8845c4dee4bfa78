"""The numbers MIKEY assigns (IANA "Multimedia Internet KEYing (MIKEY) Payload Name Spaces").

Only what the Smartcard Profile can meet is listed; any other number is a `DecodeError`.
"""

from __future__ import annotations

from enum import IntEnum

VERSION = 1


class DataType(IntEnum):
    """What a message is (RFC 3830 clause 6.1)."""

    PRE_SHARED = 0
    VERIFICATION = 1
    ERROR = 6


class PayloadType(IntEnum):
    """Value of a next-payload field (RFC 3830 clause 6.1, RFC 4563 clause 4)."""

    LAST = 0
    KEMAC = 1
    T = 5
    ID = 6
    V = 9
    SP = 10
    RAND = 11
    ERR = 12
    KEY_DATA = 20
    EXT = 21


class Prf(IntEnum):
    """Pseudo-random function of the key derivation (RFC 3830 clause 4.1.2)."""

    MIKEY_1 = 0


class CsIdMapType(IntEnum):
    """How the header names its crypto sessions (RFC 3830 clause 6.1.1, RFC 4563 clause 5)."""

    SRTP_ID = 0
    EMPTY = 1


class TimestampType(IntEnum):
    """Kind of a timestamp (RFC 3830 clause 6.6)."""

    NTP_UTC = 0
    NTP = 1
    COUNTER = 2


class IdentityType(IntEnum):
    """Kind of an identity (RFC 3830 clause 6.7)."""

    NAI = 0
    URI = 1


class ExtensionType(IntEnum):
    """General extensions the Smartcard Profile uses (RFC 4563 clause 4, RFC 5410)."""

    MBMS_KEY_IDS = 3
    OMA_BCAST = 5


class EncryptionAlgorithm(IntEnum):
    """Cipher of a KEMAC payload (RFC 3830 clause 6.2)."""

    NULL = 0
    AES_CM_128 = 1
    AES_KW_128 = 2


class MacAlgorithm(IntEnum):
    """Authentication algorithm of a KEMAC or V payload (RFC 3830 clauses 6.2 and 6.9)."""

    NULL = 0
    HMAC_SHA1_160 = 1

    @property
    def size(self) -> int:
        """Length of the code in bytes."""
        return 20 if self is MacAlgorithm.HMAC_SHA1_160 else 0


class KeyType(IntEnum):
    """What a key data sub-payload carries (RFC 3830 clause 6.13)."""

    TGK = 0
    TGK_SALT = 1
    TEK = 2
    TEK_SALT = 3


SALTED = frozenset({KeyType.TGK_SALT, KeyType.TEK_SALT})
"""The key types in which a salt follows the key."""


class ValidityType(IntEnum):
    """Form of the key validity data (RFC 3830 clause 6.14)."""

    NONE = 0
    SPI = 1
    INTERVAL = 2


class KeyIdType(IntEnum):
    """What a sub-payload of the MBMS key ID extension names (RFC 4563 clause 4)."""

    KEY_DOMAIN = 0
    MSK = 1
    MTK = 2
