"""Independent eyes: Wireshark's MIKEY dissector reads what the codec writes, field for field."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from card.codec.mikey import (
    EncryptionAlgorithm,
    Kemac,
    KeyData,
    KeyInterval,
    KeyType,
    MikeyMessage,
    SecurityPolicy,
    Spi,
    encode_key_data,
)
from card.crypto.secret import Secret
from tests.vectors.loader import load

MIKEY_PORT = 2269
VECTORS = load("mikey")
LTKM, STKM, VERIFICATION, DOWNLOAD, PULL = (
    MikeyMessage.decode(raw)
    for raw in (
        VECTORS["ltkm"]["message"],
        VECTORS["stkm"]["message"],
        VECTORS["ltkm"]["verification"],
        VECTORS["download_ltkm"]["message"],
        VECTORS["pull"]["message"],
    )
)
PAYLOAD_NAMES = {f"mikey.{name}" for name in ("hdr", "ext", "t", "rand", "id", "sp", "kemac", "v", "err")}

_OWN_FAULT = b"Unregistered hf"
_LAST_PARAMETER = bytes.fromhex("0d020001")

Fields = list[tuple[str, str]]
Dissect = Callable[[MikeyMessage], Fields]


class DissectorFault(Exception):
    """Wireshark stopped by a fault of its own: 4.4 does behind parameter 13 of an SP for SRTP."""


def capture(message: bytes) -> bytes:
    """Return a pcap file with one UDP datagram over raw IPv4."""
    udp = struct.pack(">HHHH", MIKEY_PORT, MIKEY_PORT, 8 + len(message), 0) + message
    loopback = bytes((127, 0, 0, 1))
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + 2 * loopback + udp
    raw_ip = 101
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, raw_ip)
    return header + struct.pack("<IIII", 0, 0, len(ip), len(ip)) + ip


def flatten(pairs: list[tuple[str, Any]], fields: Fields) -> None:
    """Collect every field with its raw hex, in the order of the dissection; names may repeat."""
    for name, value in pairs:
        if name.endswith("_raw") and isinstance(value, list):
            fields.append((name.removesuffix("_raw"), value[0]))
        elif isinstance(value, list):
            flatten(value, fields)


@pytest.fixture
def dissect(tmp_path: Path) -> Dissect:
    """Return a function that gives tshark's fields for a message."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.fail("tshark is missing; install it with: apt-get install tshark")

    def run(message: MikeyMessage) -> Fields:
        file = tmp_path / "message.pcap"
        file.write_bytes(capture(message.encode()))
        command = [tshark, "-r", str(file), "-T", "json", "-x"]
        done = subprocess.run(command, capture_output=True, check=True, timeout=60)
        if _OWN_FAULT in done.stdout:
            raise DissectorFault
        fields: Fields = []
        # A list of pairs keeps the fields that JSON repeats: a dict would keep the last ID only.
        for packet in json.loads(done.stdout, object_pairs_hook=list):
            flatten(packet, fields)
        assert not [name for name, _ in fields if "malformed" in name]
        return fields

    return run


def readable(message: MikeyMessage, dissect: Dissect) -> MikeyMessage:
    """Return a message that this Wireshark reads to its end: the same, or without what it stumbles over."""
    try:
        dissect(message)
    except DissectorFault:
        shorter = tuple(
            replace(payload, parameters=payload.parameters.removesuffix(_LAST_PARAMETER))
            if isinstance(payload, SecurityPolicy)
            else payload
            for payload in message.payloads
        )
        return replace(message, payloads=shorter)
    return message


def values(fields: Fields, *names: str) -> list[str]:
    return [value for name, value in fields if name in {f"mikey.{wanted}" for wanted in names}]


@pytest.mark.parametrize(
    "message",
    [LTKM, STKM, VERIFICATION, DOWNLOAD, PULL],
    ids=["ltkm", "stkm", "verification", "download", "pull"],
)
def test_payloads_begin_and_end_where_we_say(message: MikeyMessage, dissect: Dissect) -> None:
    message = readable(message, dissect)
    following = [payload.payload_type for payload in message.payloads[1:]] + [0]
    ours = [message.header.encode(message.payloads[0].payload_type)]
    ours += [bytes((after,)) + payload.encode() for after, payload in zip(following, message.payloads, strict=True)]
    theirs = [bytes.fromhex(value) for name, value in dissect(message) if name in PAYLOAD_NAMES]
    assert theirs == ours


