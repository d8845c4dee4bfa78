"""What a command hands back, and the exception with which it refuses by status word."""

from __future__ import annotations

from dataclasses import field

from card.lean import lean_dataclass
from card.spec.status import SW


@lean_dataclass(frozen=True, slots=True)
class Reply:
    """Response data and status word, before the transport rules (61XX, 6CXX) are applied.

    The data may be a key, so they stay out of the repr. `silent` keeps a waiting proactive command out of the status
    word: that of a protected transfer says how the transfer stands, and that of a wrapped answer is under its MAC.
    """

    data: bytes = field(default=b"", repr=False)
    sw: int = SW.OK
    silent: bool = False


DONE = Reply()


class Refused(Exception):
    """Raised by a command to end with a status word and without effect."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw
