"""Builds LTKMs and checks the verification messages that answer them. Pure functions: keys in, bytes out.

An LTKM is a MIKEY message `HDR, EXT 3, [EXT 5], T, RAND, IDi, IDr, KEMAC` under the SMK (RFC 3830, RFC 4563,
TS 33.246 clause 6.4). The verification message is `HDR, T, [IDr], V`.
"""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.mikey import (
    DataType,
    EncryptionAlgorithm,
    Extension,
    Header,
    Identity,
    IdentityType,
    Kemac,
    KeyData,
    KeyInterval,
    KeyType,
    MbmsKeyIds,
    MikeyMessage,
    Rand,
    Timestamp,
    Verification,
    encode_key_data,
)
from card.crypto.mikey_keys import derive_psk_keys, encrypt_key_data, kemac_mac, verify_verification
from card.crypto.secret import Secret
from card.errors import DecodeError, MacMismatch
from host_tools.headend.errors import VerificationError


@dataclass(frozen=True, slots=True)
class LtkmContent:
    """What an LTKM says.

    `key` is the SEK or PEK (16 bytes) that `key_ids` names, `validity` the MTK IDs or STKM timestamps it is
    good for; a lower limit above the upper one withdraws it. `counter` is T (32 bits) and grows with every
    LTKM under one SMK. `rand` (16 bytes) and `csb_id` (32 bits) enter the keys of the STKMs too. `naf_id` and
    `b_tid` name the SMK. `extension` is the OMA BCAST extension (type 5), if any.
    """

    key_ids: MbmsKeyIds
    key: Secret
    validity: KeyInterval
    counter: int
    csb_id: int
    rand: bytes
    naf_id: bytes
    b_tid: str
    verification_requested: bool = True
    extension: Extension | None = None


def seal_ltkm(content: LtkmContent, smk: Secret) -> bytes:
    """Return the LTKM under `smk` (32 bytes). Raises `EncodeError` when a value does not fit its field."""
    keys = derive_psk_keys(smk, content.csb_id, content.rand)
    plain = encode_key_data([KeyData(KeyType.TEK, content.key, None, content.validity)])
    encrypted = encrypt_key_data(keys, content.csb_id, content.counter, plain)
    message = MikeyMessage(
        Header(DataType.PRE_SHARED, content.csb_id, content.verification_requested),
        (
            content.key_ids.to_extension(),
            *((content.extension,) if content.extension else ()),
            Timestamp(content.counter),
            Rand(content.rand),
            Identity(IdentityType.URI, content.naf_id),
            Identity(IdentityType.NAI, content.b_tid.encode()),
            Kemac(EncryptionAlgorithm.AES_CM_128, encrypted),
        ),
    )
    return message.with_mac(kemac_mac(keys.authentication, message.mac_input())).encode()


def recipient(ltkm: bytes) -> str:
    """Return the B-TID an LTKM is addressed to. Raises `DecodeError` for bytes that are no LTKM."""
    return _identities(MikeyMessage.decode(ltkm))[1].decode(errors="replace")


def rand_of(ltkm: bytes) -> bytes:
    """Return the RAND of an LTKM. Raises `DecodeError` for bytes that are no LTKM."""
    return MikeyMessage.decode(ltkm).one(Rand).value


def open_verification(ltkm: bytes, answer: bytes, smk: Secret) -> None:
    """Check that `answer` is the verification message for `ltkm` under `smk` (RFC 3830 clause 5.2).

    Raises `VerificationError` saying what does not match.
    """
    try:
        _verify(MikeyMessage.decode(ltkm), MikeyMessage.decode(answer), answer, smk)
    except DecodeError as error:
        raise VerificationError(f"the verification message cannot be read: {error}") from None
    except MacMismatch:
        raise VerificationError("the MAC of the verification message is wrong") from None


def _verify(sent: MikeyMessage, answer: MikeyMessage, raw_answer: bytes, smk: Secret) -> None:
    timestamp, (id_i, id_r) = sent.one(Timestamp), _identities(sent)
    if answer.header.data_type is not DataType.VERIFICATION:
        raise VerificationError("the answer to the LTKM is not a verification message")
    if answer.header.csb_id != sent.header.csb_id or answer.one(Timestamp) != timestamp:
        raise VerificationError("the verification message answers another LTKM")
    if any(identity.value != id_r for identity in answer.all(Identity)):
        raise VerificationError("the verification message comes from another B-TID")
    keys = derive_psk_keys(smk, sent.header.csb_id, sent.one(Rand).value)
    mac, covered = answer.one(Verification).mac, answer.mac_input(raw_answer)
    verify_verification(keys.authentication, covered, id_i, id_r, timestamp.encode_value(), mac)


def _identities(ltkm: MikeyMessage) -> tuple[bytes, bytes]:
    """Return the values of IDi and IDr."""
    match ltkm.all(Identity):
        case (initiator, responder):
            return initiator.value, responder.value
        case found:
            raise DecodeError(f"an LTKM has two identities, not {len(found)}")
