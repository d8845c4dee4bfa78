"""What both forms of AUTHENTICATE share: who may use it, and what the domain's refusals become on the wire.

The status words are those of TS 31.102 clauses 7.1.1 and 7.3; 6A80 is none of AUTHENTICATE's (table 7.3.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from card.commands.context import Context
from card.commands.reply import Refused
from card.domain.application import Application
from card.domain.bcast.bcast import Bcast
from card.domain.errors import (
    IdentifierTooLong,
    KeyNotFound,
    KeyNotFresh,
    MskInvalidated,
    MtkIdOutside,
    NafKeyOverwritten,
    NoBootstrap,
    NoImpi,
    NoRoomForMsk,
    NoRoomForMuk,
    ServiceNotAvailable,
)
from card.domain.keys.local_key import LocalKeyRefused
from card.errors import CardError
from card.lean import lean_dataclass
from card.spec.status import SW

T = TypeVar("T")

ERRORS: Mapping[type[CardError], int] = {
    ServiceNotAvailable: SW.CONTEXT_NOT_SUPPORTED,
    NoBootstrap: SW.CONDITIONS_NOT_SATISFIED,
    NoImpi: SW.CONDITIONS_NOT_SATISFIED,
    NafKeyOverwritten: SW.CONDITIONS_NOT_SATISFIED,
    KeyNotFound: SW.REFERENCED_DATA_NOT_FOUND,
    KeyNotFresh: SW.KEY_FRESHNESS_FAILURE,
    MskInvalidated: SW.CONDITIONS_NOT_SATISFIED,
    MtkIdOutside: SW.KEY_FRESHNESS_FAILURE,
    NoRoomForMsk: SW.NO_MEMORY_EF_MSK,
    NoRoomForMuk: SW.NO_MEMORY_EF_MUK,
    IdentifierTooLong: SW.WRONG_LENGTH,
    LocalKeyRefused: SW.CONDITIONS_NOT_SATISFIED,
}


@lean_dataclass(frozen=True, slots=True)
class Security:
    """The application whose keys are used, after access was granted, and the session it is used in."""

    application: Application
    ctx: Context

    @property
    def bcast(self) -> Bcast:
        """The BCAST side of the application. Raises `ServiceNotAvailable`."""
        if self.application.bcast is None:
            raise ServiceNotAvailable
        return self.application.bcast


def find_context(contexts: Mapping[int, T], p2: int) -> T:
    """Return the context named by P2. Raises `Refused` with 6A86."""
    context = contexts.get(p2)
    if context is None:
        raise Refused(SW.WRONG_P1_P2)
    return context


def current_security(ctx: Context, services: tuple[int, ...]) -> Security:
    """Grant the use of the current application's keys: its ADF or below current, PIN verified, services available.

    TS 31.102 clause 7.1.1: the current directory is the ADF of the application or below it, and its PIN was verified.
    Nothing of the command is looked at before, so that a refusal spends no SQN and takes in no block.
    """
    application = ctx.current_application()
    if application is None or ctx.directory.application != application.name:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    if not ctx.holds(ctx.application_pin):
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    application.services.require(*services)
    return Security(application, ctx)
