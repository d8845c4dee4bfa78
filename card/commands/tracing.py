"""Turns an exchange into a trace event without the bytes that must stay out of traces."""

from __future__ import annotations

from card.commands.registry import CommandRow, Hidden
from card.trace import ApduExchanged

_HEADER_SIZE = 4


def describe_exchange(raw: bytes, response: bytes, row: CommandRow | None) -> ApduExchanged:
    """Return the event for one command and its answer.

    An unknown command shows its header only: it may be a PIN with a mistyped instruction byte.
    """
    hidden = Hidden.COMMAND | Hidden.RESPONSE if row is None else row.hidden
    command, answer = raw[_HEADER_SIZE:], response[:-2]
    return ApduExchanged(
        name=row.name if row else "unknown command",
        header=raw[:_HEADER_SIZE],
        command_data=None if Hidden.COMMAND in hidden else command,
        command_length=len(command),
        response_data=None if Hidden.RESPONSE in hidden else answer,
        response_length=len(answer),
        sw=int.from_bytes(response[-2:], "big"),
    )
