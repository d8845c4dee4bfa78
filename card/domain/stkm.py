"""An STKM on the card: the MTK generation of MBMS (TS 31.102 clause 7.1.1.7, TS 33.246 clause 6.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from card.codec.mikey import Stkm, decode_key_data
from card.crypto.mikey_keys import MikeyKeys, decrypt_key_data, verify_kemac
from card.domain.errors import KeyNotFound, KeyNotFresh, OutsideKeyValidity, ReplayedMessage
from card.domain.freshness import Heard
from card.domain.key_root import KeyRoot
from card.domain.mbms import MbmsKeys, MskRecord
from card.errors import DecodeError

MTK_SIZE = 16
MAX_SALT_SIZE = 16


@dataclass(frozen=True, slots=True)
class Tek:
    """A traffic key (MTK, 16 bytes) and its salt (empty, or up to 16 bytes): the only key that leaves the card."""

    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)


def find_key(stkm: Stkm, keys: MbmsKeys, root: KeyRoot) -> MskRecord:
    """Return the MSK of an STKM. Raises `KeyNotFound`, or `KeyNotFresh` when a newer MUK waits to be used."""
    msk = keys.find_msk(stkm.key_domain_id, stkm.msk_id)
    if msk is None:
        raise KeyNotFound
    if root.is_superseded(msk.id_i):
        raise KeyNotFresh
    return msk


def verify(stkm: Stkm, msk: MskRecord, keys: MbmsKeys) -> MikeyKeys:
    """Check the MAC under the MSK; return the keys that open the message. Raises `MacMismatch`."""
    protection = keys.keys_for(msk, stkm.csb_id)
    verify_kemac(protection.authentication, stkm.covered, stkm.mac)
    return protection


def check_mbms_rules(stkm: Stkm, msk: MskRecord, heard: Heard) -> None:
    """Every message once, in rising order, within the key's interval of MTK IDs.

    Raises `ReplayedMessage` or `OutsideKeyValidity`.
    """
    if stkm.counter <= heard.counter:
        raise ReplayedMessage
    if not msk.lower <= stkm.mtk_id <= msk.upper:
        raise OutsideKeyValidity


def open_tek(stkm: Stkm, protection: MikeyKeys) -> Tek:
    """Decrypt the KEMAC of a verified STKM. Raises `DecodeError` when it holds anything but one TEK."""
    csb_id = stkm.csb_id
    items = decode_key_data(decrypt_key_data(protection, csb_id, stkm.counter, stkm.encrypted))
    salt = items[0].salt.reveal() if items[0].salt else b""
    if len(items) != 1 or len(items[0].key) != MTK_SIZE or len(salt) > MAX_SALT_SIZE:
        raise DecodeError("STKM: one key of 16 bytes with at most 16 bytes of salt is wanted")
    return Tek(items[0].key.reveal(), salt)
