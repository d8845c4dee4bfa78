"""The command table: every row of every family, looked up by class family and instruction byte."""

from __future__ import annotations

from collections.abc import Mapping

from card.codec.apdu import ClassFamily, class_family
from card.commands import auth_mbms, authenticate, binary, delivery, pin, record, select
from card.commands.registry import CommandRow
from card.commands.reply import Refused
from card.spec.status import SW

ALL_ROWS: tuple[CommandRow, ...] = (
    *select.ROWS,
    *binary.ROWS,
    *record.ROWS,
    *pin.ROWS,
    *delivery.ROWS,
    *authenticate.ROWS,
    *auth_mbms.ROWS,
)

_BY_CODE: Mapping[tuple[ClassFamily, int], CommandRow] = {
    (family, row.ins): row for row in ALL_ROWS for family in row.families
}
_FAMILIES = {family for row in ALL_ROWS for family in row.families}
_FAMILY_OF = tuple(class_family(cla) for cla in range(256))


def find_command(cla: int, ins: int) -> CommandRow:
    """Return the row of a command. Raises `Refused`: 6E00 for a class no command uses, then 6D00.

    An instruction that exists in the other class family is answered 6E00, as the class is what is wrong with it.
    """
    family = _FAMILY_OF[cla]
    row = _BY_CODE.get((family, ins))
    if row is not None:
        return row
    if family is ClassFamily.RFU or family not in _FAMILIES or any((other, ins) in _BY_CODE for other in _FAMILIES):
        raise Refused(SW.CLA_NOT_SUPPORTED)
    raise Refused(SW.INS_NOT_SUPPORTED)
