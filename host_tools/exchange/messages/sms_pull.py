"""A solicited pull as a short message to the terminal, for one whose address the network does not know.

provisional: that it exists is OMA's, both writings are ours. Form A is a WAP push (connectionless WSP, port 2948) of
the media type application/mikey for the application x-oma-application:bcast.ua (WAP-230 clause 8.2.4). Form B is 8-bit
data to port 2269. A short message carries 140 octets with its header; a longer one goes in parts, which is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from host_tools.exchange.messages.ltkm_push import MIKEY_PORT, PushKind, kind_of_push
from host_tools.exchange.procedures import MIKEY_TYPE

_LARGEST_USER_DATA = 140  # TS 23.040 clause 9.2.3.24
_PORTS_16 = 0x05  # element of application ports of 16 bits (TS 23.040 clause 9.2.3.24.4)
_PORTS_SIZE = 4
_WAP_PUSH_PORT, _WAP_SOURCE_PORT = 2948, 9200
_PUSH = 0x06  # PDU type of WSP
_CONTENT_TYPE = MIKEY_TYPE.encode() + b"\0"
_APPLICATION = bytes((0xAF, 0x80 | 0x13))  # X-Wap-Application-Id, short integer 13


class SmsForm(Enum):
    """Which writing; the value is the pair of ports, destination first."""

    A = (_WAP_PUSH_PORT, _WAP_SOURCE_PORT)
    B = (MIKEY_PORT, MIKEY_PORT)


@dataclass(frozen=True, slots=True)
class SmsPull:
    """A solicited pull (a MIKEY message) in one of the two forms."""

    form: SmsForm
    mikey: bytes
    transaction: int = 1

    def encode(self) -> bytes:
        """Return the user data with its header (TP-UD). Raises `EncodeError` when it does not fit one message."""
        destination, source = self.form.value
        ports = destination.to_bytes(2, "big") + source.to_bytes(2, "big")
        element = bytes((_PORTS_16, _PORTS_SIZE)) + ports
        data = bytes((len(element),)) + element + self._body()
        if len(data) > _LARGEST_USER_DATA:
            raise EncodeError(f"the short message has {len(data)} octets, more than {_LARGEST_USER_DATA}")
        return data

    def _body(self) -> bytes:
        if self.form is SmsForm.B:
            return self.mikey
        headers = _CONTENT_TYPE + _APPLICATION
        return bytes((self.transaction, _PUSH, len(headers))) + headers + self.mikey

    @classmethod
    def decode(cls, user_data: bytes) -> SmsPull:
        """Read user data with its header, in either form. Raises `DecodeError` for anything else."""
        if len(user_data) > _LARGEST_USER_DATA:
            raise DecodeError(f"a short message has at most {_LARGEST_USER_DATA} octets")
        reader = Reader(user_data)
        form = _form(reader.lv("the user data header"))
        transaction = 1
        if form is SmsForm.A:
            transaction = reader.u8("the transaction")
            if reader.u8("the PDU type") != _PUSH:
                raise DecodeError("the WSP message is no push")
            if reader.lv("the headers of the push") != _CONTENT_TYPE + _APPLICATION:
                raise DecodeError("the push is of another media type or for another application")
        mikey = reader.take(reader.remaining, "the MIKEY message")
        if kind_of_push(mikey) is not PushKind.LTKM:
            raise DecodeError("the short message carries no MIKEY message")
        return cls(form, mikey, transaction)


def _form(header: bytes) -> SmsForm:
    reader = Reader(header)
    while reader.remaining:
        identity, value = reader.u8("an element"), Reader(reader.lv("an element"))
        if identity == _PORTS_16 and value.remaining == _PORTS_SIZE:
            ports = (value.u16("the destination port"), value.u16("the source port"))
            for form in SmsForm:
                if form.value[0] == ports[0]:
                    return form
    raise DecodeError("the short message goes to no port of key messages")
