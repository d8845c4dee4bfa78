"""An STKM on the card: the MTK generation of MBMS (TS 31.102 clause 7.1.1.8, TS 33.246 clause 6.5.4)."""

from __future__ import annotations

from dataclasses import field

from card.codec.mikey import Stkm, decode_key_data
from card.crypto.mikey_keys import MikeyKeys, decrypt_key_data, verify_kemac
from card.domain.errors import KeyNotFound, MskInvalidated, MtkIdOutside, ReplayedMessage
from card.domain.keys.freshness import NO_MTK, LastMessage, is_newer
from card.domain.keys.mbms import KEY_SIZES, MbmsKeys, StoredMsk
from card.errors import DecodeError
from card.lean import lean_dataclass

MAX_SALT_SIZE = 16


@lean_dataclass(frozen=True, slots=True)
class Tek:
    """A traffic key (MTK, 16, 24 or 32 bytes) and its salt (up to 16 bytes): the only key that leaves the card.

    MBMS streaming has a salt of 14 bytes, MBMS download none (TS 33.246 clause 6.4.5.3).
    """

    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)


def find_key(stkm: Stkm, keys: MbmsKeys) -> StoredMsk:
    """Return the MSK of an STKM, whatever MUK it came under. Raises `KeyNotFound`."""
    msk = keys.find_msk(stkm.key_domain_id, stkm.msk_id)
    if msk is None:
        raise KeyNotFound
    return msk


def check_limits(stkm: Stkm, msk: StoredMsk, heard: LastMessage) -> None:
    """Check the MTK ID against the limits of the MSK, before the MAC is looked at (TS 31.102 clause 7.1.1.8).

    The lower limit is the MTK ID accepted last, or SEQl as the MSK message brought it; it is exclusive. Raises
    `MskInvalidated` or `MtkIdOutside`.
    """
    if msk.lower > msk.upper:
        raise MskInvalidated
    lower = msk.lower if heard.last_mtk == NO_MTK else heard.last_mtk
    if not lower < stkm.mtk_id <= msk.upper:
        raise MtkIdOutside


def verify(stkm: Stkm, msk: StoredMsk, keys: MbmsKeys) -> MikeyKeys:
    """Check the MAC under the MSK; return the keys that open the message. Raises `MacMismatch`."""
    protection = keys.keys_for(msk, stkm.csb_id)
    verify_kemac(protection, stkm.covered, stkm.mac)
    return protection


def check_counter(stkm: Stkm, heard: LastMessage) -> None:
    """Every message once, in rising order: a card checks this for itself (TS 33.246 clause 6.4.4).

    Raises `ReplayedMessage`.
    """
    if not is_newer(stkm.counter, heard.counter):
        raise ReplayedMessage


def open_tek(stkm: Stkm, protection: MikeyKeys) -> Tek:
    """Decrypt the KEMAC of a verified STKM. Raises `DecodeError` when it holds anything but one TEK."""
    csb_id = stkm.csb_id
    items = decode_key_data(decrypt_key_data(protection, csb_id, stkm.counter, stkm.encrypted))
    salt = items[0].salt.reveal() if items[0].salt else b""
    if len(items) != 1 or len(items[0].key) not in KEY_SIZES or len(salt) > MAX_SALT_SIZE:
        raise DecodeError("STKM: one key of 16, 24 or 32 bytes with at most 16 bytes of salt is wanted")
    return Tek(items[0].key.reveal(), salt)
