"""An LTKM on the card: the MSK update of MBMS (TS 31.102 clause 7.1.1.6, TS 33.246 clause 6.4).

Everything is checked before anything is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.mikey import (
    DataType,
    Extension,
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
from card.domain.mbms import Delivered, MbmsKeys
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
        timestamp.require_counter()
        kemac.require_protection()
        return cls(message, raw, ids, timestamp, message.one(Rand).value, *identities, kemac)


@dataclass(frozen=True, slots=True)
class OpenedLtkm:
    """An LTKM whose MAC and counter were checked, with the SMK it came under and the key it brings."""

    ltkm: Ltkm
    smk: Smk
    protection: MikeyKeys
    key_data: KeyData

    @property
    def bounds(self) -> tuple[int, int]:
        """Lower and upper bound of the key's validity. Raises `DecodeError` when there are none."""
        validity = self.key_data.validity
        if not isinstance(validity, KeyInterval):
            raise DecodeError("LTKM: the key needs a validity interval")
        return validity.lower, validity.upper

    @property
    def delivered(self) -> Delivered:
        """What is to be stored. Raises `DecodeError` when key or bounds are not those of an MSK."""
        ids, ltkm = self.ltkm.ids, self.ltkm
        return Delivered(ids.key_domain_id, ids.msk_id, self.msk, *self.bounds, ltkm.rand, ltkm.id_i.value)

    @property
    def msk(self) -> Secret:
        """The MSK. Raises `DecodeError` unless it has 16 bytes."""
        if len(self.key_data.key) != MSK_SIZE:
            raise DecodeError(f"LTKM: a key of {MSK_SIZE} bytes is wanted")
        return self.key_data.key


def open_ltkm(ltkm: Ltkm, root: KeyRoot) -> OpenedLtkm:
    """Verify and decrypt an LTKM. Raises `KeyNotFound` (no SMK), `MacMismatch`, `ReplayedMessage`, `DecodeError`.

    MAC before counter: a forged message must not learn where the counter stands.
    """
    smk = root.find_smk(ltkm.id_i.value, ltkm.id_r.value, ltkm.rand)
    if smk is None:
        raise KeyNotFound
    protection = derive_psk_keys(smk.key, ltkm.message.header.csb_id, ltkm.rand)
    verify_kemac(protection.authentication, ltkm.message.mac_input(ltkm.raw), ltkm.kemac.mac)
    if ltkm.timestamp.value <= smk.counter:
        raise ReplayedMessage
    return OpenedLtkm(ltkm, smk, protection, _open_key_data(ltkm, protection))


def _open_key_data(ltkm: Ltkm, protection: MikeyKeys) -> KeyData:
    csb_id = ltkm.message.header.csb_id
    items = decode_key_data(decrypt_key_data(protection, csb_id, ltkm.timestamp.value, ltkm.kemac.encrypted))
    if len(items) != 1:
        raise DecodeError("LTKM: one key is wanted")
    return items[0]


def accept(opened: OpenedLtkm, keys: MbmsKeys) -> None:
    """Note that the LTKM was accepted: its SMK is in use, its counter the last. Raises `NoRoomForMuk`."""
    ltkm = opened.ltkm
    keys.use_muk(ltkm.id_i.value, ltkm.id_r.value, opened.smk.key, ltkm.timestamp.value)


def store_plain(opened: OpenedLtkm, keys: MbmsKeys) -> None:
    """Store or withdraw the MSK by the MBMS rules: its bounds are MTK IDs. Raises `DecodeError`, `NoRoomForMsk`."""
    delivered = opened.delivered
    accept(opened, keys)
    if delivered.lower > delivered.upper:
        # An interval that holds nothing withdraws the key; withdrawing one the card does not have is no error.
        known = keys.find_msk(delivered.key_domain, delivered.msk_id)
        if known is not None:
            keys.delete_msk(known)
        return
    keys.store_msk(delivered)


def verification(opened: OpenedLtkm, *extensions: Extension) -> bytes:
    """Build the verification message: HDR, EXTs if any, T, IDr, V (RFC 3830 clause 3.1; IDr as MBMS sends it)."""
    ltkm = opened.ltkm
    header = Header(DataType.VERIFICATION, csb_id=ltkm.message.header.csb_id)
    code = Verification(MacAlgorithm.HMAC_SHA1_160, _EMPTY_MAC)
    unsigned = MikeyMessage(header, (*extensions, ltkm.timestamp, ltkm.id_r, code))
    mac = verification_mac(
        opened.protection.authentication,
        unsigned.mac_input(),
        ltkm.id_i.value,
        ltkm.id_r.value,
        ltkm.timestamp.encode_value(),
    )
    return unsigned.with_mac(mac).encode()
