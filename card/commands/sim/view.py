"""What the commands of class A0 share: the SIM view of the card (TS 51.011).

Older terminals and tools know only the SIM. They see DF_GSM and DF_TELECOM, whose files are views of the USIM's, and
the USIM's PINs as CHV1 and CHV2. The view is there as long as the USIM offers GSM access (service 27).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from card.codec.apdu import ClassFamily, CommandApdu
from card.commands.application_session import end_session
from card.commands.context import Context
from card.commands.registry import CommandRow, Data, any_parameters
from card.commands.reply import Refused, Reply
from card.domain.application import Application
from card.domain.pin import PinBlocked, PinDisabled, PinNotFound, PinWrong
from card.domain.services import GSM_ACCESS
from card.errors import CardError, DecodeError
from card.filesystem.errors import (
    AccessDenied,
    FileDeactivated,
    FileNotFound,
    LengthMismatch,
    MaximumReached,
    NoFileSelected,
    OutsideFile,
    RecordNotFound,
    WrongStructure,
)
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW, SimSW

CHV1, CHV2 = 0x01, 0x81


ERRORS: Mapping[type[CardError], int] = {
    AccessDenied: SimSW.ACCESS_NOT_FULFILLED,
    DecodeError: SW.WRONG_LENGTH,
    FileDeactivated: SimSW.CONTRADICTS_INVALIDATION,
    FileNotFound: SimSW.NOT_FOUND,
    LengthMismatch: SW.WRONG_LENGTH,
    MaximumReached: SW.MAX_VALUE_REACHED,
    NoFileSelected: SimSW.NO_EF_SELECTED,
    OutsideFile: SimSW.OUT_OF_RANGE,
    PinBlocked: SimSW.CHV_BLOCKED,
    PinDisabled: SimSW.CONTRADICTS_CHV_STATUS,
    PinNotFound: SimSW.NO_CHV,
    PinWrong: SimSW.ACCESS_NOT_FULFILLED,
    RecordNotFound: SimSW.OUT_OF_RANGE,
    WrongStructure: SimSW.INCONSISTENT_FILE,
}


def sim_application(ctx: Context) -> Application | None:
    """Return the application that the SIM view belongs to, None when no application offers GSM access."""
    return next((each for each in ctx.applications.values() if each.services.offers(GSM_ACCESS)), None)


def require_sim(ctx: Context) -> Application:
    """Return that application, made current so that CHV2 means its second PIN. Raises `Refused` when there is none."""
    application = sim_application(ctx)
    if application is None:
        raise Refused(SW.CLA_NOT_SUPPORTED)
    if ctx.channel.application != application.name:
        end_session(ctx, ctx.channel_number)
        ctx.change_channel(application=application.name)
    return application


def exactly(length: int) -> Callable[[CommandApdu], None]:
    """Return a check that the data field has so many bytes."""

    def check(apdu: CommandApdu) -> None:
        if len(apdu.data) != length:
            raise Refused(SW.WRONG_LENGTH)

    return check


def sim_row(
    name: str,
    ins: INS,
    clause: str,
    decode: Callable[[CommandApdu], Any],
    execute: Callable[[Context, Any], Reply],
    *,
    data: Data = Data.FORBIDDEN,
    parameters: Callable[[int, int], bool] = any_parameters,
) -> CommandRow:
    """Return the row of a SIM command; before it runs, the SIM view is checked and entered."""

    def enter(ctx: Context, request: Any) -> Reply:
        require_sim(ctx)
        return execute(ctx, request)

    return CommandRow(
        name=f"SIM {name}",
        ins=ins,
        families=(ClassFamily.GSM,),
        decode=decode,
        execute=enter,
        ref=Ref("TS 51.011", clause),
        data=data,
        parameters=parameters,
        errors=ERRORS,
    )
