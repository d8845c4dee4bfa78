"""GET CHALLENGE (TS 102 221 clause 11.1.18)."""

from __future__ import annotations

from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.commands.context import Context
from card.commands.registry import INTERINDUSTRY, CommandRow, zero_parameters
from card.commands.reply import Refused, Reply
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW


def decode(apdu: CommandApdu) -> int:
    """Return how many bytes are wanted."""
    if apdu.le is None or apdu.le > MAX_SHORT_LE:
        raise Refused(SW.WRONG_LENGTH)
    return apdu.le


def get_challenge(ctx: Context, count: int) -> Reply:
    """Return random bytes, up to 256."""
    return Reply(ctx.rng.random_bytes(count))


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="GET CHALLENGE",
        ins=INS.GET_CHALLENGE,
        families=INTERINDUSTRY,
        decode=decode,
        execute=get_challenge,
        ref=Ref("TS 102 221", "11.1.18"),
        parameters=zero_parameters,
    ),
)
