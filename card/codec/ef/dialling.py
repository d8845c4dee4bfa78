"""Dialling numbers as phone book and SMS files hold them (TS 31.102 clauses 4.2.26, 4.2.27 and 4.4.2.3)."""

from __future__ import annotations

from card.codec.bcd import decode_digits, encode_digits
from card.errors import DecodeError, EncodeError

INTERNATIONAL = 0x91  # type of number and numbering plan (TS 24.008 clause 10.5.4.7)
UNKNOWN_TYPE = 0x81
TAIL = 14  # length byte, type byte, 10 bytes of digits, capability and extension identifiers
_NAME = 14  # characters of a name in a record of 28 bytes
_DIGIT_BYTES = 10
_FILL = b"\xff"
# Parameters present: only the service centre address (bits count from 1 and are 0 when present).
_SERVICE_CENTRE_ONLY = 0xFD
_SMSP_TAIL = 28
_SERVICE_CENTRE = slice(13, 25)


def encode_address(number: str) -> bytes:
    """Return length, type and digits, unpadded. `number` has up to 20 digits, "+" in front if international."""
    digits = number.removeprefix("+")
    kind = INTERNATIONAL if number.startswith("+") else UNKNOWN_TYPE
    coded = encode_digits(digits, (len(digits) + 1) // 2)
    if len(coded) > _DIGIT_BYTES:
        raise EncodeError("a number has at most 20 digits")
    return bytes((len(coded) + 1, kind)) + coded


def decode_address(data: bytes) -> str:
    """Read length, type and digits at the start of `data`. Raises `DecodeError`."""
    if len(data) < 2 or not 1 <= data[0] <= _DIGIT_BYTES + 1 or len(data) <= data[0]:
        raise DecodeError("dialling number: the length is wrong")
    return ("+" if data[1] == INTERNATIONAL else "") + decode_digits(data[2 : 1 + data[0]])


def encode_number(number: str) -> bytes:
    """Return the last 14 bytes of a record: number, then no capability and no extension."""
    return encode_address(number).ljust(TAIL, _FILL)


def decode_number(record: bytes) -> str:
    """Read the number in the last 14 bytes of a record. Raises `DecodeError`."""
    if len(record) < TAIL:
        raise DecodeError("dialling number: the record is too short")
    return decode_address(record[-TAIL:])


def encode_entry(entry: tuple[str, str]) -> bytes:
    """Return a record of 28 bytes from a name (up to 14 ASCII characters) and a number."""
    name, number = entry
    return name.encode("ascii").ljust(_NAME, _FILL) + encode_number(number)


def decode_entry(record: bytes) -> tuple[str, str]:
    """Return name and number of a record. Raises `DecodeError`."""
    try:
        name = record[:-TAIL].rstrip(_FILL).decode("ascii")
    except UnicodeDecodeError:
        raise DecodeError("dialling number: a name that is not ASCII") from None
    return name, decode_number(record)


def encode_sms_parameters(service_centre: str) -> bytes:
    """Return the last 28 bytes of an EF_SMSP record that gives the service centre and leaves the rest open."""
    address = encode_address(service_centre).ljust(_SERVICE_CENTRE.stop - _SERVICE_CENTRE.start, _FILL)
    return bytes((_SERVICE_CENTRE_ONLY,)) + _FILL * 12 + address + _FILL * 3


def decode_sms_parameters(record: bytes) -> str:
    """Return the service centre of an EF_SMSP record. Raises `DecodeError`."""
    if len(record) < _SMSP_TAIL:
        raise DecodeError("SMS parameters: the record is too short")
    return decode_address(record[-_SMSP_TAIL:][_SERVICE_CENTRE])
