from __future__ import annotations

from typing import Any

import pytest

from card.codec.mikey import Identity, Kemac, MikeyMessage, Timestamp, Verification
from card.crypto import mikey_keys
from card.crypto.secret import Secret
from card.errors import MacMismatch
from tests.oracle import mikey as oracle
from tests.vectors.loader import load

VECTORS = load("mikey")
BOTH = pytest.mark.parametrize("vector", [VECTORS["ltkm"], VECTORS["stkm"]], ids=["ltkm", "stkm"])


def keys_of(vector: dict[str, Any]) -> mikey_keys.MikeyKeys:
    return mikey_keys.derive_psk_keys(Secret(vector["psk"]), vector["csb_id"], vector["rand"])


@BOTH
def test_keys_and_iv(vector: dict[str, Any]) -> None:
    keys = keys_of(vector)
    assert keys.encryption == Secret(vector["encryption"])
    assert keys.authentication == Secret(vector["authentication"])
    assert keys.salt == Secret(vector["salt"])
    assert mikey_keys.counter_iv(keys.salt, vector["csb_id"], vector["timestamp"]) == vector["iv"]


@BOTH
def test_key_data_both_ways(vector: dict[str, Any]) -> None:
    keys, kemac = keys_of(vector), MikeyMessage.decode(vector["message"]).one(Kemac)
    inputs = keys, vector["csb_id"], vector["timestamp"]
    assert mikey_keys.decrypt_key_data(*inputs, kemac.encrypted) == vector["key_data"]
    assert mikey_keys.encrypt_key_data(*inputs, vector["key_data"]) == kemac.encrypted


@BOTH
def test_mac_of_the_received_bytes(vector: dict[str, Any]) -> None:
    keys, raw = keys_of(vector), vector["message"]
    message = MikeyMessage.decode(raw)
    mac = message.one(Kemac).mac
    mikey_keys.verify_kemac(keys, message.mac_input(raw), mac)
    for position in range(len(raw) - len(mac)):
        changed = bytearray(raw)
        changed[position] ^= 1
        with pytest.raises(MacMismatch):
            mikey_keys.verify_kemac(keys, message.mac_input(bytes(changed)), mac)


@pytest.mark.parametrize("mac", [b"", bytes(19), bytes(20), bytes(21)])
def test_a_mac_of_any_other_size_is_refused(mac: bytes) -> None:
    with pytest.raises(MacMismatch):
        mikey_keys.verify_kemac(keys_of(VECTORS["stkm"]), b"covered", mac)


def test_verification_mac_covers_identities_and_timestamp() -> None:
    vector = VECTORS["ltkm"]
    raw = vector["verification"]
    answer, ltkm = MikeyMessage.decode(raw), MikeyMessage.decode(vector["message"])
    id_i, id_r = (identity.value for identity in ltkm.all(Identity))
    timestamp = ltkm.one(Timestamp).encode_value()
    keys, covered, mac = keys_of(vector), answer.mac_input(raw), answer.one(Verification).mac
    mikey_keys.verify_verification(keys, covered, id_i, id_r, timestamp, mac)
    for wrong in ((b"x" + id_i, id_r, timestamp), (id_i, id_r[1:], timestamp), (id_i, id_r, bytes(4))):
        with pytest.raises(MacMismatch):
            mikey_keys.verify_verification(keys, covered, *wrong, mac)


@pytest.mark.parametrize("size", [0, 1, 16, 31, 32, 33, 64, 65])
@pytest.mark.parametrize("outputs", [1, 14, 20, 21, 55])
def test_prf_folds_long_keys_and_stretches_its_output(size: int, outputs: int) -> None:
    inkey, label = bytes(range(size)), b"label"
    assert mikey_keys.prf(inkey, label, outputs) == oracle.prf(inkey, label, 8 * outputs)


def test_nothing_secret_in_the_repr() -> None:
    assert VECTORS["ltkm"]["encryption"].hex() not in repr(keys_of(VECTORS["ltkm"]))
    assert "Secret(16 bytes)" in repr(keys_of(VECTORS["ltkm"]))
