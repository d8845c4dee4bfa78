"""SEARCH RECORD (TS 102 221 clause 11.1.7, ISO 7816-4 clause 7.3.7)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from card.codec.access_rule import Operation
from card.codec.apdu import CommandApdu
from card.commands.context import Context
from card.commands.files.record import open_record_file
from card.commands.registry import INTERINDUSTRY, CommandRow, Data
from card.commands.reply import Refused, Reply
from card.filesystem.errors import RecordNotFound
from card.filesystem.node import FileNode
from card.lean import lean_dataclass
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW

_SIMPLE = (4, 5)  # P2 bits 1 to 3: forward, backward from the record in P1
_ENHANCED = 6
_AFTER_VALUE = 0x08  # bit of the search indication: the second byte is a value to look for first, not an offset


class Direction(IntEnum):
    """Where a search begins and where it goes: bits 1 to 3 of P2, or of the search indication."""

    FORWARD = 4
    BACKWARD = 5
    FORWARD_FROM_NEXT = 6
    BACKWARD_FROM_PREVIOUS = 7


@lean_dataclass(frozen=True, slots=True)
class Search:
    """What to look for and where. `start` is a record number, 0 for the current record.

    The pattern must stand in the record at or after `offset`, or after the first byte that equals `after_value`.
    """

    sfi: int
    start: int
    direction: Direction
    pattern: bytes
    offset: int = 0
    after_value: int | None = None


def _parameters(p1: int, p2: int) -> bool:
    mode = p2 & 0x07
    return p2 >> 3 != 0x1F and p1 != 0xFF and (mode in _SIMPLE or mode == _ENHANCED)


def decode(apdu: CommandApdu) -> Search:
    """Read the pattern; an enhanced search has two bytes of search indication before it."""
    sfi, mode = apdu.p2 >> 3, apdu.p2 & 0x07
    if mode != _ENHANCED:
        return Search(sfi, apdu.p1, Direction(mode), apdu.data)
    if len(apdu.data) < 3:
        raise Refused(SW.WRONG_LENGTH)
    indication, second, pattern = apdu.data[0], apdu.data[1], apdu.data[2:]
    if indication & ~0x0F or indication & 0x07 not in Direction.__members__.values():
        raise Refused(SW.WRONG_DATA)
    direction = Direction(indication & 0x07)
    if indication & _AFTER_VALUE:
        return Search(sfi, apdu.p1, direction, pattern, after_value=second)
    return Search(sfi, apdu.p1, direction, pattern, offset=second)


def search_record(ctx: Context, request: Search) -> Reply:
    """Return the numbers of the matching records in the order searched; the first one becomes the current record."""
    node = open_record_file(ctx, request.sfi, Operation.READ)
    if len(request.pattern) > node.record_length:
        raise Refused(SW.WRONG_LENGTH)
    records = ctx.files.contents.records(node)
    order = _order(request, ctx.channel.record, node)
    found = bytes(number for number in order if _matches(records[number - 1], request))
    if not found:
        return Reply(sw=SW.UNSUCCESSFUL_SEARCH)
    ctx.change_channel(record=found[0])
    return Reply(found)


def _order(request: Search, current: int, node: FileNode) -> Iterable[int]:
    """Return the record numbers to look at. Raises `RecordNotFound` for the current record when there is none."""
    forward = request.direction in (Direction.FORWARD, Direction.FORWARD_FROM_NEXT)
    step, last = (1, node.record_count + 1) if forward else (-1, 0)
    start = request.start or current
    if not 1 <= start <= node.record_count:
        raise RecordNotFound
    if request.direction in (Direction.FORWARD_FROM_NEXT, Direction.BACKWARD_FROM_PREVIOUS):
        start += step
    return range(start, last, step)


def _matches(record: bytes, request: Search) -> bool:
    start = request.offset
    if request.after_value is not None:
        start = record.find(request.after_value) + 1
        if not start:
            return False
    return record.find(request.pattern, start) >= 0


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="SEARCH RECORD",
        ins=INS.SEARCH_RECORD,
        families=INTERINDUSTRY,
        decode=decode,
        execute=search_record,
        ref=Ref("TS 102 221", "11.1.7"),
        data=Data.REQUIRED,
        parameters=_parameters,
    ),
)
