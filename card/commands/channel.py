"""MANAGE CHANNEL (TS 102 221 clause 11.1.17).

What belongs to a channel is its selection and its half-done business. A verified PIN counts on every channel (clause
11.1.9.1.1); what the PIN of a local reference is follows the channel's own application.
"""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from card.codec.apdu import CommandApdu
from card.commands.application_session import end_session
from card.commands.context import Context
from card.commands.registry import INTERINDUSTRY, CommandRow
from card.commands.reply import DONE, Refused, Reply
from card.commands.terminal_capability import supports_extended_channels
from card.filesystem.node import MF_PATH
from card.lean import lean_dataclass
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW
from card.state.session import BASIC_CHANNEL, Channel

HIGHEST_BASIC_CODING = 3  # the class byte of the first coding can name channels 0 to 3
HIGHEST_CHANNEL = 19


class Action(IntEnum):
    """P1 of MANAGE CHANNEL."""

    OPEN = 0x00
    CLOSE = 0x80


@lean_dataclass(frozen=True, slots=True)
class ManageChannel:
    """Open a channel (`number` 0: the card chooses) or close one."""

    action: Action
    number: int


def _parameters(p1: int, p2: int) -> bool:
    if p1 == Action.CLOSE:
        return BASIC_CHANNEL < p2 <= HIGHEST_CHANNEL
    return p1 == Action.OPEN and p2 <= HIGHEST_CHANNEL


def decode(apdu: CommandApdu) -> ManageChannel:
    """Read action and channel. A card that is to choose the number must be able to tell it."""
    request = ManageChannel(Action(apdu.p1), apdu.p2)
    if request.action is Action.OPEN and not request.number and apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    return request


def manage_channel(ctx: Context, request: ManageChannel) -> Reply:
    """Open or close a logical channel."""
    return _close(ctx, request.number) if request.action is Action.CLOSE else _open(ctx, request.number)


def _open(ctx: Context, wanted: int) -> Reply:
    """Open a channel and return its number if the card chose it.

    From the basic channel it begins at the MF, from any other one where that channel is.
    """
    number = wanted or _first_free(ctx)
    if number in ctx.session.channels:
        raise Refused(SW.CHANNEL_NOT_SUPPORTED)
    fresh = Channel(directory=MF_PATH)
    if ctx.channel_number != BASIC_CHANNEL:
        fresh = Channel(directory=ctx.channel.directory, application=ctx.channel.application)
    ctx.session = replace(ctx.session, channels={**ctx.session.channels, number: fresh})
    return DONE if wanted else Reply(bytes((number,)))


def _first_free(ctx: Context) -> int:
    """Return the lowest free number; beyond 3 only for a terminal that said it can name such a channel."""
    highest = HIGHEST_CHANNEL if supports_extended_channels(ctx) else HIGHEST_BASIC_CODING
    for number in range(1, highest + 1):
        if number not in ctx.session.channels:
            return number
    raise Refused(SW.FUNCTION_NOT_SUPPORTED)


def _close(ctx: Context, number: int) -> Reply:
    """Close a channel, which may be the one the command came on."""
    if number not in ctx.session.channels:
        raise Refused(SW.CHANNEL_NOT_SUPPORTED)
    end_session(ctx, number)
    channels = {key: channel for key, channel in ctx.session.channels.items() if key != number}
    ctx.session = replace(ctx.session, channels=channels)
    return DONE


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="MANAGE CHANNEL",
        ins=INS.MANAGE_CHANNEL,
        families=INTERINDUSTRY,
        decode=decode,
        execute=manage_channel,
        ref=Ref("TS 102 221", "11.1.17"),
        parameters=_parameters,
    ),
)
