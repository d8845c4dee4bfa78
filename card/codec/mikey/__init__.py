"""MIKEY messages of MBMS and OMA BCAST: LTKM, STKM and the LTKM verification message.

Formats: RFC 3830 (MIKEY), RFC 4563 (MBMS key IDs, Empty map), RFC 5410 (OMA BCAST extension). Syntax only:
keys and MACs are in `card.crypto.mikey_keys`, the rules of the key ladder in `card.domain`.
"""

from card.codec.mikey.fields import is_newer
from card.codec.mikey.header import CryptoSession, Header
from card.codec.mikey.key_data import KeyData, KeyInterval, Spi, Validity, decode_key_data, encode_key_data
from card.codec.mikey.key_ids import MbmsKeyIds
from card.codec.mikey.message import MikeyMessage
from card.codec.mikey.numbers import (
    CsIdMapType,
    DataType,
    EncryptionAlgorithm,
    ExtensionType,
    IdentityType,
    KeyIdType,
    KeyType,
    MacAlgorithm,
    PayloadType,
    Prf,
    TimestampType,
    ValidityType,
)
from card.codec.mikey.payloads import (
    ErrorNumber,
    Extension,
    Identity,
    Kemac,
    Payload,
    Rand,
    SecurityPolicy,
    Timestamp,
    Verification,
)
from card.codec.mikey.stkm import Stkm

__all__ = [
    "CryptoSession",
    "CsIdMapType",
    "DataType",
    "EncryptionAlgorithm",
    "ErrorNumber",
    "Extension",
    "ExtensionType",
    "Header",
    "Identity",
    "IdentityType",
    "Kemac",
    "KeyData",
    "KeyIdType",
    "KeyInterval",
    "KeyType",
    "MacAlgorithm",
    "MbmsKeyIds",
    "MikeyMessage",
    "Payload",
    "PayloadType",
    "Prf",
    "Rand",
    "SecurityPolicy",
    "Spi",
    "Stkm",
    "Timestamp",
    "TimestampType",
    "Validity",
    "ValidityType",
    "Verification",
    "decode_key_data",
    "encode_key_data",
    "is_newer",
]
