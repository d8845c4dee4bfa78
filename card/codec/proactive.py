"""Proactive commands and the terminal's messages to the card (TS 102 223): COMPREHENSION-TLV objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

from card.codec.reader import Reader
from card.codec.tlv import encode_length, encode_tlv, read_length
from card.errors import DecodeError
from card.lean import lean_dataclass

_PROACTIVE = 0xD0
_COMPREHENSION = 0x80  # "comprehension required" bit of a tag
_EIGHT_BIT = 0x04  # data coding scheme of text strings
_MINUTES, _SECONDS = 0x00, 0x01  # time units
_UICC = 0x81


class Device(IntEnum):
    """Device identities (TS 102 223 clause 8.7)."""

    DISPLAY = 0x02
    UICC = 0x81
    TERMINAL = 0x82
    NETWORK = 0x83


class Tag(IntEnum):
    """Tags of COMPREHENSION-TLV objects, without the comprehension bit (TS 102 223 clause 9.3)."""

    COMMAND_DETAILS = 0x01
    DEVICE_IDENTITIES = 0x02
    RESULT = 0x03
    DURATION = 0x04
    ALPHA_IDENTIFIER = 0x05
    ADDRESS = 0x06
    SMS_TPDU = 0x0B
    TEXT_STRING = 0x0D
    ITEM = 0x0F
    ITEM_IDENTIFIER = 0x10
    EVENT_LIST = 0x19
    TIMER_IDENTIFIER = 0x24
    TIMER_VALUE = 0x25


class CommandType(IntEnum):
    """Types of proactive command (TS 102 223 clause 9.4)."""

    REFRESH = 0x01
    POLL_INTERVAL = 0x03
    POLLING_OFF = 0x04
    SET_UP_EVENT_LIST = 0x05
    DISPLAY_TEXT = 0x21
    SET_UP_MENU = 0x25
    PROVIDE_LOCAL_INFORMATION = 0x26
    TIMER_MANAGEMENT = 0x27


@lean_dataclass(frozen=True, slots=True)
class ProactiveCommand:
    """One proactive command without the number that it gets when sent; `objects` follow the device identities."""

    type: int
    qualifier: int = 0
    destination: int = Device.TERMINAL
    objects: bytes = b""

    def encode(self, number: int) -> bytes:
        """Return the BER-TLV object that FETCH hands out."""
        details = encode_object(Tag.COMMAND_DETAILS, bytes((number, self.type, self.qualifier)))
        devices = encode_object(Tag.DEVICE_IDENTITIES, bytes((_UICC, self.destination)))
        return encode_tlv(_PROACTIVE, details + devices + self.objects)


@lean_dataclass(frozen=True, slots=True)
class TerminalResponse:
    """The terminal's answer: number and type of the command, and the general result (below 20: performed)."""

    number: int
    type: int
    result: int

    @classmethod
    def decode(cls, data: bytes) -> TerminalResponse:
        """Read a TERMINAL RESPONSE. Raises `DecodeError` when command details or result are missing."""
        objects = dict(reversed(list(iter_objects(data))))
        details, result = objects.get(Tag.COMMAND_DETAILS, b""), objects.get(Tag.RESULT, b"")
        if len(details) != 3 or not result:
            raise DecodeError("terminal response: command details or result missing")
        return cls(details[0], details[1], result[0])


def encode_object(tag: int, value: bytes) -> bytes:
    """Return one COMPREHENSION-TLV object, comprehension required."""
    return bytes((tag | _COMPREHENSION,)) + encode_length(len(value)) + value


def iter_objects(data: bytes) -> Iterable[tuple[int, bytes]]:
    """Yield tag (without the comprehension bit) and value of the objects that fill `data`. Raises `DecodeError`."""
    reader = Reader(data)
    while reader.remaining:
        tag = reader.u8("tag")
        if tag in (0x00, 0x7F, 0x80, 0xFF):
            raise DecodeError(f"COMPREHENSION-TLV: tag {tag:02X} is not supported")
        yield tag & ~_COMPREHENSION, reader.take(read_length(reader), f"value of tag {tag:02X}")


def _text(text: str) -> bytes:
    return encode_object(Tag.TEXT_STRING, bytes((_EIGHT_BIT,)) + text.encode("ascii"))


def display_text(text: str, qualifier: int = 0x80) -> ProactiveCommand:
    """Show a text; by default normal priority and until the user clears it."""
    return ProactiveCommand(CommandType.DISPLAY_TEXT, qualifier, Device.DISPLAY, _text(text))


def poll_interval(seconds: int) -> ProactiveCommand:
    """Ask for a STATUS every so many seconds, in minutes where seconds do not fit (at most 255 minutes)."""
    unit, count = (_SECONDS, seconds) if seconds <= 0xFF else (_MINUTES, min(-(-seconds // 60), 0xFF))
    return ProactiveCommand(CommandType.POLL_INTERVAL, objects=encode_object(Tag.DURATION, bytes((unit, count))))


def set_up_event_list(events: Sequence[int]) -> ProactiveCommand:
    """Ask to be told of events (TS 102 223 clause 8.25); an empty list ends it."""
    return ProactiveCommand(CommandType.SET_UP_EVENT_LIST, objects=encode_object(Tag.EVENT_LIST, bytes(events)))


def timer_management(timer: int, seconds: int) -> ProactiveCommand:
    """Start timer 1 to 8 of the terminal with a duration of up to 24 hours."""
    hours, rest = divmod(seconds, 3600)
    value = bytes(_swapped(part) for part in (hours, rest // 60, rest % 60))
    objects = encode_object(Tag.TIMER_IDENTIFIER, bytes((timer,))) + encode_object(Tag.TIMER_VALUE, value)
    return ProactiveCommand(CommandType.TIMER_MANAGEMENT, objects=objects)


def _swapped(number: int) -> int:
    """Return two decimal digits in half bytes, the tens in the low one (TS 102 223 clause 8.38)."""
    return number // 10 | number % 10 << 4


def set_up_menu(title: str, items: Sequence[str]) -> ProactiveCommand:
    """Give the terminal a menu, whose items count from 1."""
    entries = (bytes((number,)) + item.encode("ascii") for number, item in enumerate(items, 1))
    coded = b"".join(encode_object(Tag.ITEM, entry) for entry in entries)
    objects = encode_object(Tag.ALPHA_IDENTIFIER, title.encode("ascii")) + coded
    return ProactiveCommand(CommandType.SET_UP_MENU, objects=objects)
