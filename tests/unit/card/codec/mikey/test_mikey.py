from __future__ import annotations

from dataclasses import replace

import pytest

from card.codec.mikey import (
    CryptoSession,
    CsIdMapType,
    DataType,
    EncryptionAlgorithm,
    ErrorNumber,
    Extension,
    Header,
    Identity,
    IdentityType,
    Kemac,
    KeyData,
    KeyInterval,
    KeyType,
    MacAlgorithm,
    MbmsKeyIds,
    MikeyMessage,
    Payload,
    Rand,
    SecurityPolicy,
    Spi,
    Timestamp,
    TimestampType,
    Verification,
    decode_key_data,
    encode_key_data,
)
from card.crypto.secret import Secret
from card.errors import DecodeError, EncodeError
from tests.vectors.loader import load

LTKM = load("mikey")["ltkm"]
STKM = load("mikey")["stkm"]
KEY_IDS = MbmsKeyIds(b"\x00\xf1\x10", b"\x00\x01\x00\x02")
KEMAC = Kemac(EncryptionAlgorithm.AES_CM_128, b"cipher")
HEADER = Header(DataType.PRE_SHARED, 0x11223344)


def pre_shared(*payloads: Payload) -> MikeyMessage:
    return MikeyMessage(HEADER, payloads)


MINIMAL = pre_shared(Timestamp(7), KEMAC)
"""HDR 0-9, T 10-15, KEMAC 16-: enough to break in one place at a time."""


class TestVectors:
    def test_ltkm(self) -> None:
        message = MikeyMessage.decode(LTKM["message"])
        session = CryptoSession(0, LTKM["ssrc"], 0)
        assert message.header == Header(
            DataType.PRE_SHARED,
            LTKM["csb_id"],
            verification_requested=True,
            map_type=CsIdMapType.SRTP_ID,
            sessions=(session,),
        )
        assert message.key_ids() == MbmsKeyIds(LTKM["key_domain_id"], LTKM["msk_id"])
        assert message.one(Timestamp) == Timestamp(LTKM["timestamp"])
        assert message.one(Rand).value == LTKM["rand"]
        assert message.all(Identity) == (
            Identity(IdentityType.NAI, LTKM["id_i"]),
            Identity(IdentityType.NAI, LTKM["id_r"]),
        )
        assert message.one(SecurityPolicy) == SecurityPolicy(0, 0, LTKM["sp_params"])
        assert message.encode() == LTKM["message"]

    def test_stkm(self) -> None:
        message = MikeyMessage.decode(STKM["message"])
        assert not message.header.verification_requested
        assert message.key_ids() == MbmsKeyIds(STKM["key_domain_id"], STKM["msk_id"], STKM["mtk_id"])
        assert not message.all(Rand)
        assert not message.all(Identity)
        assert message.encode() == STKM["message"]

    def test_verification(self) -> None:
        message = MikeyMessage.decode(LTKM["verification"])
        assert message.header.data_type is DataType.VERIFICATION
        assert message.one(Identity) == Identity(IdentityType.NAI, LTKM["id_r"])
        assert message.encode() == LTKM["verification"]

    def test_key_data(self) -> None:
        (msk,) = decode_key_data(LTKM["key_data"])
        assert msk == KeyData(KeyType.TEK, Secret(LTKM["key"]), None, KeyInterval(b"\x00\x00", b"\xff\xfe"))
        assert isinstance(msk.validity, KeyInterval)
        assert (msk.validity.lower, msk.validity.upper) == (LTKM["lower"], LTKM["upper"])
        (mtk,) = decode_key_data(STKM["key_data"])
        assert mtk == KeyData(KeyType.TEK_SALT, Secret(STKM["key"]), Secret(STKM["key_salt"]))
        assert encode_key_data([msk]) == LTKM["key_data"]
        assert encode_key_data([mtk]) == STKM["key_data"]


