"""What ends a session, as one sentence and a kind of trouble. Whoever asked for the session maps the kind."""

from __future__ import annotations

from enum import Enum, auto


class Trouble(Enum):
    """Where the trouble is."""

    DIFFERENT = auto()
    """Everything was done, and a result is not what it should be."""
    MISUSE = auto()
    """What was asked for does not go together."""
    ENVIRONMENT = auto()
    """The machine, a reader or a file system does not do its part."""
    CARD = auto()
    """The card refused."""
    INPUT = auto()
    """A file or a value that was given is wrong."""
    LOCKED = auto()
    """Another process uses the same card file or the same state."""


class SessionError(Exception):
    """An error the one who asked can act on: one clear sentence, and the kind of trouble."""

    def __init__(self, message: str, trouble: Trouble = Trouble.ENVIRONMENT) -> None:
        """Take the sentence, which names no key, and the kind."""
        super().__init__(message)
        self.message = message
        self.trouble = trouble
