"""What a trace shows of an exchange: everything except PINs and keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from card.codec.apdu import CommandApdu
from card.spec.ins import INS
from card.spec.status import describe
from host_tools.apdu.response import Response

_PUT_KEY, _STORE_DATA = 0xD8, 0xE2
SECRET_COMMANDS: frozenset[int] = frozenset({
    INS.VERIFY_PIN, INS.CHANGE_PIN, INS.DISABLE_PIN, INS.ENABLE_PIN, INS.UNBLOCK_PIN, _PUT_KEY, _STORE_DATA,
})  # fmt: skip
"""The data of these commands is, or may hold, a PIN, a PUK or a key."""
# The response to these is, or may hold, a key.
_SECRET_RESPONSES: frozenset[int] = frozenset({INS.AUTHENTICATE, INS.AUTHENTICATE_ODD, INS.BCMCS})


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its response as a trace may show them. A field is None where it is secret.

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
    def of(cls, command: CommandApdu, response: Response, seconds: float, answered_ins: int) -> Exchange:
        """Make the event; `answered_ins` is the instruction that the response belongs to."""
        return cls(
            header=bytes((command.cla, command.ins, command.p1, command.p2)),
            data=None if command.ins in SECRET_COMMANDS and command.data else command.data,
            data_size=len(command.data),
            response=None if answered_ins in _SECRET_RESPONSES and response.data else response.data,
            response_size=len(response.data),
            sw=response.sw,
            seconds=seconds,
        )

    def __str__(self) -> str:
        name = INS(self.header[1]).name if self.header[1] in INS.__members__.values() else "?"
        sent = _shown(self.data, self.data_size)
        received = _shown(self.response, self.response_size)
        fields = (f"{name:<17}", self.header.hex(" ").upper(), sent, "->", received, describe(self.sw))
        return " ".join(field for field in fields if field) + f"  {self.seconds * 1000:.2f} ms"


ExchangeSink = Callable[[Exchange], None]
"""Takes one trace event. Must not raise and must return quickly."""


def _shown(data: bytes | None, size: int) -> str:
    return f"[{size} bytes hidden]" if data is None else data.hex().upper()