class TestEveryPayload:
    @pytest.mark.parametrize(
        "payload",
        [
            Extension.of_bcast(2, b"\x01\x02"),
            Extension(255, b""),
            Rand(b""),
            Rand(bytes(255)),
            Identity(IdentityType.NAI, b""),
            SecurityPolicy(1, 0, b"\x00\x01\x01"),
            ErrorNumber(12),
            KEY_IDS.to_extension(),
        ],
    )
    def test_comes_back(self, payload: Payload) -> None:
        message = pre_shared(payload, Timestamp(7), KEMAC)
        assert MikeyMessage.decode(message.encode()) == message

    @pytest.mark.parametrize("kind", list(TimestampType))
    def test_timestamp_types(self, kind: TimestampType) -> None:
        size = 4 if kind is TimestampType.COUNTER else 8
        message = pre_shared(Timestamp((1 << 8 * size) - 1, kind), KEMAC)
        assert MikeyMessage.decode(message.encode()) == message
        assert message.one(Timestamp).encode_value() == b"\xff" * size

    def test_srtp_id_map(self) -> None:
        sessions = (CryptoSession(1, 0xDEADBEEF, 0), CryptoSession(2, 1, 0xFFFFFFFF))
        header = replace(HEADER, map_type=CsIdMapType.SRTP_ID, sessions=sessions)
        message = MikeyMessage(header, MINIMAL.payloads)
        assert len(message.encode()) == len(MINIMAL.encode()) + 18
        assert MikeyMessage.decode(message.encode()) == message

    def test_null_algorithms(self) -> None:
        message = pre_shared(Timestamp(7), Kemac(EncryptionAlgorithm.NULL, b"", MacAlgorithm.NULL, b""))
        assert MikeyMessage.decode(message.encode()) == message
        assert message.mac_input() == message.encode()

    def test_error_message(self) -> None:
        message = MikeyMessage(Header(DataType.ERROR, 1), (Timestamp(7), ErrorNumber(0), Verification()))
        assert MikeyMessage.decode(message.encode()) == message


class TestMac:
    def test_covers_everything_before_it(self) -> None:
        raw = LTKM["message"]
        assert MikeyMessage.decode(raw).mac_input(raw) == raw[:-20]

    def test_builder_puts_it_in_the_last_payload(self) -> None:
        signed = MINIMAL.with_mac(b"m" * 20)
        assert signed.encode() == MINIMAL.mac_input() + b"m" * 20
        assert signed.one(Kemac).encrypted == KEMAC.encrypted

    def test_message_without_one(self) -> None:
        error = MikeyMessage(Header(DataType.ERROR, 1), (Timestamp(7), ErrorNumber(0)))
        with pytest.raises(DecodeError, match="no MAC"):
            error.mac_input()
        with pytest.raises(DecodeError, match="no MAC"):
            error.with_mac(bytes(20))

    def test_of_a_wrong_size(self) -> None:
        with pytest.raises(EncodeError, match="20 bytes, not 19"):
            MINIMAL.with_mac(bytes(19)).encode()


class TestAccessors:
    def test_one_refuses_none_and_two(self) -> None:
        with pytest.raises(DecodeError, match="one RAND payload wanted, 0 found"):
            MINIMAL.one(Rand)
        twice = pre_shared(Extension(7, b""), Extension(8, b""), Timestamp(7), KEMAC)
        with pytest.raises(DecodeError, match="one EXT payload wanted, 2 found"):
            twice.one(Extension)

    def test_extension_by_type(self) -> None:
        message = pre_shared(KEY_IDS.to_extension(), Extension.of_bcast(1, b"x"), Timestamp(7), KEMAC)
        assert message.extension(5) == Extension(5, b"\x01x")
        assert message.extension(4) is None
        assert message.key_ids() == KEY_IDS

    def test_key_ids_missing(self) -> None:
        with pytest.raises(DecodeError, match="key IDs is missing"):
            MINIMAL.key_ids()


