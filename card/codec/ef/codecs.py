"""What the elementary files hold, in bytes and in human form: one small codec for each kind of content.

A codec is named in the file's row (`card/spec/files_*.py`), so that personalisation, display and tests use the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from card.codec import group_call
from card.codec.bcd import decode_digits, decode_imsi, decode_plmn, encode_digits, encode_imsi, encode_plmn
from card.codec.ef import csim, dialling, directory, names
from card.errors import DecodeError
from card.lean import lean_dataclass

_FILL = b"\xff"
_ACCESS_TECHNOLOGY = {"E-UTRAN": 0x4000, "UTRAN": 0x8000, "GSM": 0x0080, "NG-RAN": 0x0800}


@lean_dataclass(frozen=True, slots=True)
class EfCodec:
    """How one kind of content is written and read. `encode` gives unpadded bytes; `decode` takes padded ones."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]

    def text(self, data: bytes) -> str:
        """Return padded content as one line for people. Raises `DecodeError`."""
        return format_value(self.decode(data))


def format_value(value: object) -> str:
    """Return decoded content as text, e.g. `en, de`: lists with commas, bytes in hex."""
    match value:
        case bytes():
            return value.hex().upper()
        case list() | tuple():
            return ", ".join(format_value(part) for part in value)
        case dict():
            return ", ".join(f"{key} {format_value(part)}" for key, part in value.items())
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _encode_languages(codes: Iterable[str]) -> bytes:
    return b"".join(code.encode("ascii") for code in codes)


def _decode_languages(data: bytes) -> list[str]:
    pairs = (data[i : i + 2] for i in range(0, len(data) - 1, 2))
    return [_ascii(pair) for pair in pairs if pair != b"\xff\xff"]


def _ascii(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise DecodeError("text that is not ASCII") from None


def _encode_spn(name: str) -> bytes:
    # Display condition 00: the network's name need not be shown beside the provider's (TS 31.102 clause 4.2.12).
    return b"\x00" + name.encode("ascii").ljust(16, _FILL)


def _decode_spn(data: bytes) -> str:
    return _ascii(data[1:].rstrip(_FILL))


def _encode_bits(numbers: Iterable[int]) -> bytes:
    """Set bit n of a table that counts from 1: service tables."""
    value = bytearray()
    for number in numbers:
        index, bit = divmod(number - 1, 8)
        value.extend(bytes(max(0, index + 1 - len(value))))
        value[index] |= 1 << bit
    return bytes(value)


def _decode_bits(data: bytes) -> list[int]:
    return [8 * index + bit + 1 for index, byte in enumerate(data) for bit in range(8) if byte >> bit & 1]


def _encode_access_classes(classes: Iterable[int]) -> bytes:
    return sum(1 << number for number in set(classes)).to_bytes(2, "big")


def _decode_access_classes(data: bytes) -> list[int]:
    value = int.from_bytes(data[:2], "big")
    return [number for number in range(16) if value >> number & 1]


def _encode_plmns(names: Iterable[str]) -> bytes:
    return b"".join(encode_plmn(*name.split("-")) for name in names)


def _decode_plmns(data: bytes) -> list[str]:
    parts = (data[i : i + 3] for i in range(0, len(data) - 2, 3))
    return ["-".join(decode_plmn(part)) for part in parts if part != b"\xff\xff\xff"]


def _encode_plmns_with_technology(names: Iterable[str]) -> bytes:
    """Write "MCC-MNC" for every technology, or "MCC-MNC:GSM+UTRAN" for some."""
    parts = []
    for name in names:
        plmn, _, technologies = name.partition(":")
        chosen = technologies.split("+") if technologies else _ACCESS_TECHNOLOGY
        bits = sum(_ACCESS_TECHNOLOGY[technology] for technology in chosen)
        parts.append(encode_plmn(*plmn.split("-")) + bits.to_bytes(2, "big"))
    return b"".join(parts)


def _decode_plmns_with_technology(data: bytes) -> list[str]:
    names = []
    for part in (data[i : i + 5] for i in range(0, len(data) - 4, 5)):
        if part[:3] == b"\xff\xff\xff":
            continue
        bits = int.from_bytes(part[3:], "big")
        chosen = [name for name, bit in _ACCESS_TECHNOLOGY.items() if bits & bit]
        suffix = "" if len(chosen) == len(_ACCESS_TECHNOLOGY) else ":" + "+".join(chosen)
        names.append("-".join(decode_plmn(part[:3])) + suffix)
    return names


def _encode_emergency_code(code: str) -> bytes:
    # No alpha identifier; service category 00: any (TS 31.102 clause 4.2.21).
    return encode_digits(code, 3) + b"\x00"


def _decode_emergency_code(data: bytes) -> str:
    return decode_digits(data[:3])


CODECS: Mapping[str, EfCodec] = {
    "iccid": EfCodec(lambda digits: encode_digits(digits, 10), decode_digits),
    "imsi": EfCodec(encode_imsi, decode_imsi),
    "languages": EfCodec(_encode_languages, _decode_languages),
    "spn": EfCodec(_encode_spn, _decode_spn),
    "services": EfCodec(_encode_bits, _decode_bits),
    "access classes": EfCodec(_encode_access_classes, _decode_access_classes),
    "plmns": EfCodec(_encode_plmns, _decode_plmns),
    "plmns with access technology": EfCodec(_encode_plmns_with_technology, _decode_plmns_with_technology),
    "emergency code": EfCodec(_encode_emergency_code, _decode_emergency_code),
    "msisdn": EfCodec(dialling.encode_number, dialling.decode_number),
    "dialling number": EfCodec(dialling.encode_entry, dialling.decode_entry),
    "sms parameters": EfCodec(dialling.encode_sms_parameters, dialling.decode_sms_parameters),
    "network name": EfCodec(names.encode_network_name, names.decode_network_name),
    "operator names": EfCodec(names.encode_operator_names, names.decode_operator_names),
    "text object": EfCodec(names.encode_text_object, names.decode_text_object),
    "server address": EfCodec(names.encode_server_address, names.decode_server_address),
    "sim services": EfCodec(names.encode_sim_services, names.decode_sim_services),
    "emergency numbers": EfCodec(names.encode_emergency_numbers, names.decode_emergency_numbers),
    "imsi_m": EfCodec(csim.encode_imsi_m, csim.decode_imsi_m),
    "mdn": EfCodec(csim.encode_mdn, csim.decode_mdn),
    "csim spn": EfCodec(csim.encode_csim_spn, csim.decode_csim_spn),
    "csim languages": EfCodec(csim.encode_csim_languages, csim.decode_csim_languages),
    "cdma home": EfCodec(csim.encode_home, csim.decode_home),
    "prl id": EfCodec(csim.encode_prl_id, csim.decode_prl_id),
    "ruim id": EfCodec(csim.encode_ruim_id, csim.decode_ruim_id),
    "spc": EfCodec(lambda digits: encode_digits(digits, 3), csim.decode_spc),
    "hrpd nai": EfCodec(csim.encode_hrpd_nai, csim.decode_hrpd_nai),
    "bak parameters": EfCodec(csim.encode_bak_parameters, csim.decode_bak_parameters),
    "voice groups": EfCodec(group_call.encode_groups, group_call.decode_groups),
    "application": EfCodec(directory.encode_application, directory.decode_application),
}