def test_ltkm_field_for_field(dissect: Dissect) -> None:
    ltkm = readable(LTKM, dissect)
    fields, vector, parameters = dissect(ltkm), VECTORS["ltkm"], ltkm.one(SecurityPolicy).parameters
    kinds = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, *((13,) if parameters.endswith(_LAST_PARAMETER) else ()))
    assert values(fields, "version", "type", "csb_id") == ["01", "00", "11223344"]
    assert values(fields, "v.set", "prf_func") == ["1", "0"]
    assert values(fields, "cs_count", "cs_id_map_type") == ["01", "00"]
    assert values(fields, "next_payload") == ["15", "05", "0b", "06", "06", "0a", "01", "00"]
    assert values(fields, "ext.type", "ext.data") == ["03", "000300f110010400010001"]
    assert values(fields, "t.ts_type", "t") == ["0b0200000001", "02"]
    assert values(fields, "rand.data") == [vector["rand"].hex()]
    assert values(fields, "id.type") == ["00", "00"]
    assert values(fields, "id.data") == [vector["id_i"].hex(), vector["id_r"].hex()]
    assert values(fields, "srtp_id.policy_no", "srtp_id.ssrc", "srtp_id.roc") == ["00", "12345678", "00000000"]
    assert values(fields, "sp.no", "sp.proto_type", "sp.param_len") == ["00", "00", f"{len(parameters):04x}"]
    assert values(fields, "sp.param.type") == [f"{kind:02x}" for kind in kinds]
    assert values(fields, "kemac.encr_alg", "kemac.mac_alg") == ["01", "01"]
    assert values(fields, "kemac.key_data_len") == ["001a"]
    assert values(fields, "kemac.mac") == [vector["message"][-20:].hex()]


def test_stkm_field_for_field(dissect: Dissect) -> None:
    fields, vector = dissect(STKM), VECTORS["stkm"]
    assert values(fields, "type", "csb_id", "v.set") == ["00", "0", "11223344"]
    assert values(fields, "next_payload") == ["15", "05", "01", "00"]
    assert values(fields, "ext.type", "ext.data") == ["03", "000300f11001040001000102020001"]
    assert values(fields, "t.ts_type") == ["02"]
    assert not values(fields, "rand", "id")
    assert values(fields, "kemac.key_data_len") == ["0024"]
    assert values(fields, "kemac.key_data") == [vector["message"][-57:-21].hex()]
    assert values(fields, "kemac.mac") == [vector["message"][-20:].hex()]


def test_verification_field_for_field(dissect: Dissect) -> None:
    fields, vector = dissect(VERIFICATION), VECTORS["ltkm"]
    assert values(fields, "type", "v.set") == ["01", "0"]
    assert values(fields, "id.data") == [vector["id_r"].hex()]
    assert values(fields, "v.auth_alg", "v.ver_data") == ["01", vector["verification"][-20:].hex()]


def with_plain_key(key: KeyData) -> MikeyMessage:
    """Only an unencrypted KEMAC shows the dissector a key data sub-payload; it reads the first one."""
    kemac = Kemac(EncryptionAlgorithm.NULL, encode_key_data([key]))
    return replace(STKM, payloads=(*STKM.payloads[:-1], kemac))


def test_key_with_interval(dissect: Dissect) -> None:
    interval = KeyInterval.between(1, 0xFFFE, 4)
    fields = dissect(with_plain_key(KeyData(KeyType.TEK, Secret(b"\xa0" * 16), None, interval)))
    assert values(fields, "key.type", "key.kv") == ["2", "2"]
    assert values(fields, "key.data.len", "key.data") == ["0010", "a0" * 16]
    assert values(fields, "key.kv.from", "key.kv.to") == ["00000001", "0000fffe"]
    assert not values(fields, "key.salt", "key.kv.spi")


def test_key_with_salt_and_spi(dissect: Dissect) -> None:
    key = KeyData(KeyType.TEK_SALT, Secret(b"\xb0" * 16), Secret(b"\xc0" * 14), Spi(b"\xd1\xd2"))
    fields = dissect(with_plain_key(key))
    assert values(fields, "key.type", "key.kv") == ["3", "1"]
    assert values(fields, "key.data") == ["b0" * 16]
    assert values(fields, "key.salt.len", "key.salt") == ["000e", "c0" * 14]
    assert values(fields, "key.kv.spi") == ["d1d2"]
    assert not values(fields, "key.kv.from")
