"""READ RECORD and UPDATE RECORD (TS 102 221 clauses 11.1.5 and 11.1.6)."""

from __future__ import annotations

from enum import IntEnum

from card.codec.access_rule import Operation
from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.commands.context import Context
from card.commands.registry import INTERINDUSTRY, CommandRow, Data
from card.commands.reply import DONE, Refused, Reply
from card.domain.phonebook import note_update
from card.filesystem.errors import RecordNotFound, WrongStructure
from card.filesystem.node import FileNode
from card.lean import lean_dataclass
from card.spec.files.rows import Structure
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW, wrong_le


class Mode(IntEnum):
    """P2 bits 1 to 3: which record (TS 102 221 table 11.11)."""

    NEXT = 2
    PREVIOUS = 3
    ABSOLUTE = 4


@lean_dataclass(frozen=True, slots=True)
class RecordRequest:
    """Which record of which file: `number` counts with ABSOLUTE only, 0 meaning the current record."""

    sfi: int
    mode: Mode
    number: int
    data: bytes
    le: int


def _parameters(p1: int, p2: int) -> bool:
    sfi, mode = p2 >> 3, p2 & 0x07
    return sfi != 0x1F and mode in Mode.__members__.values() and (mode == Mode.ABSOLUTE or p1 == 0)


def decode_read(apdu: CommandApdu) -> RecordRequest:
    """Read record number, mode, SFI, and Le, which must be there."""
    if apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    return _decode(apdu)


def decode_update(apdu: CommandApdu) -> RecordRequest:
    """Read record number, mode, SFI and the data."""
    return _decode(apdu)


def _decode(apdu: CommandApdu) -> RecordRequest:
    return RecordRequest(apdu.p2 >> 3, Mode(apdu.p2 & 0x07), apdu.p1, apdu.data, apdu.le or 0)


def read_record(ctx: Context, request: RecordRequest) -> Reply:
    """Return a whole record; any other Le than its length or 00 is answered with 6CXX."""
    node = open_record_file(ctx, request.sfi, Operation.READ)
    number = locate(ctx, node, request)
    data = ctx.files.contents.read_record(node, number)
    if request.le != len(data) and request.le < MAX_SHORT_LE:
        return Reply(sw=wrong_le(len(data)))
    _move_pointer(ctx, number, request)
    return Reply(data)


def update_record(ctx: Context, request: RecordRequest) -> Reply:
    """Write a whole record; in a cyclic file only PREVIOUS is allowed and writes a new first record."""
    node = open_record_file(ctx, request.sfi, Operation.UPDATE)
    if node.structure is Structure.CYCLIC:
        if request.mode is not Mode.PREVIOUS:
            raise WrongStructure
        ctx.files.contents.append_cyclic(node, request.data)
        _move_pointer(ctx, 1, request)
        return DONE
    number = locate(ctx, node, request)
    ctx.files.contents.update_record(node, number, request.data)
    note_update(ctx.files, node, number)
    _move_pointer(ctx, number, request)
    return DONE


def open_record_file(ctx: Context, sfi: int, operation: Operation) -> FileNode:
    """Return the record file to work on (`Context.open_file`)."""
    return ctx.open_file(sfi, operation, Structure.LINEAR_FIXED, Structure.CYCLIC)


def locate(ctx: Context, node: FileNode, request: RecordRequest) -> int:
    """Return the number of the record meant. A cyclic file goes round; a linear one ends. Raises `RecordNotFound`."""
    current, count = ctx.channel.record, node.record_count
    number = _number_meant(request, current, count)
    if node.structure is Structure.CYCLIC and request.mode is not Mode.ABSOLUTE:
        number = (number - 1) % count + 1
    if not 1 <= number <= count:
        raise RecordNotFound
    return number


def _number_meant(request: RecordRequest, current: int, count: int) -> int:
    """Return the number before range and wrapping are judged; without a current record, next means the first."""
    match request.mode:
        case Mode.ABSOLUTE:
            return request.number or current
        case Mode.NEXT:
            return current + 1
        case Mode.PREVIOUS:
            return current - 1 if current else count


def _move_pointer(ctx: Context, number: int, request: RecordRequest) -> None:
    """NEXT and PREVIOUS move the record pointer, an absolute access leaves it (TS 102 221 clause 8.2.2.2)."""
    if request.mode is not Mode.ABSOLUTE and ctx.channel.record != number:
        ctx.change_channel(record=number)


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="READ RECORD",
        ins=INS.READ_RECORD,
        families=INTERINDUSTRY,
        decode=decode_read,
        execute=read_record,
        ref=Ref("TS 102 221", "11.1.5"),
        parameters=_parameters,
    ),
    CommandRow(
        name="UPDATE RECORD",
        ins=INS.UPDATE_RECORD,
        families=INTERINDUSTRY,
        decode=decode_update,
        execute=update_record,
        ref=Ref("TS 102 221", "11.1.6"),
        data=Data.REQUIRED,
        parameters=_parameters,
    ),
)
