"""How the card says in a status word that a proactive command waits (TS 102 221 clause 7.4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from card.commands.context import Context
from card.spec.status import SW

_PENDING = 0x9100
_WITH_PENDING: Mapping[int, int] = {
    SW.MORE_RESPONSE: SW.MORE_RESPONSE_PROACTIVE,
    SW.MORE_COMMAND: SW.MORE_COMMAND_PROACTIVE,
}


def with_proactive(ctx: Context, sw: int) -> int:
    """Return the status word as it reads with a proactive command pending: 91XX for 9000, 62F2, 63F2."""
    state = ctx.notes.cat
    if state is None:
        return sw
    fresh = ctx.cat.tick(state, ctx.clock.monotonic())
    if fresh is not state:
        ctx.notes = replace(ctx.notes, cat=fresh)
    if not fresh.announced:
        return sw
    return _PENDING | len(fresh.announced) & 0xFF if sw == SW.OK else _WITH_PENDING.get(sw, sw)
