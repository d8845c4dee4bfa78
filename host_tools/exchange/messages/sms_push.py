"""A solicited pull or a trigger as short messages to the terminal, for one whose address the network does not know.

provisional: that it exists is OMA's, both writings are ours. Form A is a WAP push (connectionless WSP, port 2948) of
the media type of what it carries for the application x-oma-application:bcast.ua (WAP-230 clause 8.2.4). Form B is 8-bit
data to the port where the same would come as a datagram. A pull with names of usual length has some 180 octets, and a
trigger more, so they go as concatenated messages (TS 23.040 clause 9.2.3.24.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from host_tools.exchange.messages.ltkm_push import MIKEY_PORT, OMA_LTKM_PORT, PushKind, kind_of_push
from host_tools.exchange.messages.trigger import FIRST_OCTET
from host_tools.exchange.procedures import MIKEY_TYPE, TRIGGER_TYPE

_LARGEST_USER_DATA = 140  # TS 23.040 clause 9.2.3.24
_CONCATENATED, _PORTS_16 = 0x00, 0x05  # elements of the header (clauses 9.2.3.24.1 and 9.2.3.24.4)
_CONCATENATED_SIZE, _PORTS_SIZE = 3, 4
_MOST_PARTS = 8
_WAP_PUSH_PORT, _WAP_SOURCE_PORT = 2948, 9200
_PUSH = 0x06  # PDU type of WSP
_APPLICATION = bytes((0xAF, 0x80 | 0x13))  # X-Wap-Application-Id 13 hex
_HEADERS: Mapping[PushKind, bytes] = {
    PushKind.LTKM: MIKEY_TYPE.encode() + b"\0" + _APPLICATION,
    PushKind.TRIGGER: TRIGGER_TYPE.encode() + b"\0" + _APPLICATION,
}


class SmsForm(Enum):
    """Which writing."""

    A = "WAP push"
    B = "data"


_PORTS: Mapping[tuple[SmsForm, PushKind], tuple[int, int]] = {
    (SmsForm.A, PushKind.LTKM): (_WAP_PUSH_PORT, _WAP_SOURCE_PORT),
    (SmsForm.A, PushKind.TRIGGER): (_WAP_PUSH_PORT, _WAP_SOURCE_PORT),
    (SmsForm.B, PushKind.LTKM): (MIKEY_PORT, MIKEY_PORT),
    (SmsForm.B, PushKind.TRIGGER): (OMA_LTKM_PORT, OMA_LTKM_PORT),
}
"""Destination and source port."""


@dataclass(frozen=True, slots=True)
class SmsPush:
    """A solicited pull (a MIKEY message) or a trigger in one of the two forms. `transaction` (one octet) is of WSP."""

    form: SmsForm
    content: bytes
    transaction: int = 1

    @property
    def kind(self) -> PushKind:
        """What it carries. Raises `DecodeError` for what is neither."""
        return kind_of_push(self.content)

    def encode(self, reference: int = 0) -> tuple[bytes, ...]:
        """Return the user data (TP-UD, header included) of one short message, or of several.

        Several carry `reference` (one octet), the same in each. Raises `EncodeError` when eight do not suffice.
        """
        kind = PushKind.TRIGGER if self.content.startswith(FIRST_OCTET) else PushKind.LTKM
        destination, source = _PORTS[self.form, kind]
        ports = bytes((_PORTS_16, _PORTS_SIZE)) + destination.to_bytes(2, "big") + source.to_bytes(2, "big")
        body = self.content
        if self.form is SmsForm.A:
            body = bytes((self.transaction, _PUSH, len(_HEADERS[kind]))) + _HEADERS[kind] + body
        if 1 + len(ports) + len(body) <= _LARGEST_USER_DATA:
            return (bytes((len(ports),)) + ports + body,)
        room = _LARGEST_USER_DATA - 1 - len(ports) - 2 - _CONCATENATED_SIZE
        pieces = [body[start : start + room] for start in range(0, len(body), room)]
        if len(pieces) > _MOST_PARTS:
            raise EncodeError(f"{len(self.content)} octets are more than {_MOST_PARTS} short messages carry")
        return tuple(
            bytes((len(ports) + 5,)) + ports + bytes((_CONCATENATED, 3, reference, len(pieces), number)) + piece
            for number, piece in enumerate(pieces, 1)
        )

    @classmethod
    def decode(cls, messages: Sequence[bytes]) -> SmsPush:
        """Read the user data of all parts, in any order. Raises `DecodeError`, also when one is missing."""
        if not 0 < len(messages) <= _MOST_PARTS:
            raise DecodeError(f"what is pushed comes in 1 to {_MOST_PARTS} short messages")
        parts = sorted((SmsPart.decode(message) for message in messages), key=lambda part: part.number)
        first = parts[0]
        if [part.number for part in parts] != list(range(1, first.total + 1)):
            raise DecodeError("a part of what is pushed is missing or there twice")
        if any((part.form, part.reference, part.total) != (first.form, first.reference, first.total) for part in parts):
            raise DecodeError("the short messages do not belong together")
        return cls._read(first.form, b"".join(part.content for part in parts))

    @classmethod
    def _read(cls, form: SmsForm, body: bytes) -> SmsPush:
        reader, transaction, said = Reader(body), 1, None
        if form is SmsForm.A:
            transaction = reader.u8("the transaction")
            if reader.u8("the PDU type") != _PUSH:
                raise DecodeError("the WSP message is no push")
            headers = reader.lv("the headers of the push")
            said = next((kind for kind, known in _HEADERS.items() if known == headers), None)
            if said is None:
                raise DecodeError("the push is of another media type or for another application")
        made = cls(form, reader.rest(), transaction)
        if said not in (None, made.kind):
            raise DecodeError("the push is not of the media type that it names")
        return made


@dataclass(frozen=True, slots=True)
class SmsPart:
    """One short message of several: which of how many, and what it carries. A terminal collects them by `reference`."""

    form: SmsForm
    reference: int
    total: int
    number: int
    content: bytes

    @classmethod
    def decode(cls, user_data: bytes) -> SmsPart:
        """Read user data with its header. Raises `DecodeError` for a message to another port."""
        if len(user_data) > _LARGEST_USER_DATA:
            raise DecodeError(f"a short message has at most {_LARGEST_USER_DATA} octets")
        reader = Reader(user_data)
        header = Reader(reader.lv("the user data header"))
        form: SmsForm | None = None
        reference, total, number = 0, 1, 1
        while header.remaining:
            identity, value = header.u8("an element"), Reader(header.lv("an element"))
            if identity == _PORTS_16 and value.remaining == _PORTS_SIZE:
                form = _form_to(value.u16("the destination port"))
            elif identity == _CONCATENATED and value.remaining == _CONCATENATED_SIZE:
                reference, total, number = value.u8("a reference"), value.u8("a total"), value.u8("a number")
        if form is None:
            raise DecodeError("the short message goes to no port of key messages")
        if not 1 <= number <= total <= _MOST_PARTS:
            raise DecodeError(f"a short message is part {number} of {total}")
        return cls(form, reference, total, number, reader.rest())


def _form_to(port: int) -> SmsForm | None:
    return next((form for (form, _), ports in _PORTS.items() if ports[0] == port), None)
