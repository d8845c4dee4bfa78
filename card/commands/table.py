"""The command table: every row of every family, looked up by class family and instruction byte."""

from __future__ import annotations

from collections.abc import Mapping

from card.codec.apdu import ClassFamily, class_family
from card.commands import bcmcs, challenge, channel, delivery, pin, proactive, terminal_capability
from card.commands.authenticate import even, odd
from card.commands.bcast import command as bcast
from card.commands.files import ber_tlv, binary, increase, life_cycle, record, search, select
from card.commands.registry import CommandRow
from card.commands.reply import Refused
from card.commands.secure_channel import scp03, transact
from card.commands.sim import files as sim_files
from card.commands.sim import security as sim_security
from card.spec.status import SW

ALL_ROWS: tuple[CommandRow, ...] = (
    *select.ROWS,
    *binary.ROWS,
    *record.ROWS,
    *pin.ROWS,
    *search.ROWS,
    *increase.ROWS,
    *life_cycle.ROWS,
    *ber_tlv.ROWS,
    *channel.ROWS,
    *challenge.ROWS,
    *terminal_capability.ROWS,
    *proactive.ROWS,
    *delivery.ROWS,
    *even.ROWS,
    *odd.ROWS,
    *bcmcs.ROWS,
    *bcast.ROWS,
    *transact.ROWS,
    *scp03.ROWS,
    *sim_files.ROWS,
    *sim_security.ROWS,
)

_FAMILY_OF = tuple(class_family(cla) for cla in range(256))
_CLASSES = {cla for row in ALL_ROWS for cla in range(256) if _FAMILY_OF[cla] in row.families}
_INSTRUCTIONS = {row.ins for row in ALL_ROWS}
_BY_CODE: Mapping[int, CommandRow] = {
    cla << 8 | row.ins: row for row in ALL_ROWS for cla in range(256) if _FAMILY_OF[cla] in row.families
}


def find_command(cla: int, ins: int) -> CommandRow:
    """Return the row of a command. Raises `Refused`: 6E00 for a class no command uses, then 6D00.

    An instruction that exists in the other class family is answered 6E00, as the class is what is wrong with it.
    """
    row = _BY_CODE.get(cla << 8 | ins)
    if row is not None:
        return row
    if cla not in _CLASSES or (ins in _INSTRUCTIONS and _FAMILY_OF[cla] is not ClassFamily.GSM):
        raise Refused(SW.CLA_NOT_SUPPORTED)
    raise Refused(SW.INS_NOT_SUPPORTED)
