"""A response APDU, and the error for a status word that the caller cannot use."""

from __future__ import annotations

from dataclasses import dataclass, field

from card.spec.status import describe, is_normal
from host_tools.links.base import LinkError


class GarbledResponse(LinkError):
    """The card answered bytes that are no response APDU."""


@dataclass(frozen=True, slots=True)
class Response:
    """Response data (0 to 65,536 bytes) and the status word. Data may hold keys, so the repr has none."""

    data: bytes = field(repr=False)
    sw: int

    @classmethod
    def decode(cls, raw: bytes) -> Response:
        """Split what a link returned. Raises `GarbledResponse` when there is no status word."""
        if len(raw) < 2:
            raise GarbledResponse(f"The card answered {len(raw)} bytes; a response has at least 2.")
        return cls(raw[:-2], raw[-2] << 8 | raw[-1])

    @property
    def ok(self) -> bool:
        """True when the command has done its work."""
        return is_normal(self.sw)


class StatusError(Exception):
    """The card refused a command.

    `sw` is the status word, `what` says what was tried; the message adds the meaning of the status word.
    """

    def __init__(self, sw: int, what: str) -> None:
        super().__init__(f"{what}: {describe(sw)}")
        self.sw = sw
        self.what = what