class TestHostileMessages:
    @pytest.mark.parametrize(
        ("position", "value", "error"),
        [
            (0, 2, "HDR at offset 0: version 2"),
            (1, 2, "HDR at offset 0: data type 2"),
            (1, 1, "a verification message ends with V"),
            (1, 6, "an error message needs ERR"),
            (2, 0, "37 bytes too many at offset 10"),
            (2, 2, "payload 2 at offset 10 is not supported"),
            (2, 20, "payload 20 at offset 10 is not supported"),
            (3, 1, "HDR at offset 0: PRF 1"),
            (8, 1, "HDR at offset 0: the Empty map cannot name 1"),
            (9, 2, "HDR at offset 0: CS ID map type 2"),
            (10, 0, "31 bytes too many at offset 16"),
            (10, 5, "21 bytes too many at offset 26"),
            (11, 3, "T payload at offset 10: timestamp type 3"),
            (17, 3, "KEMAC payload at offset 16: encryption algorithm 3"),
            (18, 1, "KEMAC payload at offset 16: encrypted data: 262 bytes wanted"),
            (26, 2, "KEMAC payload at offset 16: MAC algorithm 2"),
            (26, 0, "20 bytes too many at offset 27"),
        ],
    )
    def test_one_byte_wrong(self, position: int, value: int, error: str) -> None:
        raw = bytearray(MINIMAL.encode())
        raw[position] = value
        with pytest.raises(DecodeError, match=error):
            MikeyMessage.decode(bytes(raw))

    @pytest.mark.parametrize("raw", [LTKM["message"], STKM["message"], LTKM["verification"]])
    def test_every_truncation_and_a_byte_too_many(self, raw: bytes) -> None:
        for size in range(len(raw)):
            with pytest.raises(DecodeError):
                MikeyMessage.decode(raw[:size])
        with pytest.raises(DecodeError, match="1 bytes too many"):
            MikeyMessage.decode(raw + b"\0")

    @pytest.mark.parametrize(
        ("payloads", "error"),
        [
            ((), "exactly one T payload wanted, 0 found"),
            ((KEMAC,), "exactly one T payload wanted, 0 found"),
            ((Timestamp(7), Timestamp(7), KEMAC), "exactly one T payload wanted, 2 found"),
            ((Rand(b"r"), Timestamp(7), Rand(b"r"), KEMAC), "the RAND payload is repeated"),
            ((Timestamp(7), KEMAC, KEMAC), "the KEMAC payload is repeated"),
            ((KEMAC, Timestamp(7)), "the KEMAC payload is not the last"),
            ((Verification(), Timestamp(7), KEMAC), "the V payload is not the last"),
            ((KEY_IDS.to_extension(), Timestamp(7), KEY_IDS.to_extension(), KEMAC), "key IDs is repeated"),
            ((Timestamp(7),), "ends with KEMAC"),
        ],
    )
    def test_chains_against_the_rules(self, payloads: tuple[Payload, ...], error: str) -> None:
        """The encoder refuses to build them, so the bytes are put together here."""
        with pytest.raises(EncodeError, match=error):
            pre_shared(*payloads).encode()
        following = [payload.payload_type for payload in payloads] + [0]
        raw = bytearray(HEADER.encode(KEMAC.payload_type))
        raw[2] = following[0]
        for after, payload in zip(following[1:], payloads, strict=True):
            raw += bytes((after,)) + payload.encode()
        with pytest.raises(DecodeError, match=error):
            MikeyMessage.decode(bytes(raw))

    def test_reserved_bytes_of_err(self) -> None:
        raw = bytearray(pre_shared(ErrorNumber(1), Timestamp(7), KEMAC).encode())
        raw[13] = 1
        with pytest.raises(DecodeError, match="ERR payload at offset 10: reserved"):
            MikeyMessage.decode(bytes(raw))


class TestValuesThatCannotBeWritten:
    @pytest.mark.parametrize(
        "message",
        [
            MikeyMessage(replace(HEADER, csb_id=1 << 32), MINIMAL.payloads),
            MikeyMessage(replace(HEADER, csb_id=-1), MINIMAL.payloads),
            MikeyMessage(replace(HEADER, sessions=(CryptoSession(0, 0, 0),)), MINIMAL.payloads),
            pre_shared(Timestamp(1 << 32), KEMAC),
            pre_shared(Timestamp(-1), KEMAC),
            pre_shared(Rand(bytes(256)), Timestamp(1), KEMAC),
            pre_shared(Identity(IdentityType.NAI, bytes(1 << 16)), Timestamp(1), KEMAC),
            pre_shared(Extension(256, b""), Timestamp(1), KEMAC),
            pre_shared(SecurityPolicy(0, 256, b""), Timestamp(1), KEMAC),
            pre_shared(ErrorNumber(256), Timestamp(1), KEMAC),
            pre_shared(Timestamp(1), replace(KEMAC, encrypted=bytes(1 << 16))),
        ],
    )
    def test_message(self, message: MikeyMessage) -> None:
        with pytest.raises(EncodeError):
            message.encode()

    @pytest.mark.parametrize(
        "key",
        [
            KeyData(KeyType.TEK, Secret(b"k"), Secret(b"s")),
            KeyData(KeyType.TEK_SALT, Secret(b"k")),
            KeyData(KeyType.TEK, Secret(bytes(1 << 16))),
            KeyData(KeyType.TEK, Secret(b"k"), None, Spi(bytes(256))),
            KeyData(KeyType.TEK, Secret(b"k"), None, KeyInterval(b"", b"\x01")),
            KeyData(KeyType.TEK, Secret(b"k"), None, KeyInterval(b"\x01", bytes(9))),
        ],
    )
    def test_key_data(self, key: KeyData) -> None:
        with pytest.raises(EncodeError):
            encode_key_data([key])

    def test_no_key_at_all(self) -> None:
        with pytest.raises(EncodeError, match="at least one"):
            encode_key_data([])

    def test_interval_limits(self) -> None:
        assert KeyInterval.between(2, 1, 4) == KeyInterval(b"\0\0\0\2", b"\0\0\0\1")
        with pytest.raises(EncodeError, match="upper limit"):
            KeyInterval.between(0, 1 << 16, 2)

    @pytest.mark.parametrize(
        "key_ids",
        [MbmsKeyIds(b"12", b"1234"), MbmsKeyIds(b"123", b"12345"), MbmsKeyIds(b"123", b"1234", b"1")],
    )
    def test_key_ids(self, key_ids: MbmsKeyIds) -> None:
        with pytest.raises(EncodeError, match="MBMS key IDs"):
            key_ids.encode()


