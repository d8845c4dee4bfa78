"""File commands of a SIM: SELECT, STATUS, READ and UPDATE, SEEK, INCREASE, INVALIDATE (TS 51.011 clause 8)."""

from __future__ import annotations

from enum import IntEnum
from functools import partial

from card.codec.access_rule import ALWAYS, NEVER, Condition, Operation
from card.codec.apdu import CommandApdu
from card.codec.sim_response import (
    AccessLevel,
    ChvStatus,
    EfStructure,
    FileAccess,
    FileType,
    encode_directory,
    encode_file,
)
from card.commands.context import Context
from card.commands.files.binary import BinaryRequest
from card.commands.files.increase import add_to_newest
from card.commands.files.record import Mode, RecordRequest, locate, update_record
from card.commands.files.select import make_current
from card.commands.registry import CommandRow, Data, zero_parameters
from card.commands.reply import DONE, Refused, Reply
from card.commands.sim.view import CHV1, CHV2, exactly, sim_row
from card.domain.pin import PinNotFound, pin_name
from card.filesystem.errors import FileDeactivated, FileNotFound, WrongStructure
from card.filesystem.filesystem import ACTIVATED, DEACTIVATED, TERMINATED
from card.filesystem.node import FileNode
from card.lean import lean_dataclass
from card.spec.files.rows import Structure
from card.spec.ins import INS
from card.spec.status import SW, SimSW

_STRUCTURES = {
    Structure.TRANSPARENT: EfStructure.TRANSPARENT,
    Structure.LINEAR_FIXED: EfStructure.LINEAR_FIXED,
    Structure.CYCLIC: EfStructure.CYCLIC,
}
_LEVELS = {CHV1: AccessLevel.CHV1, CHV2: AccessLevel.CHV2}
_AMOUNT_SIZE = 3  # INCREASE of a SIM always adds three bytes


def decode_select(apdu: CommandApdu) -> int:
    """Return the file identifier."""
    exactly(2)(apdu)
    return int.from_bytes(apdu.data, "big")


def select(ctx: Context, fid: int) -> Reply:
    """Make a file current and describe it. Files of a kind that SIMs do not know are not there."""
    node = ctx.files.tree.select_by_fid(fid, ctx.channel.directory, ctx.channel.application)
    if node.structure in (Structure.BER_TLV, Structure.ADF):
        raise FileNotFound
    make_current(ctx, node)
    if node.structure is Structure.CYCLIC:
        # The record pointer stands at the record updated last (TS 51.011 clause 8.1).
        ctx.change_channel(record=1)
    return Reply(_describe(ctx, node))


def decode_status(apdu: CommandApdu) -> int:
    """Return how many bytes of the description are wanted."""
    return apdu.le or 0


def status(ctx: Context, wanted: int) -> Reply:
    """Describe the current directory."""
    described = _describe(ctx, ctx.directory)
    return Reply(described[:wanted]) if wanted <= len(described) else Reply(sw=SW.WRONG_LENGTH)


def _describe(ctx: Context, node: FileNode) -> bytes:
    if node.structure.is_directory:
        return _describe_directory(ctx, node)
    rule = ctx.files.rule(node)
    levels = (Operation.READ, Operation.UPDATE, Operation.INCREASE, Operation.ACTIVATE, Operation.DEACTIVATE)
    access = FileAccess(*(_level(rule.condition(operation)) for operation in levels))
    valid = ctx.files.life_cycle(node) == ACTIVATED
    size = min(node.size, 0xFFFF)
    return encode_file(node.fid, _STRUCTURES[node.structure], size, node.record_length, access, valid=valid)


def _describe_directory(ctx: Context, node: FileNode) -> bytes:
    inside = ctx.files.tree.children(node.path)
    directories = sum(child.structure.is_directory for child in inside)
    kind = FileType.MF if node.structure is Structure.MF else FileType.DF
    chvs = (_chv_status(ctx, CHV1), _chv_status(ctx, CHV2))
    return encode_directory(node.fid, kind, directories, len(inside) - directories, *chvs)


def _chv_status(ctx: Context, reference: int) -> ChvStatus:
    try:
        pin = ctx.pins.find(pin_name(reference, ctx.channel.application))
    except PinNotFound:
        return ChvStatus(None)
    return ChvStatus(pin.tries_left, pin.puk_tries_left, pin.enabled)


def _level(condition: Condition) -> AccessLevel:
    """Return the nearest that a SIM can say about a condition."""
    if condition == ALWAYS:
        return AccessLevel.ALWAYS
    if condition == NEVER or not condition.references:
        return AccessLevel.NEVER
    return _LEVELS.get(condition.references[0], AccessLevel.ADM)


def decode_binary(apdu: CommandApdu) -> BinaryRequest:
    """Read offset, and data or length."""
    return BinaryRequest(0, apdu.p1 << 8 | apdu.p2, apdu.data, apdu.le or 0)


def read_binary(ctx: Context, request: BinaryRequest) -> Reply:
    """Return exactly as many bytes as P3 says."""
    node = _transparent(ctx, Operation.READ)
    data = ctx.files.contents.read_binary(node, request.offset, request.le)
    return Reply(data) if len(data) == request.le else Reply(sw=SW.WRONG_LENGTH)


def update_binary(ctx: Context, request: BinaryRequest) -> Reply:
    """Write the data at the offset."""
    ctx.files.contents.update_binary(_transparent(ctx, Operation.UPDATE), request.offset, request.data)
    return DONE


def _transparent(ctx: Context, operation: Operation) -> FileNode:
    node = ctx.current_file()
    if node.structure is not Structure.TRANSPARENT:
        raise WrongStructure
    ctx.require(node, operation)
    return node


