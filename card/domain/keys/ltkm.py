"""An LTKM on the card: the MSK update of MBMS (TS 31.102 clause 7.1.1.6, TS 33.246 clause 6.5.3).

Everything is checked before anything is written, but for the MUK, which is taken up before the MAC is looked at.
"""

from __future__ import annotations

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
from card.domain.errors import KeyNotFresh, ReplayedMessage
from card.domain.keys.freshness import is_newer
from card.domain.keys.key_root import KeyRoot, Smk
from card.domain.keys.mbms import KEY_SIZES, MbmsKeys, MskDelivery
from card.errors import DecodeError
from card.lean import lean_dataclass

SHORTEST_RAND = 16  # bytes: 128 bits (TS 33.246 clause 6.4.5.1)
_CURRENT = b"\0\0"  # Key Number of no key: "the current one" (TS 33.246 clause 6.3.2.1)
_EMPTY_MAC = bytes(20)


@lean_dataclass(frozen=True, slots=True)
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
        timestamp, rand, kemac = message.one(Timestamp), message.one(Rand).value, message.one(Kemac)
        timestamp.require_counter()
        kemac.require_protection()
        if len(rand) < SHORTEST_RAND:
            raise DecodeError(f"LTKM: a RAND of at least {SHORTEST_RAND} bytes is wanted")
        return cls(message, raw, ids, timestamp, rand, *identities, kemac)

    @property
    def names_no_key(self) -> bool:
        """True for Key Number 0: a solicited pull, or tokens of OMA BCAST."""
        return self.ids.key_number == _CURRENT


@lean_dataclass(frozen=True, slots=True)
class OpenedLtkm:
    """An LTKM whose MAC and counter were checked, with the SMK it came under and what it brings.

    `key_data` is None when nothing is encrypted in it, as in a solicited pull.
    """

    ltkm: Ltkm
    root: KeyRoot
    smk: Smk
    protection: MikeyKeys
    key_data: KeyData | None

    @property
    def brings_key(self) -> bool:
        """False for tokens, a pull, and a message that brings new limits only (a key of length 0)."""
        return not self.ltkm.names_no_key and self.key_data is not None and len(self.key_data.key) > 0

    @property
    def bounds(self) -> tuple[int, int]:
        """Lower and upper bound of the key's validity. Raises `DecodeError` when there are none."""
        validity = self.key_data.validity if self.key_data else None
        if not isinstance(validity, KeyInterval):
            raise DecodeError("LTKM: the key needs a validity interval")
        return validity.lower, validity.upper

    @property
    def delivered(self) -> MskDelivery:
        """What is to be stored. Raises `DecodeError` when key or bounds are not those of an MSK."""
        ids = self.ltkm.ids
        return MskDelivery(ids.key_domain_id, ids.msk_id, self.msk, *self.bounds, self.ltkm.rand)

    @property
    def msk(self) -> Secret:
        """The MSK. Raises `DecodeError` unless it has 16, 24 or 32 bytes."""
        if self.key_data is None or len(self.key_data.key) not in KEY_SIZES:
            raise DecodeError("LTKM: a key of 16, 24 or 32 bytes is wanted")
        return self.key_data.key

    def accept(self) -> None:
        """Note that the LTKM was accepted: its SMK is in use, its counter the last. Raises `NoRoomForMuk`."""
        self.root.accept(self.ltkm.id_i.value, self.ltkm.id_r.value, self.smk, self.ltkm.timestamp.value)


def open_ltkm(ltkm: Ltkm, root: KeyRoot) -> OpenedLtkm:
    """Verify and decrypt an LTKM.

    MAC before counter: a forged message must not learn where the counter stands. Raises `KeyNotFound` (no such SMK),
    `NafKeyOverwritten`, `NoRoomForMuk`, `MacMismatch`, `KeyNotFresh`, `ReplayedMessage`, `DecodeError`.
    """
    smk = root.find_smk(ltkm.id_i.value, ltkm.id_r.value, ltkm.rand)
    protection = derive_psk_keys(smk.key, ltkm.message.header.csb_id, ltkm.rand)
    verify_kemac(protection, ltkm.message.mac_input(ltkm.raw), ltkm.kemac.mac)
    if smk.superseded:
        raise KeyNotFresh
    if not is_newer(ltkm.timestamp.value, smk.counter):
        raise ReplayedMessage
    return OpenedLtkm(ltkm, root, smk, protection, _open_key_data(ltkm, protection))


def _open_key_data(ltkm: Ltkm, protection: MikeyKeys) -> KeyData | None:
    if not ltkm.kemac.encrypted:
        if not ltkm.names_no_key:
            raise DecodeError("LTKM: nothing is encrypted in it")
        return None
    csb_id = ltkm.message.header.csb_id
    items = decode_key_data(decrypt_key_data(protection, csb_id, ltkm.timestamp.value, ltkm.kemac.encrypted))
    if len(items) != 1:
        raise DecodeError("LTKM: one key is wanted")
    return items[0]


def store_plain(opened: OpenedLtkm, keys: MbmsKeys) -> None:
    """Do what an accepted message says by the MBMS rules: its bounds are MTK IDs, the lower one exclusive.

    A solicited pull moves the counter and nothing else; without a key the known MSK gets new limits; a key with an
    empty interval is kept as invalidated (TS 31.102 clauses 7.1.1.6 and 7.1.1.8). Raises `DecodeError`, `NoRoomForMsk`.
    """
    opened.accept()
    if opened.ltkm.names_no_key:
        return
    if opened.brings_key:
        keys.store_msk(opened.delivered)
        return
    # The form of a message without a key is not in the text: key data with a key of length 0 still holds the limits.
    known = keys.find_msk(opened.ltkm.ids.key_domain_id, opened.ltkm.ids.msk_id)
    lower, upper = opened.bounds
    if known is not None:
        keys.renew_limits(known, lower, upper)


def verification(opened: OpenedLtkm, *extensions: Extension) -> bytes:
    """Build the verification message: HDR, EXTs if any, T, IDr, V (RFC 3830 clause 3.1; IDr as MBMS sends it)."""
    ltkm = opened.ltkm
    header = Header(DataType.VERIFICATION, csb_id=ltkm.message.header.csb_id)
    code = Verification(MacAlgorithm.HMAC_SHA1_160, _EMPTY_MAC)
    unsigned = MikeyMessage(header, (*extensions, ltkm.timestamp, ltkm.id_r, code))
    mac = verification_mac(
        opened.protection,
        unsigned.mac_input(),
        ltkm.id_i.value,
        ltkm.id_r.value,
        ltkm.timestamp.encode_value(),
    )
    return unsigned.with_mac(mac).encode()
