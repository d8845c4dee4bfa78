"""READ BINARY and UPDATE BINARY (TS 102 221 clauses 11.1.3 and 11.1.4)."""

from __future__ import annotations

from card.codec.access_rule import Operation
from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.commands.context import Context
from card.commands.registry import INTERINDUSTRY, CommandRow, Data
from card.commands.reply import DONE, Refused, Reply
from card.lean import lean_dataclass
from card.spec.files.rows import Structure
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW, wrong_le


@lean_dataclass(frozen=True, slots=True)
class BinaryRequest:
    """Where to read or write: the current EF, or one named by its SFI (not 0), from `offset`."""

    sfi: int
    offset: int
    data: bytes
    le: int


def _parameters(p1: int, _p2: int) -> bool:
    return not p1 & 0x80 or (p1 & 0x60 == 0 and 0 < p1 & 0x1F < 0x1F)


def decode_read(apdu: CommandApdu) -> BinaryRequest:
    """Read offset or SFI, and Le, which must be there."""
    if apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    sfi, offset = _place(apdu)
    return BinaryRequest(sfi, offset, b"", apdu.le)


def decode_update(apdu: CommandApdu) -> BinaryRequest:
    """Read offset or SFI, and the data."""
    sfi, offset = _place(apdu)
    return BinaryRequest(sfi, offset, apdu.data, 0)


def _place(apdu: CommandApdu) -> tuple[int, int]:
    if apdu.p1 & 0x80:
        return apdu.p1 & 0x1F, apdu.p2
    return 0, apdu.p1 << 8 | apdu.p2


def read_binary(ctx: Context, request: BinaryRequest) -> Reply:
    """Return Le bytes; Le 00 means as many as there are. A longer Le than the file has is answered with 6CXX."""
    node = ctx.open_file(request.sfi, Operation.READ, Structure.TRANSPARENT)
    data = ctx.files.contents.read_binary(node, request.offset, request.le)
    if len(data) < request.le and request.le < MAX_SHORT_LE:
        return Reply(sw=wrong_le(len(data)))
    return Reply(data)


def update_binary(ctx: Context, request: BinaryRequest) -> Reply:
    """Write the data at the offset."""
    node = ctx.open_file(request.sfi, Operation.UPDATE, Structure.TRANSPARENT)
    ctx.files.contents.update_binary(node, request.offset, request.data)
    return DONE


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="READ BINARY",
        ins=INS.READ_BINARY,
        families=INTERINDUSTRY,
        decode=decode_read,
        execute=read_binary,
        ref=Ref("TS 102 221", "11.1.3"),
        parameters=_parameters,
    ),
    CommandRow(
        name="UPDATE BINARY",
        ins=INS.UPDATE_BINARY,
        families=INTERINDUSTRY,
        decode=decode_update,
        execute=update_binary,
        ref=Ref("TS 102 221", "11.1.4"),
        data=Data.REQUIRED,
        parameters=_parameters,
    ),
)
