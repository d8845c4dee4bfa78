"""An STKM on the card: the MTK generation of MBMS (TS 31.102 clause 7.1.1.7, TS 33.246 clause 6.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from card.codec.mikey import DataType, Kemac, MbmsKeyIds, MikeyMessage, Timestamp, decode_key_data
from card.crypto.mikey_keys import MikeyKeys, decrypt_key_data, verify_kemac
from card.domain.errors import KeyNotFound, KeyNotFresh, OutsideKeyValidity, ReplayedMessage
from card.domain.freshness import Heard
from card.domain.key_root import KeyRoot
from card.domain.ltkm import require_counter, require_protection
from card.domain.mbms import MbmsKeys, MskRecord
from card.errors import DecodeError

MTK_SIZE = 16
MAX_SALT_SIZE = 16


@dataclass(frozen=True, slots=True)
class Tek:
    """A traffic key (MTK, 16 bytes) and its salt (empty, or up to 16 bytes): the only key that leaves the card."""

    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stkm:
    """The parts of an STKM, taken apart but not verified."""

    message: MikeyMessage
    raw: bytes
    ids: MbmsKeyIds
    mtk_id: int
    timestamp: Timestamp
    kemac: Kemac

    @classmethod
    def decode(cls, raw: bytes) -> Stkm:
        """Take an STKM apart. Raises `DecodeError` when a payload it needs is missing or of another kind."""
        message = MikeyMessage.decode(raw)
        if message.header.data_type is not DataType.PRE_SHARED:
            raise DecodeError("STKM: a pre-shared key message is wanted")
        ids, timestamp, kemac = message.key_ids(), message.one(Timestamp), message.one(Kemac)
        if ids.mtk_id is None:
            raise DecodeError("STKM: the MTK ID is missing")
        require_counter(timestamp)
        require_protection(kemac)
        return cls(message, raw, ids, int.from_bytes(ids.mtk_id, "big"), timestamp, kemac)


def generate_mtk(raw: bytes, keys: MbmsKeys, root: KeyRoot) -> Tek:
    """Process an MTK message by the MBMS rules alone; return the TEK.

    Raises `DecodeError`, `KeyNotFound` (no MSK), `KeyNotFresh`, `MacMismatch`, `ReplayedMessage`,
    `OutsideKeyValidity`.
    """
    stkm = Stkm.decode(raw)
    msk = find_key(stkm, keys, root)
    protection = verify(stkm, msk, keys)
    check_mbms_rules(stkm, msk, keys.heard(msk))
    tek = open_tek(stkm, protection)
    keys.set_counter(msk, stkm.timestamp.value, stkm.mtk_id)
    return tek


def find_key(stkm: Stkm, keys: MbmsKeys, root: KeyRoot) -> MskRecord:
    """Return the MSK of an STKM. Raises `KeyNotFound`, or `KeyNotFresh` when a newer MUK waits to be used."""
    msk = keys.find_msk(stkm.ids.key_domain_id, stkm.ids.msk_id)
    if msk is None:
        raise KeyNotFound
    if root.is_superseded(msk.id_i):
        raise KeyNotFresh
    return msk


def verify(stkm: Stkm, msk: MskRecord, keys: MbmsKeys) -> MikeyKeys:
    """Check the MAC under the MSK; return the keys that open the message. Raises `MacMismatch`."""
    protection = keys.keys_for(msk, stkm.message.header.csb_id)
    verify_kemac(protection.authentication, stkm.message.mac_input(stkm.raw), stkm.kemac.mac)
    return protection


def check_mbms_rules(stkm: Stkm, msk: MskRecord, heard: Heard) -> None:
    """Every message once, in rising order, within the key's interval of MTK IDs.

    Raises `ReplayedMessage` or `OutsideKeyValidity`.
    """
    if stkm.timestamp.value <= heard.counter:
        raise ReplayedMessage
    if not msk.lower <= stkm.mtk_id <= msk.upper:
        raise OutsideKeyValidity


def open_tek(stkm: Stkm, protection: MikeyKeys) -> Tek:
    """Decrypt the KEMAC of a verified STKM. Raises `DecodeError` when it holds anything but one TEK."""
    csb_id = stkm.message.header.csb_id
    items = decode_key_data(decrypt_key_data(protection, csb_id, stkm.timestamp.value, stkm.kemac.encrypted))
    salt = items[0].salt.reveal() if items[0].salt else b""
    if len(items) != 1 or len(items[0].key) != MTK_SIZE or len(salt) > MAX_SALT_SIZE:
        raise DecodeError("STKM: one key of 16 bytes with at most 16 bytes of salt is wanted")
    return Tek(items[0].key.reveal(), salt)
