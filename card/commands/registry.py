"""The shape of a command table row. Rows stand beside their handlers; `table.py` gathers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum
from typing import Any

from card.codec.apdu import ClassFamily, CommandApdu
from card.commands.context import Context
from card.commands.reply import Reply
from card.errors import CardError
from card.lean import lean_dataclass
from card.spec.ins import INS
from card.spec.refs import Ref
from card.state.session import IncomingObject, OutgoingObject

INTERINDUSTRY = (ClassFamily.INTERINDUSTRY,)
ETSI = (ClassFamily.ETSI,)


class Data(Enum):
    """Whether the command has a data field."""

    FORBIDDEN = "forbidden"
    OPTIONAL = "optional"
    REQUIRED = "required"


BLOCKS = (IncomingObject, OutgoingObject)
"""What a command in blocks continues."""


def any_parameters(_p1: int, _p2: int) -> bool:
    """Leave the check of P1 and P2 to the handler."""
    return True


def zero_parameters(p1: int, p2: int) -> bool:
    """Accept P1 = P2 = 00 only."""
    return p1 == 0 and p2 == 0


@lean_dataclass(frozen=True, slots=True)
class CommandRow:
    """One command: how it is recognised, decoded, carried out, and what its domain errors mean on the wire.

    What of it is secret is said in `card.spec.secrets`.
    """

    name: str
    ins: INS
    families: tuple[ClassFamily, ...]
    decode: Callable[[CommandApdu], Any]
    execute: Callable[[Context, Any], Reply]
    ref: Ref
    data: Data = Data.FORBIDDEN
    parameters: Callable[[int, int], bool] = any_parameters
    errors: Mapping[type[CardError], int] = field(default_factory=dict)
    keeps: tuple[type, ...] = ()
    secured: bool = False  # sees to secure messaging (class byte) by itself
