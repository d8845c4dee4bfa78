"""What a client's trace shows of an exchange: what `card.codec.redaction` leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from card.codec.apdu import CommandApdu
from card.codec.redaction import Redaction
from card.spec.secrets import find_secrecy
from card.spec.status import describe
from host_tools.apdu.response import Response


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its response as a trace may show them. A field is None where part of it is secret.

    Sizes are in bytes, `seconds` is the time from sending to receiving.
    """

    header: bytes
    data: bytes | None
    data_size: int
    response: bytes | None
    response_size: int
    sw: int
    seconds: float

    @classmethod
    def of(cls, command: CommandApdu, response: Response, seconds: float, redacted: Redaction) -> Exchange:
        """Make the event; `redacted` says what of the two is secret."""
        return cls(
            header=bytes((command.cla, command.ins, command.p1, command.p2)),
            data=None if redacted.command else command.data,
            data_size=len(command.data),
            response=None if redacted.response else response.data,
            response_size=len(response.data),
            sw=response.sw,
            seconds=seconds,
        )

    def __str__(self) -> str:
        row = find_secrecy(self.header[0], self.header[1])
        name = row.name if row else "?"
        sent = _shown(self.data, self.data_size)
        received = _shown(self.response, self.response_size)
        fields = (f"{name:<17}", self.header.hex(" ").upper(), sent, "->", received, describe(self.sw))
        return " ".join(field for field in fields if field) + f"  {self.seconds * 1000:.2f} ms"


ExchangeSink = Callable[[Exchange], None]
"""Takes one trace event. Must not raise and must return quickly."""


def _shown(data: bytes | None, size: int) -> str:
    return f"[{size} bytes hidden]" if data is None else data.hex().upper()
