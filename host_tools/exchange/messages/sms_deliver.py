"""SMS-DELIVER: a short message as a terminal gets it from its network (TS 23.040 clause 9.2.2.1).

Only what a data message to an application of the terminal needs: 8-bit user data with a header. PID 00 and an 8-bit
coding say that it is for the terminal; a message for the card has PID 7F (clause 9.2.3.9).
"""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError

_DELIVER, _MASK_OF_TYPE = 0x00, 0x03
_NO_MORE_MESSAGES, _HAS_HEADER = 0x04, 0x40
_FOR_THE_TERMINAL, _EIGHT_BIT = 0x00, 0x04
_TIME_SIZE = 7
_LONGEST_NUMBER = 20  # digits of an address (clause 9.1.2.5)
_LARGEST_USER_DATA = 140
_INTERNATIONAL = 0x91
_ORIGINATOR = bytes.fromhex("1032547698")  # 0123456789: nobody
_NO_TIME = bytes.fromhex("62112922000000")


@dataclass(frozen=True, slots=True)
class SmsDeliver:
    """A short message: its user data, header included."""

    user_data: bytes

    def encode(self) -> bytes:
        """Return the TPDU, from nobody in particular. Raises `EncodeError`."""
        if not 0 < len(self.user_data) <= _LARGEST_USER_DATA:
            raise EncodeError(f"a short message has 1 to {_LARGEST_USER_DATA} octets of user data")
        flags = _DELIVER | _NO_MORE_MESSAGES | _HAS_HEADER
        address = bytes((2 * len(_ORIGINATOR), _INTERNATIONAL)) + _ORIGINATOR
        coding = bytes((_FOR_THE_TERMINAL, _EIGHT_BIT))
        return bytes((flags,)) + address + coding + _NO_TIME + bytes((len(self.user_data),)) + self.user_data

    @classmethod
    def decode(cls, tpdu: bytes) -> SmsDeliver:
        """Read a TPDU. Raises `DecodeError` for one of another kind, for the card, or without a header."""
        reader = Reader(tpdu)
        flags = reader.u8("the first octet")
        if flags & _MASK_OF_TYPE != _DELIVER:
            raise DecodeError("the TPDU is no SMS-DELIVER")
        if not flags & _HAS_HEADER:
            raise DecodeError("the short message has no header: it goes to no port")
        digits = reader.u8("the length of the originator")
        if digits > _LONGEST_NUMBER:
            raise DecodeError("the originator has too many digits")
        reader.take(1 + (digits + 1) // 2, "the originator")
        if reader.u8("the protocol identifier") != _FOR_THE_TERMINAL:
            raise DecodeError("the short message is not for the terminal")
        coding = reader.u8("the data coding")
        if not (coding & 0xCC == _EIGHT_BIT or coding & 0xF4 == 0xF4):
            raise DecodeError("the short message does not carry 8-bit data")
        reader.take(_TIME_SIZE, "the time stamp")
        size = reader.u8("the length of the user data")
        user_data = reader.take(size, "the user data")
        if size > _LARGEST_USER_DATA:
            raise DecodeError(f"a short message has at most {_LARGEST_USER_DATA} octets of user data")
        reader.expect_end("the TPDU")
        return cls(user_data)
