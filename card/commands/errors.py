"""The one place where domain errors become status words: a default table, refined by the command's own row."""

from __future__ import annotations

from collections.abc import Mapping

from card.domain.pin import PinBlocked, PinDisabled, PinNotFound, PinWrong
from card.errors import CardError, DecodeError, MacMismatch, StoreError
from card.filesystem.errors import (
    AccessDenied,
    ComposedFile,
    FileDeactivated,
    FileNotFound,
    LengthMismatch,
    MaximumReached,
    NoFileSelected,
    NoRoom,
    OutsideFile,
    RecordNotFound,
    WrongStructure,
)
from card.spec.status import SW, verification_failed

DEFAULTS: Mapping[type[CardError], int] = {
    DecodeError: SW.WRONG_DATA,
    MacMismatch: SW.INCORRECT_MAC,
    StoreError: SW.MEMORY_PROBLEM,
    AccessDenied: SW.SECURITY_NOT_SATISFIED,
    ComposedFile: SW.CONDITIONS_NOT_SATISFIED,
    FileDeactivated: SW.DATA_INVALIDATED,
    FileNotFound: SW.FILE_NOT_FOUND,
    LengthMismatch: SW.WRONG_LENGTH,
    MaximumReached: SW.MAX_VALUE_REACHED,
    NoFileSelected: SW.NO_EF_SELECTED,
    NoRoom: SW.NOT_ENOUGH_MEMORY,
    OutsideFile: SW.WRONG_PARAMETERS,
    RecordNotFound: SW.RECORD_NOT_FOUND,
    WrongStructure: SW.COMMAND_INCOMPATIBLE,
    PinBlocked: SW.METHOD_BLOCKED,
    PinDisabled: SW.DATA_INVALIDATED,
    PinNotFound: SW.REFERENCED_DATA_NOT_FOUND,
}


def status_for(error: CardError, refinements: Mapping[type[CardError], int]) -> int | None:
    """Return the status word of an error, looking at its class and bases; None when no row names it."""
    if isinstance(error, PinWrong) and PinWrong not in refinements:
        return verification_failed(error.tries_left)
    for kind in type(error).__mro__:
        if kind in refinements:
            return refinements[kind]
        if kind in DEFAULTS:
            return DEFAULTS[kind]
    return None