def _record_parameters(p1: int, p2: int) -> bool:
    return p2 in Mode.__members__.values() and (p2 == Mode.ABSOLUTE or p1 == 0)


def decode_record(apdu: CommandApdu) -> RecordRequest:
    """Read record number and mode, and data or length."""
    return RecordRequest(0, Mode(apdu.p2), apdu.p1, apdu.data, apdu.le or 0)


def read_record(ctx: Context, request: RecordRequest) -> Reply:
    """Return a whole record; P3 must be its length."""
    node = _record_file(ctx, Operation.READ)
    number = locate(ctx, node, request)
    if request.le != node.record_length:
        return Reply(sw=SW.WRONG_LENGTH)
    if request.mode is not Mode.ABSOLUTE:
        ctx.change_channel(record=number)
    return Reply(ctx.files.contents.read_record(node, number))


def _record_file(ctx: Context, operation: Operation) -> FileNode:
    node = ctx.current_file()
    if not node.structure.has_records:
        raise WrongStructure
    ctx.require(node, operation)
    return node


class SeekFrom(IntEnum):
    """Low half of P2 of SEEK: where to begin, and so the direction."""

    BEGINNING = 0
    END = 1
    NEXT = 2
    PREVIOUS = 3


@lean_dataclass(frozen=True, slots=True)
class Seek:
    """A pattern that a record must begin with; type 2 (`tells`) returns the record number."""

    begin: SeekFrom
    pattern: bytes
    tells: bool


def _seek_parameters(p1: int, p2: int) -> bool:
    return p1 == 0 and p2 >> 4 in (0, 1) and p2 & 0x0F in SeekFrom.__members__.values()


def decode_seek(apdu: CommandApdu) -> Seek:
    """Read where to begin and the pattern."""
    return Seek(SeekFrom(apdu.p2 & 0x0F), apdu.data, bool(apdu.p2 >> 4))


def seek(ctx: Context, request: Seek) -> Reply:
    """Make the first record found the current one."""
    node = _record_file(ctx, Operation.READ)
    if node.structure is Structure.CYCLIC:
        raise WrongStructure
    if len(request.pattern) > node.record_length:
        return Reply(sw=SW.WRONG_LENGTH)
    records = ctx.files.contents.records(node)
    for number in _seek_order(request.begin, ctx.channel.record, len(records)):
        if records[number - 1].startswith(request.pattern):
            ctx.change_channel(record=number)
            return Reply(bytes((number,)) if request.tells else b"")
    raise FileNotFound


def _seek_order(begin: SeekFrom, current: int, count: int) -> range:
    match begin:
        case SeekFrom.BEGINNING:
            return range(1, count + 1)
        case SeekFrom.END:
            return range(count, 0, -1)
        case SeekFrom.NEXT:
            return range(current + 1, count + 1)
        case SeekFrom.PREVIOUS:
            return range((current or count + 1) - 1, 0, -1)


def decode_increase(apdu: CommandApdu) -> bytes:
    """Return the three bytes to add."""
    exactly(_AMOUNT_SIZE)(apdu)
    return apdu.data


def increase(ctx: Context, amount: bytes) -> Reply:
    """Add to the newest record of a cyclic file; return the sum and the amount."""
    node = _record_file(ctx, Operation.INCREASE)
    return Reply(add_to_newest(ctx, node, amount) + amount)


def decode_nothing(_apdu: CommandApdu) -> None:
    """Commands without content."""
    return


def set_validity(ctx: Context, _request: None, *, operation: Operation, state: int) -> Reply:
    """Invalidate or rehabilitate the current EF. Doing so twice contradicts its status."""
    node = ctx.current_file()
    if not ctx.satisfies(ctx.files.condition(node, operation, ctx.environment)):
        raise Refused(SimSW.ACCESS_NOT_FULFILLED)
    if ctx.files.life_cycle(node) in (state, TERMINATED):
        raise FileDeactivated
    ctx.files.set_life_cycle(node, state)
    return DONE


_INVALIDATE = partial(set_validity, operation=Operation.DEACTIVATE, state=DEACTIVATED)
_REHABILITATE = partial(set_validity, operation=Operation.ACTIVATE, state=ACTIVATED)
_REQUIRED = Data.REQUIRED

ROWS: tuple[CommandRow, ...] = (
    sim_row("SELECT", INS.SELECT, "8.1", decode_select, select, data=_REQUIRED, parameters=zero_parameters),
    sim_row("STATUS", INS.STATUS, "8.2", decode_status, status, parameters=zero_parameters),
    sim_row("READ BINARY", INS.READ_BINARY, "8.3", decode_binary, read_binary),
    sim_row("UPDATE BINARY", INS.UPDATE_BINARY, "8.4", decode_binary, update_binary, data=_REQUIRED),
    sim_row("READ RECORD", INS.READ_RECORD, "8.5", decode_record, read_record, parameters=_record_parameters),
    sim_row(
        "UPDATE RECORD", INS.UPDATE_RECORD, "8.6", decode_record, update_record,
        data=_REQUIRED, parameters=_record_parameters,
    ),
    sim_row("SEEK", INS.SEARCH_RECORD, "8.7", decode_seek, seek, data=_REQUIRED, parameters=_seek_parameters),
    sim_row("INCREASE", INS.INCREASE, "8.8", decode_increase, increase, data=_REQUIRED, parameters=zero_parameters),
    sim_row("INVALIDATE", INS.DEACTIVATE_FILE, "8.14", decode_nothing, _INVALIDATE, parameters=zero_parameters),
    sim_row("REHABILITATE", INS.ACTIVATE_FILE, "8.15", decode_nothing, _REHABILITATE, parameters=zero_parameters),
)  # fmt: skip
