"""Decimal digits in half bytes: ICCID, IMSI and PLMN identities as files and messages hold them."""

from __future__ import annotations

from card.errors import DecodeError, EncodeError

_FILLER = 0xF
_IMSI_SIZE = 9  # one length byte and eight of digits
_IMSI_MAX_DIGITS = 15
_IMSI_PARITY = 1  # type of identity IMSI, as TS 24.008 clause 10.5.1.4 numbers it
_ODD = 0x8


def encode_digits(digits: str, size: int) -> bytes:
    """Write digits with the first in the low half of each byte, filled with F to `size` bytes.

    So EF_ICCID holds them (TS 102 221 clause 13.2).
    Raises `EncodeError` for anything but the digits 0 to 9 and for more than `2 * size` of them.
    """
    _require_digits(digits)
    if len(digits) > 2 * size:
        raise EncodeError(f"{len(digits)} digits do not fit {size} bytes")
    return _pack([int(digit) for digit in digits] + [_FILLER] * (2 * size - len(digits)))


def decode_digits(data: bytes) -> str:
    """Read digits up to the fillers. Raises `DecodeError` for a half byte A to E or a digit behind F."""
    return _digits(_unpack(data))


def encode_imsi(imsi: str) -> bytes:
    """Return the 9 bytes of EF_IMSI (TS 31.102 clause 4.2.2).

    `imsi` has 6 to 15 digits, else `EncodeError`.
    """
    _require_digits(imsi)
    if not 6 <= len(imsi) <= _IMSI_MAX_DIGITS:
        raise EncodeError(f"an IMSI has 6 to {_IMSI_MAX_DIGITS} digits, not {len(imsi)}")
    parity = _IMSI_PARITY | (_ODD if len(imsi) % 2 else 0)
    halves = [parity, *(int(digit) for digit in imsi)]
    halves += [_FILLER] * (len(halves) % 2)
    packed = _pack(halves)
    return (bytes((len(packed),)) + packed).ljust(_IMSI_SIZE, b"\xff")


def decode_imsi(data: bytes) -> str:
    """Return the digits of EF_IMSI (9 bytes). Raises `DecodeError` for a wrong length, parity or digit."""
    if len(data) != _IMSI_SIZE or not 1 <= data[0] < _IMSI_SIZE:
        raise DecodeError("IMSI: the length is wrong")
    digits = _digits(_unpack(data[1 : 1 + data[0]])[1:])
    try:
        canonical = encode_imsi(digits)
    except EncodeError as error:
        raise DecodeError(f"IMSI: {error}") from None
    if canonical != data:
        raise DecodeError("IMSI: type, parity or filling is wrong")
    return digits


def encode_plmn(mcc: str, mnc: str) -> bytes:
    """Return the 3 bytes of a PLMN identity, also a Key Domain ID (TS 24.008 clause 10.5.1.13).

    MCC has 3 digits, MNC 2 or 3, else `EncodeError`.
    """
    _require_digits(mcc + mnc)
    if len(mcc) != 3 or len(mnc) not in (2, 3):
        raise EncodeError("MCC has 3 digits, MNC 2 or 3")
    third = int(mnc[2]) if len(mnc) == 3 else _FILLER
    return _pack([*(int(digit) for digit in mcc), third, int(mnc[0]), int(mnc[1])])


def decode_plmn(data: bytes) -> tuple[str, str]:
    """Return MCC and MNC of a 3-byte PLMN identity. Raises `DecodeError`."""
    if len(data) != 3:
        raise DecodeError(f"a PLMN identity has 3 bytes, not {len(data)}")
    mcc1, mcc2, mcc3, mnc3, mnc1, mnc2 = _unpack(data)
    mcc, mnc = _digits([mcc1, mcc2, mcc3]), _digits([mnc1, mnc2, mnc3])
    if len(mcc) != 3 or len(mnc) < 2:
        raise DecodeError("PLMN identity: digits are missing")
    return mcc, mnc


def _require_digits(digits: str) -> None:
    if not (digits.isascii() and (digits.isdigit() or not digits)):
        raise EncodeError("only the digits 0 to 9 can be packed")


def _pack(halves: list[int]) -> bytes:
    return bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))


def _unpack(data: bytes) -> list[int]:
    return [half for byte in data for half in (byte & 0xF, byte >> 4)]


def _digits(halves: list[int]) -> str:
    count = halves.index(_FILLER) if _FILLER in halves else len(halves)
    if any(half != _FILLER for half in halves[count:]) or any(half > 9 for half in halves[:count]):
        raise DecodeError("a half byte is no decimal digit")
    return "".join(str(half) for half in halves[:count])
