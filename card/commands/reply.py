"""What a command hands back, and the exception with which it refuses by status word."""

from __future__ import annotations

from dataclasses import dataclass

from card.spec.status import SW


@dataclass(frozen=True, slots=True)
class Reply:
    """Response data and status word, before the transport rules (61XX, 6CXX) are applied."""

    data: bytes = b""
    sw: int = SW.OK


DONE = Reply()


class Refused(Exception):
    """Raised by a command to end with a status word and without effect."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw
