"""MIKEY over all inputs: codec and keys against the oracle, and bytes nobody should send."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from card.codec.mikey import (
    CryptoSession,
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
    SecurityPolicy,
    Spi,
    Stkm,
    Timestamp,
    TimestampType,
    Verification,
    decode_key_data,
    encode_key_data,
)
from card.crypto.mikey_keys import (
    decrypt_key_data,
    derive_psk_keys,
    encrypt_key_data,
    kemac_mac,
    verification_mac,
    verify_kemac,
)
from card.crypto.secret import Secret
from card.errors import DecodeError
from tests.oracle import mikey as oracle

U8, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 32, 64))
SHORT = st.binary(max_size=40)


def fixed(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


LIMITS = st.sampled_from([2, 4]).flatmap(lambda size: st.tuples(fixed(size), fixed(size)))
PSKS = st.sampled_from([16, 32]).flatmap(fixed)

LTKMS = st.builds(
    lambda limits, **rest: oracle.Ltkm(lower=limits[0], upper=limits[1], **rest),
    LIMITS,
    psk=PSKS,
    csb_id=U32,
    rand=fixed(16),
    timestamp=U32,
    id_i=SHORT,
    id_r=SHORT,
    key_domain_id=fixed(3),
    msk_id=fixed(4),
    msk=fixed(16),
    verify=st.booleans(),
    bcast=st.none() | st.binary(min_size=1, max_size=40),
)
STKMS = st.builds(
    oracle.Stkm,
    psk=fixed(16),
    csb_id=U32,
    rand=fixed(16),
    timestamp=U32,
    key_domain_id=fixed(3),
    msk_id=fixed(4),
    mtk_id=fixed(2),
    tek=fixed(16),
    salt=st.none() | fixed(14),
    bcast=st.none() | st.binary(min_size=1, max_size=40),
)

VALIDITIES = (
    st.none() | st.builds(Spi, SHORT) | st.builds(KeyInterval, *[st.binary(min_size=1, max_size=8) for _ in range(2)])
)
SECRETS = st.builds(Secret, SHORT)
KEYS = st.builds(KeyData, st.sampled_from([KeyType.TGK, KeyType.TEK]), SECRETS, st.none(), VALIDITIES) | st.builds(
    KeyData, st.sampled_from([KeyType.TGK_SALT, KeyType.TEK_SALT]), SECRETS, SECRETS, VALIDITIES
)

TIMESTAMPS = st.builds(Timestamp, U32) | st.builds(
    Timestamp, U64, st.sampled_from([TimestampType.NTP, TimestampType.NTP_UTC])
)
OTHERS = st.lists(
    st.builds(Identity, st.sampled_from(IdentityType), SHORT)
    | st.builds(SecurityPolicy, U8, U8, SHORT)
    | st.builds(Extension, U8.filter(lambda kind: kind != 3), SHORT),
    max_size=5,
)
HEADERS = st.builds(Header, st.just(DataType.PRE_SHARED), U32, st.booleans()) | st.builds(
    Header,
    st.just(DataType.PRE_SHARED),
    U32,
    st.booleans(),
    map_type=st.just(CsIdMapType.SRTP_ID),
    sessions=st.lists(st.builds(CryptoSession, U8, U32, U32), max_size=3).map(tuple),
)


@st.composite
def messages(draw: st.DrawFn) -> MikeyMessage:
    singles = draw(st.lists(st.builds(Rand, SHORT) | st.builds(Extension, st.just(3), SHORT), max_size=1))
    front: list[Payload] = [draw(TIMESTAMPS), *singles, *draw(OTHERS)]
    kemac = Kemac(draw(st.sampled_from(EncryptionAlgorithm)), draw(SHORT), mac=draw(fixed(20)))
    return MikeyMessage(draw(HEADERS), (*draw(st.permutations(front)), kemac))


@given(messages())
def test_every_message_comes_back(message: MikeyMessage) -> None:
    assert MikeyMessage.decode(message.encode()) == message


@given(st.lists(KEYS, min_size=1, max_size=4).map(tuple))
def test_all_key_data_comes_back(keys: tuple[KeyData, ...]) -> None:
    assert decode_key_data(encode_key_data(keys)) == keys


@given(LTKMS)
def test_card_reads_and_writes_the_ltkm_of_the_oracle(ltkm: oracle.Ltkm) -> None:
    keys = derive_psk_keys(Secret(ltkm.psk), ltkm.csb_id, ltkm.rand)
    validity = KeyInterval(ltkm.lower, ltkm.upper)
    msk = KeyData(KeyType.TEK, Secret(ltkm.msk), None, validity)
    key_ids = MbmsKeyIds(ltkm.key_domain_id, ltkm.msk_id)
    bcast = [] if ltkm.bcast is None else [Extension(5, ltkm.bcast)]
    encrypted = encrypt_key_data(keys, ltkm.csb_id, ltkm.timestamp, encode_key_data([msk]))
    draft = MikeyMessage(
        Header(DataType.PRE_SHARED, ltkm.csb_id, ltkm.verify),
        (
            key_ids.to_extension(),
            *bcast,
            Timestamp(ltkm.timestamp),
            Rand(ltkm.rand),
            Identity(IdentityType.NAI, ltkm.id_i),
            Identity(IdentityType.NAI, ltkm.id_r),
            Kemac(EncryptionAlgorithm.AES_CM_128, encrypted),
        ),
    )
    built = draft.with_mac(kemac_mac(keys, draft.mac_input())).encode()
    raw = ltkm.build()
    assert built == raw
    assert open_by_card(ltkm.psk, ltkm.rand, raw) == (msk,)
    assert oracle.open_kemac(ltkm.psk, ltkm.rand, built) == encode_key_data([msk])


@given(LTKMS)
def test_verification_message_equals_that_of_the_oracle(ltkm: oracle.Ltkm) -> None:
    keys = derive_psk_keys(Secret(ltkm.psk), ltkm.csb_id, ltkm.rand)
    timestamp = Timestamp(ltkm.timestamp)
    draft = MikeyMessage(
        Header(DataType.VERIFICATION, ltkm.csb_id),
        (timestamp, Identity(IdentityType.NAI, ltkm.id_r), Verification()),
    )
    mac = verification_mac(keys, draft.mac_input(), ltkm.id_i, ltkm.id_r, timestamp.encode_value())
    assert draft.with_mac(mac).encode() == ltkm.build_verification()


@given(STKMS)
def test_card_reads_the_stkm_of_the_oracle(stkm: oracle.Stkm) -> None:
    raw = stkm.build()
    message = MikeyMessage.decode(raw)
    assert message.key_ids() == MbmsKeyIds(stkm.key_domain_id, stkm.msk_id, stkm.mtk_id)
    assert message.extension(5) == (None if stkm.bcast is None else Extension(5, stkm.bcast))
    kind, salt = (KeyType.TGK, None) if stkm.salt is None else (KeyType.TEK_SALT, Secret(stkm.salt))
    assert open_by_card(stkm.psk, stkm.rand, raw) == (KeyData(kind, Secret(stkm.tek), salt),)
    assert message.encode() == raw


def open_by_card(psk: bytes, rand: bytes, raw: bytes) -> tuple[KeyData, ...]:
    message = MikeyMessage.decode(raw)
    kemac, csb_id = message.one(Kemac), message.header.csb_id
    keys = derive_psk_keys(Secret(psk), csb_id, rand)
    verify_kemac(keys, message.mac_input(raw), kemac.mac)
    return decode_key_data(decrypt_key_data(keys, csb_id, message.one(Timestamp).value, kemac.encrypted))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid message with some bytes overwritten, then cut or lengthened."""
    raw = bytearray(draw(LTKMS.map(oracle.Ltkm.build) | STKMS.map(oracle.Stkm.build)))
    for position, value in draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), U8), max_size=4)):
        raw[position] = value
    return bytes(raw[: draw(st.integers(0, len(raw)) | st.just(len(raw)))]) + draw(st.just(b"") | SHORT)


