"""What the files of a CSIM hold, in bytes and in human form (3GPP2 C.S0065-B clause 5.2, C.S0005 clause 2.3.1).

Field orders are recalled; the codings of IMSI_M, MDN, SPN, language, home system and PRL are those a public terminal
stack decodes. `card.codec.ef.CODECS` lists the functions by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from card.codec.bcd import decode_digits
from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError

_FILL = 0xFF
_IMSI_DIGITS = 15
_IMSI_SIZE = 10
_PROGRAMMED = 0x80
_MDN_DIGITS = 15
_MDN_SIZE = 11
_SPN_TEXT = 32
_SPN_SIZE = 35
_SPN_SHOWN = 0x01
_SPN_ASCII = 0x02  # character encoding "7-bit ASCII" (C.R1001)
_ENGLISH = 0x01
_LANGUAGES: Mapping[str, int] = {"en": 1, "fr": 2, "es": 3, "ja": 4, "ko": 5, "zh": 6, "he": 7}
_LANGUAGE_NAMES = {number: name for name, number in _LANGUAGES.items()}
_BAND_CLASS = 0x00
_HRPD_CHAP = 0x10  # authentication algorithm in the high half byte


# --- groups of digits, in which the digit 0 counts as 10 (C.S0005 clause 2.3.1.1)


def _require_digits(text: str, count: int, what: str) -> None:
    if len(text) != count or not (text.isascii() and text.isdigit()):
        raise EncodeError(f"{what}: {count} decimal digits are wanted")


def _encode_group(digits: str) -> int:
    """Return digits as a number from 0: 111 (11 for two digits) stands for 0, the digit 0 counts as 10."""
    value = 0
    for digit in digits:
        value = 10 * value + (int(digit) or 10)
    return value - int("1" * len(digits))


def _decode_group(value: int, count: int) -> str:
    if value >= 10**count:
        raise DecodeError(f"IMSI_M: {value} is no group of {count} digits")
    value += int("1" * count)
    digits = ""
    for _ in range(count):
        value, digit = divmod(value - 1, 10)
        digits = str((digit + 1) % 10) + digits
    return digits


# --- EF_IMSI_M and EF_IMSI_T


def encode_imsi_m(imsi: str) -> bytes:
    """Return the 10 bytes of EF_IMSI_M for an IMSI of class 0 (15 digits). Raises `EncodeError`."""
    _require_digits(imsi, _IMSI_DIGITS, "IMSI_M")
    mcc, mnc, min2, min1 = imsi[:3], imsi[3:5], imsi[5:8], imsi[8:]
    s1 = _encode_group(min1[:3]) << 14 | (int(min1[3]) or 10) << 10 | _encode_group(min1[4:])
    return (
        b"\x00"
        + _encode_group(min2).to_bytes(2, "little")
        + s1.to_bytes(3, "little")
        + bytes((_encode_group(mnc), _PROGRAMMED))
        + _encode_group(mcc).to_bytes(2, "little")
    )


def decode_imsi_m(data: bytes) -> str:
    """Return the IMSI (15 digits) of EF_IMSI_M; empty when it is not programmed. Raises `DecodeError`."""
    if len(data) != _IMSI_SIZE:
        raise DecodeError(f"IMSI_M: {_IMSI_SIZE} bytes wanted, {len(data)} found")
    if not data[7] & _PROGRAMMED:
        return ""
    if data[0] & 1:
        raise DecodeError("IMSI_M: a class 1 IMSI is not supported")
    s2 = int.from_bytes(data[1:3], "little") & 0x3FF
    s1 = int.from_bytes(data[3:6], "little")
    fourth = s1 >> 10 & 0xF
    if not 1 <= fourth <= 10:
        raise DecodeError("IMSI_M: the thousands digit is wrong")
    mcc, mnc = int.from_bytes(data[8:10], "little") & 0x3FF, data[6] & 0x7F
    head = _decode_group(mcc, 3) + _decode_group(mnc, 2) + _decode_group(s2, 3)
    return head + _decode_group(s1 >> 14, 3) + str(fourth % 10) + _decode_group(s1 & 0x3FF, 3)


# --- numbers and names


def encode_mdn(number: str) -> bytes:
    """Return a record of EF_MDN (11 bytes) for 1 to 15 digits. Raises `EncodeError`."""
    if not 1 <= len(number) <= _MDN_DIGITS:
        raise EncodeError(f"MDN: 1 to {_MDN_DIGITS} digits fit")
    _require_digits(number, len(number), "MDN")
    halves = [int(digit) or 10 for digit in number] + [0xF] * (16 - len(number))
    packed = bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))
    # Number type and plan unknown, indicators 0.
    return bytes((len(number),)) + packed + bytes(2)


def decode_mdn(data: bytes) -> str:
    """Return the digits of an EF_MDN record. Raises `DecodeError`."""
    if len(data) != _MDN_SIZE or not 1 <= data[0] & 0xF <= _MDN_DIGITS:
        raise DecodeError("MDN: the length is wrong")
    halves = [half for byte in data[1:9] for half in (byte & 0xF, byte >> 4)][: data[0] & 0xF]
    if any(not 1 <= half <= 10 for half in halves):
        raise DecodeError("MDN: a half byte is no digit")
    return "".join(str(half % 10) for half in halves)


def encode_csim_spn(name: str) -> bytes:
    """Return EF_SPN of a CSIM (35 bytes): shown, ASCII, English. Raises `EncodeError` for over 32 characters."""
    if not name.isascii() or len(name) > _SPN_TEXT:
        raise EncodeError(f"SPN: at most {_SPN_TEXT} ASCII characters fit")
    text = name.encode("ascii").ljust(_SPN_TEXT, b"\xff")
    return bytes((_SPN_SHOWN, _SPN_ASCII, _ENGLISH)) + text


def decode_csim_spn(data: bytes) -> str:
    """Return the name in EF_SPN of a CSIM. Raises `DecodeError` for another encoding than ASCII."""
    if len(data) != _SPN_SIZE or data[1] != _SPN_ASCII:
        raise DecodeError("SPN: 35 bytes with ASCII text are wanted")
    return _ascii(data[3:].rstrip(b"\xff"), "SPN")


def encode_csim_languages(codes: Iterable[str]) -> bytes:
    """Return EF_LI of a CSIM: two bytes for each language that has a number there; others are left out."""
    return b"".join(bytes((0, _LANGUAGES[code])) for code in codes if code in _LANGUAGES)


def decode_csim_languages(data: bytes) -> list[str]:
    """Return the languages of EF_LI, those without a known number left out."""
    return [_LANGUAGE_NAMES[number] for number in data[1::2] if number in _LANGUAGE_NAMES]


def encode_home(system: str) -> bytes:
    """Return a record of EF_CDMAHOME (5 bytes) for "SID/NID". Raises `EncodeError`."""
    sid, _, nid = system.partition("/")
    try:
        return int(sid).to_bytes(2, "little") + int(nid).to_bytes(2, "little") + bytes((_BAND_CLASS,))
    except (ValueError, OverflowError):
        raise EncodeError('CDMAHOME: "SID/NID" is wanted, each from 0 to 65535') from None


def decode_home(data: bytes) -> str:
    """Return "SID/NID" of an EF_CDMAHOME record. Raises `DecodeError`."""
    if len(data) != 5:
        raise DecodeError("CDMAHOME: 5 bytes are wanted")
    return f"{int.from_bytes(data[:2], 'little')}/{int.from_bytes(data[2:4], 'little')}"


def encode_prl_id(number: int) -> bytes:
    """Return a roaming list that holds no system: its size in bits and its identity (5 bytes)."""
    return (40).to_bytes(2, "big") + number.to_bytes(2, "big") + b"\x00"


def decode_prl_id(data: bytes) -> int:
    """Return the identity of a preferred roaming list. Raises `DecodeError`."""
    if len(data) < 4:
        raise DecodeError("PRL: at least 4 bytes are wanted")
    return int.from_bytes(data[2:4], "big")


def encode_ruim_id(identity: bytes) -> bytes:
    """Return EF_RUIMID (8 bytes): length and UIM_ID, lowest byte first. Raises `EncodeError` over 7 bytes."""
    if not 4 <= len(identity) <= 7:
        raise EncodeError("RUIMID: 4 to 7 bytes are wanted")
    return bytes((len(identity),)) + identity[::-1].ljust(7, bytes((_FILL,)))


def decode_ruim_id(data: bytes) -> bytes:
    """Return the UIM_ID in EF_RUIMID. Raises `DecodeError`."""
    if len(data) != 8 or not 4 <= data[0] <= 7:
        raise DecodeError("RUIMID: the length is wrong")
    return data[1 : 1 + data[0]][::-1]


def decode_spc(data: bytes) -> str:
    """Return the six digits of EF_SPC. Raises `DecodeError`."""
    if len(data) != 3:
        raise DecodeError("SPC: 3 bytes are wanted")
    return decode_digits(data)


def encode_hrpd_nai(nai: str) -> bytes:
    """Return EF_HRPDUPP with one NAI (up to 72 characters): lengths, NAI, authentication by CHAP."""
    text = nai.encode("ascii")
    if not 1 <= len(text) <= 72:
        raise EncodeError("HRPDUPP: a NAI of 1 to 72 characters is wanted")
    return bytes((len(text) + 2, len(text))) + text + bytes((_HRPD_CHAP,))


def decode_hrpd_nai(data: bytes) -> str:
    """Return the NAI in EF_HRPDUPP; empty when there is none. Raises `DecodeError`."""
    reader = Reader(data)
    if reader.u8("length of HRPDUPP") in (0, _FILL):
        return ""
    return _ascii(reader.lv("NAI"), "NAI")


def decode_sip_nai(data: bytes) -> str:
    """Return the first NAI in EF_SIPUPP (provisional: length, number of entries, NAI length, NAI)."""
    reader = Reader(data)
    if reader.u8("length of SIPUPP") in (0, _FILL) or reader.u8("number of NAIs") == 0:
        return ""
    return _ascii(reader.lv("NAI"), "NAI")


# --- EF_BAKPARA and EF_UpBAKPARA


def encode_bak_parameters(names: tuple[bytes, bytes, bytes]) -> bytes:
    """Return a record for BCMCS_Flow_ID, BAK_ID and BAK_Expire, each behind its length. provisional: the layout."""
    return b"".join(bytes((len(value),)) + value for value in names)


def decode_bak_parameters(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return BCMCS_Flow_ID, BAK_ID and BAK_Expire of a record; None for an empty one. Raises `DecodeError`."""
    if data.count(_FILL) == len(data):
        return None
    reader = Reader(data)
    return reader.lv("BCMCS_Flow_ID"), reader.lv("BAK_ID"), reader.lv("BAK_Expire")


def _ascii(data: bytes, what: str) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise DecodeError(f"{what}: text that is not ASCII") from None
