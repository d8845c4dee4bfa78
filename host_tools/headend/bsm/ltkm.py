"""Builds LTKMs and checks the verification messages that answer them. Pure functions: keys in, bytes out.

An LTKM is a MIKEY message `HDR, EXT 3, [EXT 5], T, RAND, IDi, IDr, [SP], KEMAC` under the SMK (RFC 3830, RFC 4563,
TS 33.246 clause 6.4.5.1). The verification message is `HDR, T, IDr, V` (clause 6.4.5.2). The order of payloads in an
LTKM is ours: the figure that shows it is not at hand, and a receiver takes any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from card.codec.mikey import (
    CsIdMapType,
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
    Payload,
    Rand,
    Timestamp,
    Verification,
    encode_key_data,
)
from card.crypto.mikey_keys import (
    MikeyKeys,
    decrypt_key_data,
    derive_psk_keys,
    encrypt_key_data,
    kemac_mac,
    verify_verification,
)
from card.crypto.secret import Secret
from card.errors import DecodeError, MacMismatch
from host_tools.headend.bsm.srtp_policy import SrtpDescription
from host_tools.headend.errors import VerificationError


@dataclass(frozen=True, slots=True)
class LtkmContent:
    """What an LTKM says.

    `key` is the SEK or PEK (16, 24 or 32 bytes) that `key_ids` names, `validity` the MTK IDs or STKM timestamps it is
    good for; a lower limit above the upper one withdraws it. An empty `key` leaves the key as it is and gives it a new
    validity (TS 33.246 clause 6.5.3). Without `validity` there is no key data at all, as a solicited pull wants it
    (clause 6.3.2.2.4).

    `counter` is T (32 bits) and grows with every LTKM under one SMK. `rand` (16 bytes), the same for all who get the
    key, and `csb_id` (32 bits) enter the keys of the STKMs too. `fqdn`, the name of the BM-SC, and `b_tid` name the
    SMK. `stream` describes the SRTP stream of a streaming service; download has none. `extension` is the OMA BCAST
    extension (type 5), if any.
    """

    key_ids: MbmsKeyIds
    key: Secret
    validity: KeyInterval | None
    counter: int
    csb_id: int
    rand: bytes
    fqdn: bytes
    b_tid: str
    verification_requested: bool = True
    stream: SrtpDescription | None = None
    extension: Extension | None = None


def seal_ltkm(content: LtkmContent, smk: Secret) -> bytes:
    """Return the LTKM under `smk` (32 bytes). Raises `EncodeError` when a value does not fit its field."""
    validity, stream = content.validity, content.stream
    plain = b"" if validity is None else encode_key_data([KeyData(KeyType.TEK, content.key, None, validity)])
    payloads = (
        content.key_ids.to_extension(),
        *((content.extension,) if content.extension else ()),
        Timestamp(content.counter),
        Rand(content.rand),
        # Both of type NAI, though IDi is an FQDN (TS 33.246 clause 6.4.5.1).
        Identity(IdentityType.NAI, content.fqdn),
        Identity(IdentityType.NAI, content.b_tid.encode()),
        *((stream.policy,) if stream else ()),
    )
    return _protect(_header(content), payloads, plain, derive_psk_keys(smk, content.csb_id, content.rand))


def _header(content: LtkmContent) -> Header:
    header = Header(DataType.PRE_SHARED, content.csb_id, content.verification_requested)
    if content.stream is None:
        return header
    return replace(header, map_type=CsIdMapType.SRTP_ID, sessions=(content.stream.session,))


def _protect(header: Header, payloads: tuple[Payload, ...], plain: bytes, keys: MikeyKeys) -> bytes:
    """Return the message with `plain` key data encrypted behind its payloads, and its MAC."""
    (counter,) = [payload.value for payload in payloads if isinstance(payload, Timestamp)]
    kemac = Kemac(EncryptionAlgorithm.AES_CM_128, encrypt_key_data(keys, header.csb_id, counter, plain))
    message = MikeyMessage(header, (*payloads, kemac))
    return message.with_mac(kemac_mac(keys, message.mac_input())).encode()


def renew_ltkm(ltkm: bytes, smk: Secret, counter: int) -> bytes:
    """Return an LTKM with the same content and another T: an MSK message that is sent again (TS 33.246 clause 6.4.3).

    `smk` (32 bytes) is the key it is under. Raises `DecodeError` for bytes that are no LTKM, `EncodeError`.
    """
    sent = MikeyMessage.decode(ltkm)
    kemac, before = sent.one(Kemac), sent.one(Timestamp).value
    keys = derive_psk_keys(smk, sent.header.csb_id, sent.one(Rand).value)
    plain = decrypt_key_data(keys, sent.header.csb_id, before, kemac.encrypted)
    payloads = tuple(
        Timestamp(counter) if isinstance(payload, Timestamp) else payload
        for payload in sent.payloads
        if not isinstance(payload, Kemac)
    )
    return _protect(sent.header, payloads, plain, keys)


def recipient(ltkm: bytes) -> str:
    """Return the B-TID an LTKM is addressed to. Raises `DecodeError` for bytes that are no LTKM."""
    return name_in(_identities(MikeyMessage.decode(ltkm))[1])


def name_in(identity: bytes) -> str:
    """Return the B-TID or NAI in an identity of a message. Raises `DecodeError` for octets that are no such name."""
    try:
        name = identity.decode()
    except UnicodeDecodeError:
        name = ""
    if not name.isprintable() or not name:
        raise DecodeError("an identity of the message is neither B-TID nor NAI")
    return name


def rand_of(ltkm: bytes) -> bytes:
    """Return the RAND of an LTKM. Raises `DecodeError` for bytes that are no LTKM."""
    return MikeyMessage.decode(ltkm).one(Rand).value


def open_verification(ltkm: bytes, answer: bytes, smk: Secret) -> None:
    """Check that `answer` is the verification message for `ltkm` under `smk` (TS 33.246 clause 6.4.5.2).

    It names the terminal in IDr and no crypto session; its MAC covers both identities and T (RFC 3830 clause 5.2).
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
    if answer.header.map_type is not CsIdMapType.EMPTY:
        raise VerificationError("the verification message names a crypto session: the Empty map is wanted")
    if answer.one(Identity).value != id_r:
        raise VerificationError("the verification message comes from another B-TID")
    keys = derive_psk_keys(smk, sent.header.csb_id, sent.one(Rand).value)
    mac, covered = answer.one(Verification).mac, answer.mac_input(raw_answer)
    verify_verification(keys, covered, id_i, id_r, timestamp.encode_value(), mac)


def _identities(ltkm: MikeyMessage) -> tuple[bytes, bytes]:
    """Return the values of IDi and IDr."""
    match ltkm.all(Identity):
        case (initiator, responder):
            return initiator.value, responder.value
        case found:
            raise DecodeError(f"an LTKM has two identities, not {len(found)}")
