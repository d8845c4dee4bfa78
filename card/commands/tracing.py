"""Turns an exchange into a trace event without the bytes that must stay out of traces."""

from __future__ import annotations

from card.codec.apdu import CommandApdu
from card.codec.redaction import Redactor
from card.codec.redaction.spans import HEADER_SIZE
from card.commands.registry import CommandRow
from card.commands.secure_channel.scp03 import WRAPPED
from card.errors import DecodeError
from card.trace import ApduExchanged


class ExchangeDescriber:
    """Describes one exchange after the other: only so it is known what is selected, and what GET RESPONSE fetches."""

    def __init__(self) -> None:
        self._redactor = Redactor(sees_inside=True)

    def reset(self) -> None:
        """Forget what was selected and asked."""
        self._redactor.reset()

    def describe(self, raw: bytes, response: bytes, row: CommandRow | None, *, inside: bool = False) -> ApduExchanged:
        """Return the event for one command and its answer.

        `inside` says that it came in a protected channel; then the command that carried it is described after it. Of
        data that are secret in part nothing is shown.
        """
        redacted = self._redactor.exchange(raw, response, inside=inside, carrier=row is WRAPPED)
        command, answer = _data_of(raw), response[:-2]
        return ApduExchanged(
            name=row.name if row else "unknown command",
            header=raw[:HEADER_SIZE],
            command_data=None if redacted.command else command,
            command_length=len(command),
            response_data=None if redacted.response else answer,
            response_length=len(answer),
            sw=int.from_bytes(response[-2:], "big"),
        )


def _data_of(raw: bytes) -> bytes:
    """Return the data field of a command, or all that follows the header where its lengths contradict each other."""
    try:
        return CommandApdu.decode(raw).data
    except DecodeError:
        return raw[HEADER_SIZE:]
