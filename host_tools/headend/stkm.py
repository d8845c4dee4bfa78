"""Builds STKMs. A pure function: keys in, bytes out.

An STKM is a MIKEY message `HDR, EXT 3, [EXT 5], T, KEMAC` under a SEK or PEK (TS 33.246 clause 6.4.5.3). It has no
RAND: the one in the LTKM that brought the key serves for its STKMs too (TS 33.246 clause 6.5.4). The order of its
payloads is ours: the figure that shows it is not at hand, and a receiver takes any.
"""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.mikey import (
    DataType,
    EncryptionAlgorithm,
    Extension,
    Header,
    Kemac,
    KeyData,
    KeyType,
    MbmsKeyIds,
    MikeyMessage,
    Timestamp,
    encode_key_data,
)
from card.crypto.mikey_keys import derive_psk_keys, encrypt_key_data, kemac_mac
from card.crypto.secret import Secret


@dataclass(frozen=True, slots=True)
class StkmContent:
    """What an STKM says.

    `tek` (16, 24 or 32 bytes) is the traffic key that `key_ids` names with its MTK ID. For streaming a `salt` (14
    bytes) goes with it; without one it is a TGK for download. `counter` is T (32 bits) and grows with every new STKM
    under one SEK or PEK. `extension` is the OMA BCAST extension (type 5), if any.
    """

    key_ids: MbmsKeyIds
    tek: Secret
    salt: Secret | None
    counter: int
    extension: Extension | None = None


def seal_stkm(content: StkmContent, key: Secret, csb_id: int, rand: bytes) -> bytes:
    """Return the STKM under `key`, the SEK or PEK (16, 24 or 32 bytes) that came with `csb_id` and `rand`.

    Raises `EncodeError` when a value does not fit its field.
    """
    keys = derive_psk_keys(key, csb_id, rand)
    kind = KeyType.TGK if content.salt is None else KeyType.TEK_SALT
    plain = encode_key_data([KeyData(kind, content.tek, content.salt)])
    encrypted = encrypt_key_data(keys, csb_id, content.counter, plain)
    message = MikeyMessage(
        Header(DataType.PRE_SHARED, csb_id),
        (
            content.key_ids.to_extension(),
            *((content.extension,) if content.extension else ()),
            Timestamp(content.counter),
            Kemac(EncryptionAlgorithm.AES_CM_128, encrypted),
        ),
    )
    return message.with_mac(kemac_mac(keys, message.mac_input())).encode()
