"""An LTKM on the card: the MSK update of MBMS (TS 31.102 clause 7.1.1.6, TS 33.246 clause 6.4).

Everything is checked before anything is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.mikey import (
    DataType,
    EncryptionAlgorithm,
    Header,
    Identity,
    Kemac,
    KeyData,
    KeyInterval,
    MacAlgorithm,
    MbmsKeyIds,
    MikeyMessage,
    Rand,
    Timestamp,
    TimestampType,
    Verification,
    decode_key_data,
)
from card.crypto.mikey_keys import (
    MikeyKeys,
    decrypt_key_data,
    derive_psk_keys,
    verification_mac,
    verify_kemac,
)
from card.crypto.secret import Secret
from card.domain.errors import KeyNotFound, ReplayedMessage
from card.domain.key_root import KeyRoot, Smk
from card.domain.mbms import MbmsKeys
from card.errors import DecodeError

MSK_SIZE = 16
_EMPTY_MAC = bytes(20)


@dataclass(frozen=True, slots=True)
class Ltkm:
    """The parts of an LTKM, taken apart but not verified."""

    message: MikeyMessage
    raw: bytes
    ids: MbmsKeyIds
    timestamp: Timestamp
    rand: bytes
    id_i: Identity
    id_r: Identity
    kemac: Kemac

    @classmethod
    def decode(cls, raw: bytes) -> Ltkm:
        """Take an LTKM apart. Raises `DecodeError` when a payload it needs is missing or of another kind."""
        message = MikeyMessage.decode(raw)
        identities = message.all(Identity)
        if message.header.data_type is not DataType.PRE_SHARED or len(identities) != 2:
            raise DecodeError("LTKM: a pre-shared key message with IDi and IDr is wanted")
        ids = message.key_ids()
        if ids.mtk_id is not None:
            raise DecodeError("LTKM: an MTK ID belongs in an STKM")
        timestamp, kemac = message.one(Timestamp), message.one(Kemac)
        require_counter(timestamp)
        require_protection(kemac)
        return cls(message, raw, ids, timestamp, message.one(Rand).value, *identities, kemac)


def require_counter(timestamp: Timestamp) -> None:
    """Raise `DecodeError` unless the T payload is a 32-bit COUNTER, the only kind MBMS uses."""
    if timestamp.type is not TimestampType.COUNTER:
        raise DecodeError("MIKEY T payload: a COUNTER is wanted")


def require_protection(kemac: Kemac) -> None:
    """Raise `DecodeError` unless a KEMAC is encrypted and authenticated: NULL algorithms would let anyone pay."""
    if kemac.encryption is not EncryptionAlgorithm.AES_CM_128 or kemac.mac_algorithm is not MacAlgorithm.HMAC_SHA1_160:
        raise DecodeError("MIKEY KEMAC: AES-CM-128 and HMAC-SHA-1-160 are wanted")


def update_msk(raw: bytes, keys: MbmsKeys, root: KeyRoot) -> bytes:
    """Process an MSK message; return the verification message, or nothing when its V bit is clear.

    Raises `DecodeError`, `KeyNotFound` (no SMK), `MacMismatch`, `ReplayedMessage`, `NoRoomForMsk`, `NoRoomForMuk`.
    """
    ltkm = Ltkm.decode(raw)
    smk = root.find_smk(ltkm.id_i.value, ltkm.id_r.value)
    if smk is None:
        raise KeyNotFound
    protection = _verify(ltkm, smk)
    _store(ltkm, _open_key_data(ltkm, protection), smk, keys)
    return _verification(ltkm, protection) if ltkm.message.header.verification_requested else b""


def _verify(ltkm: Ltkm, smk: Smk) -> MikeyKeys:
    """MAC before counter: a forged message must not learn where the counter stands."""
    protection = derive_psk_keys(smk.key, ltkm.message.header.csb_id, ltkm.rand)
    verify_kemac(protection.authentication, ltkm.message.mac_input(ltkm.raw), ltkm.kemac.mac)
    if ltkm.timestamp.value <= smk.counter:
        raise ReplayedMessage
    return protection


def _open_key_data(ltkm: Ltkm, protection: MikeyKeys) -> KeyData:
    csb_id = ltkm.message.header.csb_id
    items = decode_key_data(decrypt_key_data(protection, csb_id, ltkm.timestamp.value, ltkm.kemac.encrypted))
    if len(items) != 1 or len(items[0].key) != MSK_SIZE:
        raise DecodeError("LTKM: one key of 16 bytes is wanted")
    return items[0]


def _store(ltkm: Ltkm, key_data: KeyData, smk: Smk, keys: MbmsKeys) -> None:
    validity = key_data.validity
    if not isinstance(validity, KeyInterval):
        raise DecodeError("LTKM: the key needs a validity interval")
    keys.use_muk(ltkm.id_i.value, ltkm.id_r.value, smk.key, ltkm.timestamp.value)
    ids = ltkm.ids
    if validity.lower > validity.upper:
        # An interval that holds nothing withdraws the key; withdrawing one the card does not have is no error.
        known = keys.find_msk(ids.key_domain_id, ids.msk_id)
        if known is not None:
            keys.delete_msk(known)
        return
    bounds = (validity.lower, validity.upper)
    keys.store_msk(ids.key_domain_id, ids.msk_id, Secret(key_data.key.reveal()), bounds, ltkm.rand, ltkm.id_i.value)


def _verification(ltkm: Ltkm, protection: MikeyKeys) -> bytes:
    """Build the verification message: HDR, T, IDr, V (RFC 3830 clause 3.1; IDr as MBMS sends it)."""
    header = Header(DataType.VERIFICATION, csb_id=ltkm.message.header.csb_id)
    unsigned = MikeyMessage(header, (ltkm.timestamp, ltkm.id_r, Verification(MacAlgorithm.HMAC_SHA1_160, _EMPTY_MAC)))
    mac = verification_mac(
        protection.authentication,
        unsigned.mac_input(),
        ltkm.id_i.value,
        ltkm.id_r.value,
        ltkm.timestamp.encode_value(),
    )
    return unsigned.with_mac(mac).encode()
