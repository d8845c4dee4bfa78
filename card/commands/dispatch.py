"""One command from bytes to bytes, with the checks in the order the specification makes them.

Class, instruction, P1 and P2, length, then what the handler checks: security, file state, data (TS 102 221 clause
10.2; ISO 7816-4 leaves the order open, real cards keep to this one).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from card.codec.apdu import ClassFamily, CommandApdu, channel_of, class_family, wants_secure_messaging
from card.commands.context import Context
from card.commands.delivery import deliver
from card.commands.errors import status_for
from card.commands.generations import note_gsm_session, refuse_excluded_class
from card.commands.registry import CommandRow, Data
from card.commands.reply import Refused
from card.commands.secure_channel.scp03 import SECURE_MESSAGING, WRAPPED, is_wrapped
from card.commands.secure_channel.tek_guard import refuse_clear_tek
from card.commands.table import find_command
from card.errors import CardError, DecodeError
from card.spec.secrets import Secrecy, find_secrecy
from card.spec.status import SW
from card.state.session import BASIC_CHANNEL, Session

_SHORT = 24  # bytes: any SELECT and READ, no STKM
_MOST_REMEMBERED = 512


def execute(ctx: Context, raw: bytes, row: CommandRow) -> bytes:
    """Carry out one command and return its response APDU. Raises `Refused` for every refusal."""
    _enter_channel(ctx, raw[0] & ~SECURE_MESSAGING if row.secured else raw[0])
    try:
        apdu, request = _understand(ctx, raw, row)
        _end_unfinished_business(ctx, row)
        if not row.secured:
            refuse_clear_tek(ctx, apdu)
        reply = row.execute(ctx, request)
        note_gsm_session(ctx, apdu.cla, reply)
        return deliver(ctx, apdu, reply)
    except CardError as error:
        sw = status_for(error, row.errors)
        if sw is None:
            raise
        raise Refused(sw) from None


def find_row(ctx: Context, raw: bytes) -> CommandRow:
    """Return the command's row. Raises `Refused`: 6700 for fewer than four bytes, 6E00, 6D00.

    What came under secure messaging is unwrapped before anybody asks what it is.
    """
    if len(raw) < 4:
        raise Refused(SW.WRONG_LENGTH)
    if is_wrapped(ctx, raw[0], raw[1]):
        return WRAPPED
    refuse_excluded_class(ctx, raw[0])
    return find_command(raw[0], raw[1])


def abandon(before: Session, channel_number: int) -> Session:
    """Return the session after a refused command: as before, but with nothing half done on its channel."""
    channel = before.channels.get(channel_number)
    if channel is None or channel.unfinished is None:
        return before
    return replace(before, channels={**before.channels, channel_number: channel.leaving(None)})


def _channel_of(cla: int) -> int:
    if class_family(cla) is ClassFamily.GSM:
        return BASIC_CHANNEL
    return _SECURED if wants_secure_messaging(cla) else channel_of(cla)


_SECURED = -2
_CHANNEL_OF = tuple(_channel_of(cla) for cla in range(256))


def _enter_channel(ctx: Context, cla: int) -> None:
    number = _CHANNEL_OF[cla]
    if number not in ctx.session.channels:
        raise Refused(SW.SECURE_MESSAGING_NOT_SUPPORTED if number == _SECURED else SW.CHANNEL_NOT_SUPPORTED)
    ctx.channel_number = number


def _understand(ctx: Context, raw: bytes, row: CommandRow) -> tuple[CommandApdu, Any]:
    """Return the command and its request. What bytes mean never changes, so short commands are remembered.

    A terminal sends the same few hundred of them again and again. Commands that may hold a PIN or a key are not kept.
    """
    known = ctx.understood.get(raw)
    if known is not None:
        return known
    apdu = _decode(raw, row)
    understood = apdu, row.decode(apdu)
    if len(raw) <= _SHORT and _shows_data(raw):
        if len(ctx.understood) >= _MOST_REMEMBERED:
            ctx.understood.clear()
        ctx.understood[raw] = understood
    return understood


def _shows_data(raw: bytes) -> bool:
    secrecy = find_secrecy(raw[0], raw[1])
    return secrecy is not None and secrecy.command is Secrecy.OPEN


def _decode(raw: bytes, row: CommandRow) -> CommandApdu:
    if not row.parameters(raw[2], raw[3]):
        raise Refused(SW.WRONG_P1_P2)
    try:
        apdu = CommandApdu.decode(raw)
    except DecodeError:
        raise Refused(SW.WRONG_LENGTH) from None
    if (row.data is Data.REQUIRED and not apdu.data) or (row.data is Data.FORBIDDEN and apdu.data):
        raise Refused(SW.WRONG_LENGTH)
    return apdu


def _end_unfinished_business(ctx: Context, row: CommandRow) -> None:
    """Any command ends what an earlier one left half done on the channel, except the command that continues it."""
    unfinished = ctx.channel.unfinished
    if unfinished is not None and not isinstance(unfinished, row.keeps):
        ctx.leave(None)
