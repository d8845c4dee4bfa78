"""Data objects in blocks, for commands with an odd instruction byte (TS 102 221 clauses 10.1 and 11.1.16).

A command object arrives with P1 80 (first block) and 00 (next blocks), answered 63F1 until it is whole; then the
command runs. Its response object is announced with 62F3 and fetched with P1 A0 and 20, 62F1 standing for "more".
"""

from __future__ import annotations

from card.codec.apdu import CommandApdu
from card.codec.reader import Reader
from card.codec.tlv import encode_tlv, read_length, read_tag
from card.commands.context import Context
from card.commands.reply import Refused, Reply
from card.errors import DecodeError
from card.spec.contexts import Step
from card.spec.provisional import CAPACITY, MBMS_STATUS
from card.spec.status import SW
from card.state.session import IncomingObject, OutgoingObject

_BLOCK_SIZE = 256  # longest response block in a short APDU
_HEADER_ROOM = 5  # tag and longest length field (TS 31.102 clause 7.1.2): before that the size may be unknown


# Names of their own: looking a member up in its enumeration takes longer than comparing it.
_FIRST_COMMAND, _NEXT_COMMAND, _NEXT_RESPONSE = Step.FIRST_COMMAND, Step.NEXT_COMMAND, Step.NEXT_RESPONSE


def receive(ctx: Context, apdu: CommandApdu) -> bytes | None:
    """Take in one command block; return the whole data object, or None while blocks are missing.

    Raises `Refused` for a block out of order and for an object longer than the card's buffer.
    """
    received = _so_far(ctx, apdu)
    if received is None:
        raise Refused(MBMS_STATUS["block_out_of_order"].value)
    missing = _missing(received)
    if missing == 0:
        ctx.leave(None)
        return received
    if missing < 0:
        raise Refused(SW.WRONG_LENGTH)
    if len(received) + missing > CAPACITY["object_size"].value:
        raise Refused(SW.NOT_ENOUGH_MEMORY)
    ctx.leave(IncomingObject(apdu.ins, apdu.p2, received))
    return None


def completed_object(ctx: Context, apdu: CommandApdu) -> bytes | None:
    """Return the data object that this block would complete, or None. Changes nothing and judges nothing."""
    received = _so_far(ctx, apdu)
    return received if received is not None and _missing(received) == 0 else None


def is_under_way(ctx: Context, apdu: CommandApdu) -> bool:
    """Tell whether an object of this command (instruction and P2) is arriving in blocks."""
    match ctx.channel.unfinished:
        case IncomingObject(apdu.ins, apdu.p2):
            return True
    return False


def _so_far(ctx: Context, apdu: CommandApdu) -> bytes | None:
    """Return the object as far as it has come with this block, or None when the block continues nothing."""
    if apdu.p1 == _FIRST_COMMAND:
        return apdu.data
    match ctx.channel.unfinished:
        case IncomingObject(apdu.ins, apdu.p2, received) if apdu.p1 == _NEXT_COMMAND:
            return received + apdu.data
    return None


def _missing(received: bytes) -> int:
    """Return how many bytes of the object are still to come (at least; negative: too many came)."""
    if _has_raw_length(received):
        return 0
    reader = Reader(received)
    try:
        read_tag(reader)
        length = read_length(reader)
    except DecodeError:
        if len(received) < _HEADER_ROOM:
            return 1
        raise Refused(SW.WRONG_LENGTH) from None
    return length - reader.remaining


def _has_raw_length(received: bytes) -> bool:
    """Spot the length byte 80 to FF that a terminal wrote without the 81 before it.

    Observed terminal behaviour: one handset stack writes the length of objects up to 252 bytes as one raw byte. It
    cannot be mistaken for BER here, where 81 and 82 are followed by the length of exactly what is there.
    """
    return len(received) > 2 and received[1] >= 0x83 and received[1] == len(received) - 2


def split_object(raw: bytes) -> tuple[int, bytes]:
    """Return tag and value of a whole data object."""
    if _has_raw_length(raw):
        return raw[0], raw[2:]
    reader = Reader(raw)
    tag = read_tag(reader)
    return tag, reader.take(read_length(reader), "data object")


def announce(ctx: Context, ins: int, tag: int, value: bytes) -> Reply:
    """Keep the response object for retrieval and say so."""
    ctx.leave(OutgoingObject(ins, encode_tlv(tag, value)))
    return Reply(sw=SW.RESPONSE_AVAILABLE)


def retrieve(ctx: Context, apdu: CommandApdu) -> Reply:
    """Hand out the next block of the response object, at most Le bytes. Raises `Refused` when nothing waits."""
    waiting = ctx.channel.unfinished
    if not isinstance(waiting, OutgoingObject) or waiting.ins != apdu.ins:
        raise Refused(MBMS_STATUS["retrieval_without_response"].value)
    if apdu.le is None:
        # Without Le nothing could be handed out, and the object would be lost.
        raise Refused(SW.WRONG_LENGTH)
    if waiting.started != (apdu.p1 == _NEXT_RESPONSE):
        raise Refused(MBMS_STATUS["block_out_of_order"].value)
    size = min(apdu.le, _BLOCK_SIZE)
    block, rest = waiting.data[:size], waiting.data[size:]
    ctx.leave(OutgoingObject(waiting.ins, rest, started=True) if rest else None)
    return Reply(block, SW.MORE_RESPONSE if rest else SW.OK)
