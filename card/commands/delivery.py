"""How a reply reaches the terminal: at once, or by 61XX and GET RESPONSE (TS 102 221 clauses 7.3.1 and 7.4)."""

from __future__ import annotations

from card.codec.apdu import MAX_SHORT_LE, ClassFamily, CommandApdu
from card.commands.context import Context
from card.commands.registry import CommandRow, Data, Hidden, Keeps, zero_parameters
from card.commands.reply import DONE, Refused, Reply
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW, response_available, wrong_le


def deliver(ctx: Context, apdu: CommandApdu, reply: Reply) -> bytes:
    """Return the response APDU and keep what did not fit for GET RESPONSE.

    Without Le a case 3 command is taken as the T=0 form of case 4: its data wait behind 61XX. A case 1 command
    (no data, no Le) asks for nothing and gets nothing.
    """
    data = reply.data
    if not data:
        return reply.sw.to_bytes(2, "big")
    if apdu.le is None:
        if not apdu.data:
            return reply.sw.to_bytes(2, "big")
        return _hold(ctx, data, reply.sw)
    if len(data) <= apdu.le:
        return data + reply.sw.to_bytes(2, "big")
    if not apdu.data:
        # Case 2: the card knows the right length and asks for it.
        return wrong_le(min(len(data), MAX_SHORT_LE)).to_bytes(2, "big")
    return data[: apdu.le] + _hold(ctx, data[apdu.le :], reply.sw)


def _hold(ctx: Context, data: bytes, sw: int) -> bytes:
    ctx.change_channel(pending=data, pending_status=sw)
    return response_available(len(data)).to_bytes(2, "big")


def decode_get_response(apdu: CommandApdu) -> int:
    """Return the number of bytes wanted."""
    if apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    return apdu.le


def get_response(ctx: Context, wanted: int) -> Reply:
    """Hand out pending data; what is left after `wanted` bytes stays pending behind another 61XX."""
    channel = ctx.channel
    pending = channel.pending
    if not pending:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    if wanted > len(pending) and wanted != MAX_SHORT_LE:
        return Reply(sw=wrong_le(len(pending)))
    rest = pending[wanted:]
    ctx.change_channel(pending=rest, pending_status=channel.pending_status if rest else DONE.sw)
    return Reply(pending[:wanted], response_available(len(rest)) if rest else channel.pending_status)


ROWS = (
    CommandRow(
        name="GET RESPONSE",
        ins=INS.GET_RESPONSE,
        families=(ClassFamily.INTERINDUSTRY, ClassFamily.GSM),
        decode=decode_get_response,
        execute=get_response,
        ref=Ref("TS 102 221", "11.1.18"),
        data=Data.FORBIDDEN,
        parameters=zero_parameters,
        keeps=Keeps.PENDING | Keeps.BLOCKS,
        # What is fetched may be the answer to any command, an authentication among them.
        hidden=Hidden.RESPONSE,
    ),
)
