"""Runs a command that came out of a protected channel: by the ordinary way, on the ordinary state.

Only half-done business is kept apart by how it came: a response object that a protected command left waiting must not
be fetched in clear, and no clear command may finish what a protected one began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from card.codec.apdu import channel_of
from card.commands.context import Context
from card.domain.secure_channel.protection import Protection
from card.state.session import Unfinished

Begun = Mapping[int, Unfinished]
"""What was begun inside a protected channel and is not done, by logical channel."""


def answer_inside(ctx: Context, raw: bytes, protection: Protection, begun: Begun) -> tuple[bytes, Begun]:
    """Answer one command APDU; return its response (2 bytes or more) and what is half done inside after it."""
    number = channel_of(raw[0]) if raw else 0
    outside = _exchange(ctx, number, begun.get(number))
    response = ctx.interpret(raw, protection)
    left = _exchange(ctx, number, outside)
    others = {channel: begun[channel] for channel in begun.keys() & ctx.session.channels.keys() - {number}}
    return response, others if left is None else {**others, number: left}


def _exchange(ctx: Context, number: int, business: Unfinished | None) -> Unfinished | None:
    """Give a logical channel other half-done business; return what it had."""
    channel = ctx.session.channels.get(number)
    if channel is None:
        return None
    had = channel.unfinished
    if had is not business:
        channels = {**ctx.session.channels, number: channel.leaving(business)}
        ctx.session = replace(ctx.session, channels=channels)
    return had