class TestHostileKeyData:
    @pytest.mark.parametrize(
        ("plain", "error"),
        [
            ("", "offset 0: next payload"),
            ("00", "offset 0: key and validity type"),
            ("0040000101", "offset 0: key type 4"),
            ("0023000101", "offset 0: validity type 3"),
            ("0020000201", "offset 0: key: 2 bytes wanted"),
            ("0030000101", "offset 0: length of salt"),
            ("003000010100", "offset 0: length of salt"),
            ("002200010100020001", "a validity limit has 1 to 8 bytes"),
            ("00220001010100", "valid-to limit: nothing left"),
            ("0022000101090000000000000000000100", "a validity limit has 1 to 8 bytes"),
            ("002100010102aa", "SPI: 2 bytes wanted"),
            ("002000010100", "1 bytes too many"),
            ("1420000101", "offset 5: next payload"),
            ("0520000101", "offset 5: payload 5 cannot stand here"),
        ],
    )
    def test_is_refused(self, plain: str, error: str) -> None:
        with pytest.raises(DecodeError, match=error):
            decode_key_data(bytes.fromhex(plain))

    def test_several_keys(self) -> None:
        keys = (
            KeyData(KeyType.TEK, Secret(b"one"), None, Spi(b"")),
            KeyData(KeyType.TGK_SALT, Secret(b"two"), Secret(b""), KeyInterval(b"\1", bytes(8))),
            KeyData(KeyType.TGK, Secret(b"")),
        )
        assert decode_key_data(encode_key_data(keys)) == keys


class TestMbmsKeyIds:
    def test_parts_of_the_msk_id(self) -> None:
        assert (KEY_IDS.key_group, KEY_IDS.key_number) == (b"\x00\x01", b"\x00\x02")

    def test_any_order_is_read(self) -> None:
        assert MbmsKeyIds.decode(bytes.fromhex("010400010002 0202abcd 000300f110")) == replace(
            KEY_IDS, mtk_id=b"\xab\xcd"
        )

    @pytest.mark.parametrize(
        ("data", "error"),
        [
            ("", "missing"),
            ("000300f110", "missing"),
            ("010400010002", "missing"),
            ("000300f110 010400010002 000300f110", "KEY_DOMAIN is repeated at offset 11"),
            ("000200f1 010400010002", "KEY_DOMAIN at offset 0 is not 3 bytes long"),
            ("000300f110 010400010002 0203abcdef", "MTK at offset 11 is not 2 bytes long"),
            ("000300f110 0105000100", "MBMS key ID: 5 bytes wanted"),
            ("000300f110 010400010002 03", "type 3 is not supported"),
            ("000300f110 010400010002 02", "MBMS key ID: nothing left"),
        ],
    )
    def test_malformed(self, data: str, error: str) -> None:
        with pytest.raises(DecodeError, match=error):
            MbmsKeyIds.decode(bytes.fromhex(data))


def test_no_key_in_any_repr() -> None:
    secret = b"TOPSECRETKEY"
    key = KeyData(KeyType.TEK_SALT, Secret(secret), Secret(secret))
    message = pre_shared(Timestamp(1), Kemac(EncryptionAlgorithm.NULL, encode_key_data([key])))
    assert "TOPSECRET" not in repr(key) + repr(message)
