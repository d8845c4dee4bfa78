"""VERIFY, CHANGE, DISABLE, ENABLE and UNBLOCK PIN (TS 102 221 clauses 11.1.9 to 11.1.13)."""

from __future__ import annotations

from collections.abc import Callable

from card.codec.apdu import CommandApdu
from card.commands.context import Context
from card.commands.registry import INTERINDUSTRY, CommandRow, Data
from card.commands.reply import DONE, Refused, Reply
from card.crypto.secret import Secret
from card.domain.pin import (
    APPLICATION_PINS,
    PIN_LENGTH,
    UNIVERSAL_PIN,
    PinDisabled,
    PinNotFound,
    is_administrative,
)
from card.lean import lean_dataclass
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW, verification_failed


@lean_dataclass(frozen=True, slots=True)
class PinRequest:
    """A PIN command: key reference, first value (PIN or PUK) and second value (the new PIN); empty when absent.

    `replacement` is the reference of the PIN that shall stand in for one to be disabled, 0 for none.
    """

    reference: int
    first: Secret
    second: Secret
    replacement: int = 0


def _decoder(*lengths: int) -> Callable[[CommandApdu], PinRequest]:
    """Return a decoder that takes data of these lengths: 0, 8 or 16 bytes."""

    def decode(apdu: CommandApdu) -> PinRequest:
        if len(apdu.data) not in lengths:
            raise Refused(SW.WRONG_LENGTH)
        first, second = Secret(apdu.data[:PIN_LENGTH]), Secret(apdu.data[PIN_LENGTH:])
        return PinRequest(apdu.p2, first, second, apdu.p1 & _REFERENCE_BITS)

    return decode


_REFERENCE_BITS = 0x1F
_REPLACE = 0x80  # P1 of DISABLE PIN: the reference in the low bits stands in for the PIN


def _parameters(p1: int, p2: int) -> bool:
    return p1 == 0 and p2 != 0


def _disable_parameters(p1: int, p2: int) -> bool:
    return p2 != 0 and (p1 == 0 or (p1 & 0xE0 == _REPLACE and p1 & _REFERENCE_BITS != 0))


def verify(ctx: Context, request: PinRequest) -> Reply:
    """Compare a PIN; without data, return the tries left and change nothing."""
    name = ctx.pin_name(request.reference)
    if not len(request.first):
        return Reply(sw=_tries_left(ctx, name))
    ctx.pins.verify(name, request.first.reveal())
    ctx.mark_verified(name, verified=True)
    return DONE


def _tries_left(ctx: Context, name: str) -> int:
    pin = ctx.pins.find(name)
    if not pin.enabled:
        return SW.DATA_INVALIDATED
    return verification_failed(pin.tries_left) if pin.tries_left else SW.METHOD_BLOCKED


def change(ctx: Context, request: PinRequest) -> Reply:
    """Replace a PIN; the right old value also verifies it."""
    name = _user_pin(ctx, request.reference)
    ctx.pins.change(name, request.first.reveal(), request.second.reveal())
    ctx.mark_verified(name, verified=True)
    return DONE


def disable(ctx: Context, request: PinRequest) -> Reply:
    """Switch a PIN off: what it protects is then open, or protected by the PIN that stands in for it.

    Only the universal PIN stands in, for an application's PIN (TS 31.101 clause 9.6), and only while it is enabled.
    """
    name = _user_pin(ctx, request.reference)
    if request.replacement:
        if request.replacement != UNIVERSAL_PIN or request.reference not in APPLICATION_PINS:
            raise PinNotFound
        if not ctx.pins.find(_user_pin(ctx, UNIVERSAL_PIN)).enabled:
            raise PinDisabled
    ctx.pins.set_enabled(name, request.first.reveal(), enabled=False, replaced_by=request.replacement)
    ctx.mark_verified(name, verified=True)
    return DONE


def enable(ctx: Context, request: PinRequest) -> Reply:
    """Switch a PIN on again; the right value also verifies it."""
    name = _user_pin(ctx, request.reference)
    ctx.pins.set_enabled(name, request.first.reveal(), enabled=True)
    ctx.mark_verified(name, verified=True)
    return DONE


def unblock(ctx: Context, request: PinRequest) -> Reply:
    """Set a new PIN with the PUK; without data, return the PUK tries left and change nothing."""
    name = _user_pin(ctx, request.reference)
    if not len(request.first):
        left = ctx.pins.find(name).puk_tries_left
        return Reply(sw=verification_failed(left) if left else SW.METHOD_BLOCKED)
    ctx.pins.unblock(name, request.first.reveal(), request.second.reveal())
    ctx.mark_verified(name, verified=True)
    return DONE


def _user_pin(ctx: Context, reference: int) -> str:
    """Return the name of a PIN that its user may manage; administrative keys are none."""
    if is_administrative(reference):
        raise PinNotFound
    return ctx.pin_name(reference)


_Execute = Callable[[Context, PinRequest], Reply]


def _row(
    name: str,
    ins: INS,
    clause: str,
    lengths: tuple[int, ...],
    execute: _Execute,
    parameters: Callable[[int, int], bool] = _parameters,
) -> CommandRow:
    return CommandRow(
        name=name,
        ins=ins,
        families=INTERINDUSTRY,
        decode=_decoder(*lengths),
        execute=execute,
        ref=Ref("TS 102 221", clause),
        data=Data.OPTIONAL if 0 in lengths else Data.REQUIRED,
        parameters=parameters,
    )


ROWS: tuple[CommandRow, ...] = (
    _row("VERIFY PIN", INS.VERIFY_PIN, "11.1.9", (0, 8), verify),
    _row("CHANGE PIN", INS.CHANGE_PIN, "11.1.10", (16,), change),
    _row("DISABLE PIN", INS.DISABLE_PIN, "11.1.11", (8,), disable, _disable_parameters),
    _row("ENABLE PIN", INS.ENABLE_PIN, "11.1.12", (8,), enable),
    _row("UNBLOCK PIN", INS.UNBLOCK_PIN, "11.1.13", (0, 16), unblock),
)
