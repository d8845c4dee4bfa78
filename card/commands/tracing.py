"""Turns an exchange into a trace event without the bytes that must stay out of traces."""

from __future__ import annotations

from card.codec.apdu import CommandApdu
from card.commands.registry import CommandRow, Hidden
from card.errors import DecodeError
from card.spec.ins import INS
from card.state.session import Channel, PendingResponse
from card.trace import ApduExchanged

_HEADER_SIZE = 4


class ExchangeDescriber:
    """Describes one exchange after the other, and so knows which command's answer a GET RESPONSE fetches.

    What is fetched may be shown where the answer to the command that left it may be.
    """

    def __init__(self) -> None:
        self._left: dict[int, tuple[PendingResponse, bool]] = {}  # by channel: what waits there, and may it be shown

    def describe(
        self, raw: bytes, response: bytes, row: CommandRow | None, number: int, channel: Channel | None
    ) -> ApduExchanged:
        """Return the event for one command and its answer; `channel` is the command's, as the command left it.

        An unknown command shows its header only: it may be a PIN with a mistyped instruction byte.
        """
        hidden = Hidden.COMMAND | Hidden.RESPONSE if row is None else row.hidden
        if self._shows_answer(row, hidden, number, channel):
            hidden &= ~Hidden.RESPONSE
        command, answer = _data_of(raw), response[:-2]
        return ApduExchanged(
            name=row.name if row else "unknown command",
            header=raw[:_HEADER_SIZE],
            command_data=None if Hidden.COMMAND in hidden else command,
            command_length=len(command),
            response_data=None if Hidden.RESPONSE in hidden else answer,
            response_length=len(answer),
            sw=int.from_bytes(response[-2:], "big"),
        )

    def _shows_answer(self, row: CommandRow | None, hidden: Hidden, number: int, channel: Channel | None) -> bool:
        """Tell whether the answer may be shown, and remember the same of what now waits on the channel."""
        left = self._left.pop(number, None)
        if row is not None and row.ins is INS.GET_RESPONSE:
            shown = left is not None and left[1]
        else:
            shown = Hidden.RESPONSE not in hidden
        waiting = channel.unfinished if channel is not None else None
        if isinstance(waiting, PendingResponse):
            # A command inside a secure channel is described before the one that carried it, and decides.
            self._left[number] = left if left is not None and left[0] is waiting else (waiting, shown)
        return shown


def _data_of(raw: bytes) -> bytes:
    """Return the data field of a command, or all that follows the header where its lengths contradict each other."""
    try:
        return CommandApdu.decode(raw).data
    except DecodeError:
        return raw[_HEADER_SIZE:]
