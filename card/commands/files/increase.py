"""INCREASE (TS 102 221 clause 11.1.8)."""

from __future__ import annotations

from card.codec.access_rule import Operation
from card.codec.apdu import CommandApdu
from card.commands.context import Context
from card.commands.files.record import open_record_file
from card.commands.registry import ETSI, CommandRow, Data
from card.commands.reply import Refused, Reply
from card.filesystem.errors import MaximumReached, WrongStructure
from card.filesystem.node import FileNode
from card.lean import lean_dataclass
from card.spec.files.rows import Structure
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW

_MOST_BYTES = 127


@lean_dataclass(frozen=True, slots=True)
class Increase:
    """The file (SFI, 0 for the current one) and what to add, 1 to 127 bytes."""

    sfi: int
    amount: bytes


def _parameters(p1: int, p2: int) -> bool:
    return p2 == 0 and (p1 == 0 or (p1 & 0xE0 == 0x80 and 0 < p1 & 0x1F < 0x1F))


def decode(apdu: CommandApdu) -> Increase:
    """Read SFI and amount."""
    if len(apdu.data) > _MOST_BYTES:
        raise Refused(SW.WRONG_LENGTH)
    return Increase(apdu.p1 & 0x1F, apdu.data)


def increase(ctx: Context, request: Increase) -> Reply:
    """Add to the last record written and write the sum as a new one; return the sum, then the amount."""
    node = open_record_file(ctx, request.sfi, Operation.INCREASE)
    total = add_to_newest(ctx, node, request.amount)
    return Reply(total + request.amount)


def add_to_newest(ctx: Context, node: FileNode, amount: bytes) -> bytes:
    """Write newest record plus `amount` as the new first record of a cyclic file, and return it.

    Raises `WrongStructure` for any other file and `MaximumReached` when the sum does not fit the record.
    """
    if node.structure is not Structure.CYCLIC:
        raise WrongStructure
    newest = ctx.files.contents.read_record(node, 1)
    total = int.from_bytes(newest, "big") + int.from_bytes(amount, "big")
    if total >> 8 * node.record_length:
        raise MaximumReached
    written = total.to_bytes(node.record_length, "big")
    ctx.files.contents.append_cyclic(node, written)
    ctx.change_channel(record=1)
    return written


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="INCREASE",
        ins=INS.INCREASE,
        families=ETSI,
        decode=decode,
        execute=increase,
        ref=Ref("TS 102 221", "11.1.8"),
        data=Data.REQUIRED,
        parameters=_parameters,
    ),
)
