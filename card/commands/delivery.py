"""How a reply reaches the terminal: at once, or by 61XX and GET RESPONSE (TS 102 221 clauses 7.3.1, 7.4 and 12.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from card.codec.apdu import MAX_SHORT_LE, ClassFamily, CommandApdu
from card.commands.context import Context
from card.commands.registry import CommandRow, Data, zero_parameters
from card.commands.reply import Refused, Reply
from card.spec.cla import SIM_CLASS
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW, response_available, wrong_le
from card.state.session import IncomingObject, OutgoingObject, PendingResponse

_SIM_AVAILABLE = 0x9F00
_WARNINGS = (0x62, 0x63)
_PENDING = 0x9100
_WITH_PENDING: Mapping[int, int] = {
    SW.MORE_RESPONSE: SW.MORE_RESPONSE_PROACTIVE,
    SW.MORE_COMMAND: SW.MORE_COMMAND_PROACTIVE,
}


def deliver(ctx: Context, apdu: CommandApdu, reply: Reply) -> bytes:
    """Return the response APDU and keep what did not fit for GET RESPONSE.

    Without Le a case 3 command is taken as the T=0 form of case 4: its data wait behind 61XX, or behind the warning
    that the command ends with (62XX, 63XX), which then is told at once. A case 1 command (no data, no Le) asks for
    nothing and gets nothing.
    """
    data = reply.data
    if not data or (apdu.le is None and not apdu.data):
        return _status(ctx, reply)
    if apdu.le is None and reply.sw >> 8 in _WARNINGS:
        ctx.leave(PendingResponse(data, SW.OK))
        return _status(ctx, reply)
    if apdu.le is None:
        return _hold(ctx, apdu, data, reply.sw)
    if len(data) <= apdu.le:
        return data + _status(ctx, reply)
    if not apdu.data:
        # Case 2: the card knows the right length and asks for it.
        return wrong_le(min(len(data), MAX_SHORT_LE)).to_bytes(2, "big")
    return data[: apdu.le] + _hold(ctx, apdu, data[apdu.le :], reply.sw)


def _status(ctx: Context, reply: Reply) -> bytes:
    return (reply.sw if reply.silent else with_proactive(ctx, reply.sw)).to_bytes(2, "big")


def _hold(ctx: Context, apdu: CommandApdu, data: bytes, sw: int) -> bytes:
    ctx.leave(PendingResponse(data, sw))
    return _available(apdu, len(data)).to_bytes(2, "big")


def _available(apdu: CommandApdu, length: int) -> int:
    """Return 61XX, or 9FXX in the class of a SIM (TS 51.011 clause 9.4.1)."""
    return _SIM_AVAILABLE | length & 0xFF if apdu.cla == SIM_CLASS else response_available(length)


def decode_get_response(apdu: CommandApdu) -> CommandApdu:
    """Return the command, whose Le says how many bytes are wanted."""
    if apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    return apdu


def get_response(ctx: Context, apdu: CommandApdu) -> Reply:
    """Hand out pending data; what is left after Le bytes stays pending behind another 61XX.

    With nothing pending the answer is 6F00: the command has no other word for it (TS 102 221 clause 12.1.1).
    """
    wanted = apdu.le or MAX_SHORT_LE
    pending = ctx.channel.unfinished
    if not isinstance(pending, PendingResponse):
        raise Refused(SW.INTERNAL_ERROR)
    if wanted > len(pending.data) and wanted != MAX_SHORT_LE:
        return Reply(sw=wrong_le(len(pending.data)))
    rest = pending.data[wanted:]
    ctx.leave(PendingResponse(rest, pending.sw) if rest else None)
    return Reply(pending.data[:wanted], _available(apdu, len(rest)) if rest else pending.sw)


def with_proactive(ctx: Context, sw: int) -> int:
    """Return the status word as it reads with a proactive command pending (TS 102 221 clause 7.4.2).

    It is 91XX for 9000, and 62F2 or 63F2 where blocks are under way.
    """
    state = ctx.notes.cat
    if state is None:
        return sw
    fresh = ctx.cat.tick(state, ctx.clock.monotonic())
    if fresh is not state:
        ctx.notes = replace(ctx.notes, cat=fresh)
    if not fresh.announced:
        return sw
    return _PENDING | len(fresh.announced) & 0xFF if sw == SW.OK else _WITH_PENDING.get(sw, sw)


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="GET RESPONSE",
        ins=INS.GET_RESPONSE,
        # Some clients fetch in the class of the command they fetch for, so 8X is taken beside 0X.
        families=(ClassFamily.INTERINDUSTRY, ClassFamily.ETSI, ClassFamily.GSM),
        decode=decode_get_response,
        execute=get_response,
        ref=Ref("TS 102 221", "12.1.1"),
        data=Data.FORBIDDEN,
        parameters=zero_parameters,
        keeps=(PendingResponse, IncomingObject, OutgoingObject),
    ),
)
