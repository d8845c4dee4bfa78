"""Names and addresses in files: network names, operator lists, IMS identities and servers, the SIM's tables."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from card.codec.bcd import decode_digits, decode_plmn, encode_digits, encode_plmn
from card.codec.reader import Reader
from card.codec.tlv import encode_tlv, read_tlv
from card.errors import DecodeError, EncodeError

_FULL_NAME = 0x43
_GSM_CODING = 0x80  # extension bit, default alphabet, country initials not to be added
_ANY_AREA = bytes.fromhex("0000FFFE")
_TEXT = 0x80
_FQDN, _IPV4, _IPV6 = 0x00, 0x01, 0x02  # address types in EF_P-CSCF
_EMERGENCY_SIZE = 3


def pack_septets(text: str) -> bytes:
    """Pack ASCII text that the GSM default alphabet shares into seven bits a character (TS 23.038 clause 6.1.2.1)."""
    bits = sum(ord(character) << 7 * index for index, character in enumerate(text))
    return bits.to_bytes((7 * len(text) + 7) // 8, "little")


def unpack_septets(data: bytes, spare_bits: int) -> str:
    """Return the characters packed in `data`, whose last byte has `spare_bits` unused (0 to 7)."""
    bits = int.from_bytes(data, "little")
    count = max(0, 8 * len(data) - spare_bits) // 7
    return "".join(chr(bits >> 7 * index & 0x7F) for index in range(count))


def encode_network_name(name: str) -> bytes:
    """Return an EF_PNN entry with the full name (TS 31.102 clause 4.2.58, TS 24.008 clause 10.5.3.5a)."""
    packed = pack_septets(name)
    return encode_tlv(_FULL_NAME, bytes((_GSM_CODING | 8 * len(packed) - 7 * len(name),)) + packed)


def decode_network_name(record: bytes) -> str:
    """Return the full name of an EF_PNN entry. Raises `DecodeError`."""
    item = read_tlv(Reader(record))
    if item.tag != _FULL_NAME or not item.value or item.value[0] & 0x70:
        raise DecodeError("network name: no full name in the default alphabet")
    return unpack_septets(item.value[1:], item.value[0] & 0x07)


def encode_operator_names(entry: tuple[str, int]) -> bytes:
    """Return an EF_OPL entry: a network "MCC-MNC", anywhere in it, and the record of EF_PNN with its name."""
    network, record = entry
    return encode_plmn(*network.split("-")) + _ANY_AREA + bytes((record,))


def decode_operator_names(record: bytes) -> tuple[str, int]:
    """Return network and record of EF_PNN. Raises `DecodeError`."""
    if len(record) < 8:
        raise DecodeError("operator list: the record is too short")
    return "-".join(decode_plmn(record[:3])), record[7]


def encode_text_object(text: str) -> bytes:
    """Return text as a data object with tag 80, as the identity files of the ISIM have it."""
    return encode_tlv(_TEXT, text.encode("utf-8"))


def decode_text_object(data: bytes) -> str:
    """Return the text of a data object with tag 80; what follows it is padding. Raises `DecodeError`."""
    return _text(_object(data))


def encode_server_address(address: str) -> bytes:
    """Return a name, an IPv4 or an IPv6 address as EF_P-CSCF has it (TS 31.103 clause 4.2.8)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return encode_tlv(_TEXT, bytes((_FQDN,)) + address.encode("utf-8"))
    return encode_tlv(_TEXT, bytes((_IPV4 if parsed.version == 4 else _IPV6,)) + parsed.packed)


def decode_server_address(data: bytes) -> str:
    """Return the address in text. Raises `DecodeError`."""
    value = _object(data)
    if not value:
        raise DecodeError("server address: empty")
    kind, body = value[0], value[1:]
    if kind == _FQDN:
        return _text(body)
    if (kind, len(body)) not in ((_IPV4, 4), (_IPV6, 16)):
        raise DecodeError("server address: type or length is wrong")
    return str(ipaddress.ip_address(body))


def encode_sim_services(numbers: Iterable[int]) -> bytes:
    """Return the SIM service table: two bits for each service, allocated and activated (TS 51.011 clause 10.3.7)."""
    chosen = set(numbers)
    value = bytearray((max(chosen, default=0) + 3) // 4)
    for number in chosen:
        value[(number - 1) // 4] |= 0x03 << 2 * ((number - 1) % 4)
    return bytes(value)


def decode_sim_services(data: bytes) -> list[int]:
    """Return the services that are allocated and activated."""
    table = data.rstrip(b"\xff")
    return [4 * index + slot + 1 for index, byte in enumerate(table) for slot in range(4) if byte >> 2 * slot & 3 == 3]


def encode_emergency_numbers(numbers: Iterable[str]) -> bytes:
    """Return three bytes for each number, as the transparent EF_ECC of a SIM has them (TS 51.011 clause 10.3.27)."""
    coded = [encode_digits(number, _EMERGENCY_SIZE) for number in numbers]
    if len(coded) > 5:
        raise EncodeError("at most 5 emergency numbers fit")
    return b"".join(coded)


def decode_emergency_numbers(data: bytes) -> list[str]:
    """Return the numbers, leaving out unused places. Raises `DecodeError`."""
    parts = (data[i : i + _EMERGENCY_SIZE] for i in range(0, len(data) - 2, _EMERGENCY_SIZE))
    return [decode_digits(part) for part in parts if part != b"\xff" * _EMERGENCY_SIZE]


def _object(data: bytes) -> bytes:
    item = read_tlv(Reader(data))
    if item.tag != _TEXT:
        raise DecodeError(f"tag {item.tag:02X} where 80 belongs")
    return item.value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise DecodeError("text that is not UTF-8") from None