@given(damaged() | st.binary(max_size=300))
def test_any_bytes_are_a_message_or_an_error(raw: bytes) -> None:
    try:
        message = MikeyMessage.decode(raw)
    except DecodeError:
        return
    assert message.encode() == raw


@given(STKMS)
def test_the_usual_form_of_an_stkm_is_read_in_one_go(stkm: oracle.Stkm) -> None:
    assert Stkm._decode_usual(stkm.build()) == Stkm.decode(stkm.build()) == Stkm._decode_any(stkm.build())


@st.composite
def altered_stkms(draw: st.DrawFn) -> bytes:
    """An STKM with an extension full of what could be taken for the payloads behind it, and single bytes changed."""
    parts = [b"\x01\x02", b"\0\1", b"\0\x20", b"\x05\x05", b"\1" + bytes(20), bytes(4), b"\x15", bytes(2)]
    filling = b"".join(draw(st.lists(st.sampled_from(parts), min_size=1))) * draw(st.sampled_from([1, 1, 1, 400]))
    raw = bytearray(replace(draw(STKMS), bcast=filling[:60_000]).build())
    for position, value in draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 21)), max_size=3)):
        raw[position] = value
    return bytes(raw)


@given(altered_stkms() | damaged() | messages().map(MikeyMessage.encode))
def test_the_short_way_to_an_stkm_says_nothing_else_than_the_long_one(raw: bytes) -> None:
    usual = Stkm._decode_usual(raw)
    assert usual is None or usual == Stkm._decode_any(raw)


@given(st.binary(max_size=60) | st.lists(KEYS, min_size=1, max_size=2).map(encode_key_data).map(lambda raw: raw[:-1]))
def test_any_bytes_are_key_data_or_an_error(plain: bytes) -> None:
    try:
        keys = decode_key_data(plain)
    except DecodeError:
        return
    assert encode_key_data(keys) == plain


KEY_ID_PARTS = st.lists(
    st.builds(lambda kind, value: bytes((kind, len(value))) + value, st.integers(0, 3), st.binary(max_size=5))
    | st.sampled_from([b"\0\3abc", b"\1\4abcd", b"\2\2ab"]),
    max_size=4,
).map(b"".join)


@given(KEY_ID_PARTS | st.binary(max_size=20))
def test_any_bytes_are_key_ids_or_an_error(data: bytes) -> None:
    try:
        key_ids = MbmsKeyIds.decode(data)
    except DecodeError:
        return
    # The parts may come in any order and are written in one, so only the bytes' order may differ.
    assert sorted(key_ids.encode()) == sorted(data)
    assert MbmsKeyIds.decode(key_ids.encode()) == key_ids
