"""What is secret of the odd AUTHENTICATE, whose objects come and go in blocks (TS 31.102 clauses 7.1.1.6 to 7.1.1.9).

A command block is shown while the MIKEY message in it shows no key in clear. Of an answer everything is shown except
to an STKM, which is answered with the TEK, and to what was not understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from card.codec.apdu import CommandApdu
from card.codec.mikey.header import Header
from card.codec.mikey.numbers import EncryptionAlgorithm, PayloadType
from card.codec.mikey.payloads import PAYLOADS
from card.codec.reader import Reader
from card.codec.redaction.spans import Span, whole
from card.codec.tlv import read_length, read_tag
from card.errors import DecodeError
from card.spec.bcast.p1 import P1
from card.spec.bcast.x2 import X2
from card.spec.contexts import RESPONSE_STEPS, SPECIFIC, STRUCTURED, SUCCESS, UNSTRUCTURED, MbmsMode, OddP2, Step

_MOST_KEPT = 1 << 14  # bytes of an object in blocks; the card takes no longer one
_SECRET_OBJECTS = frozenset({"tek", "salt"})
_OPEN_TAGS = frozenset(
    tag for tables in (P1, X2) for name, tag in tables.response_tags.items() if name not in _SECRET_OBJECTS
)
_LONGEST_OPEN = 4  # bytes: parental control; a card's own tables may give any object another tag
_TEMPLATE = 0xAE
_TAKEN = frozenset({0x61, 0x62, 0x63, 0x90, 0x91})


class _Answer(Enum):
    """What of the answer may be seen."""

    ALL = "all"
    OBJECTS = "the objects that are known to hold no key"
    NOTHING = "nothing"


class OddExchange:
    """One object under way on one channel, with its answer."""

    def __init__(self) -> None:
        self._context = -1
        self._object = b""
        self._answer = _Answer.NOTHING

    def in_command(self, command: CommandApdu) -> tuple[Span, ...]:
        """Return what is secret in the data of a command, as offsets in them."""
        if command.p1 in RESPONSE_STEPS:
            return whole(command.data)
        return () if self._is_open(command) else whole(command.data)

    def _is_open(self, command: CommandApdu) -> bool:
        received = self._received(command)
        if received is None:
            return False
        context = command.p2 | SPECIFIC
        if context != OddP2.MBMS:
            return context == OddP2.LOCAL_KEY
        mode, body = _mbms_object(received)
        match mode:
            case MbmsMode.MSK_UPDATE | MbmsMode.MTK_GENERATION:
                return is_open(body)
            case MbmsMode.MSK_DELETION | MbmsMode.MUK_DELETION:
                return True
            case _:
                return received[:1] == bytes((STRUCTURED,))  # a deletion of BCAST names keys and has none

    def _received(self, command: CommandApdu) -> bytes | None:
        """Return the object with this block; None when the block continues nothing that was seen."""
        if command.p1 == Step.FIRST_COMMAND:
            return command.data
        if command.p2 != self._context or not self._object or len(self._object) > _MOST_KEPT:
            return None
        return self._object + command.data

    def note(self, command: CommandApdu, response: bytes) -> None:
        """Take a command block with its answer: they say what an answer that is fetched later will hold."""
        if command.p1 in RESPONSE_STEPS:
            return
        taken = len(response) >= 2 and response[-2] in _TAKEN
        received = self._received(command) if taken else None
        self._context = command.p2
        self._object = received or b""
        self._answer = _answer_to(command.p2 | SPECIFIC, self._object)

    def in_answer(self, command: CommandApdu, data: bytes) -> tuple[Span, ...]:
        """Return what is secret in the data of an answer."""
        if self._answer is _Answer.ALL:
            return ()
        if self._answer is _Answer.NOTHING or command.p1 == Step.NEXT_RESPONSE:
            return whole(data)
        try:
            return tuple(_in_object(data))
        except DecodeError:
            return whole(data)


def _mbms_object(received: bytes) -> tuple[int, bytes]:
    """Return mode and body of an object 53 as far as it has come; mode -1 where it cannot be told."""
    if len(received) < 3 or received[0] != UNSTRUCTURED:
        return -1, b""
    # 81 to 83 are followed by the length; some terminals write lengths of 83 and more as one raw byte.
    is_raw = 0x83 <= received[1] == len(received) - 2
    start = 2 if is_raw else {0x81: 3, 0x82: 4, 0x83: 5}.get(received[1], 2)
    return (received[start], received[start + 1 :]) if len(received) > start else (-1, b"")


def _answer_to(context: int, received: bytes) -> _Answer:
    if context == OddP2.LOCAL_KEY:
        return _Answer.ALL  # a MAC and a status: Ks_local stays in the card
    if context != OddP2.MBMS:
        return _Answer.NOTHING
    is_harmless = _mbms_object(received)[0] in (MbmsMode.MSK_UPDATE, MbmsMode.MSK_DELETION, MbmsMode.MUK_DELETION)
    return _Answer.ALL if is_harmless else _Answer.OBJECTS


def _in_object(data: bytes) -> Iterator[Span]:
    """Yield what is secret in a whole answer to an STKM. Raises `DecodeError` when it is none."""
    reader = Reader(data)
    tag = read_tag(reader)
    size = read_length(reader)
    if size != reader.remaining or not size:
        raise DecodeError("an object in several blocks")
    if tag == UNSTRUCTURED and data[reader.position] == SUCCESS:
        if size > 1:
            yield reader.position + 1, len(data)
        return
    if tag != STRUCTURED or read_tag(reader) != _TEMPLATE or read_length(reader) != reader.remaining:
        raise DecodeError("no answer of a card with BCAST")
    while reader.remaining:
        tag, size = read_tag(reader), 0
        size = read_length(reader)
        start = reader.position
        reader.take(size, "value")
        if size and (tag not in _OPEN_TAGS or size > _LONGEST_OPEN):
            yield start, start + size


class _Cut(Exception):
    """The message ends here for now: the rest comes in another block."""


class _PrefixReader(Reader):
    """Reads what may be the beginning of something longer."""

    def take(self, count: int, what: str = "field") -> bytes:
        """Read `count` bytes. Raises `_Cut` when fewer have come."""
        if count > self.remaining:
            raise _Cut
        return super().take(count, what)

    def u8(self, what: str = "byte") -> int:
        """Read one byte. Raises `_Cut` when none is left."""
        if not self.remaining:
            raise _Cut
        return super().u8(what)


def is_open(prefix: bytes) -> bool:
    """True when the message follows its grammar so far and key data, if it has come to them, are encrypted.

    Payloads before KEMAC hold times, names, random values and policies (RFC 3830 clause 6).
    """
    reader = _PrefixReader(prefix)
    try:
        _, payload = Header.decode(reader)
        while payload not in (PayloadType.LAST, PayloadType.KEMAC):
            kind = PAYLOADS[payload]
            payload = reader.u8("next payload")
            kind.decode(reader)
        if payload == PayloadType.LAST:
            return not reader.remaining
        reader.u8("next payload")
        return EncryptionAlgorithm(reader.u8("encryption algorithm")) is not EncryptionAlgorithm.NULL
    except _Cut:
        return True
    except (DecodeError, KeyError, ValueError):
        return False
