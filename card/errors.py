"""Errors the card raises on purpose.

None of them knows a status word: the command table (`card/commands`) maps domain errors to status words, so the
rules in `card/domain` can be read and tested without APDUs. No message ever contains key material.
"""


class CardError(Exception):
    """Base of every error that the card raises on purpose."""


class DecodeError(CardError):
    """Bytes that arrived do not follow their format."""


class EncodeError(CardError):
    """A value cannot be written in the format asked for (too long, out of range)."""


class MacMismatch(CardError):
    """A message authentication code did not verify."""


class StoreError(CardError):
    """The card file cannot be opened, read or written."""


class CardFileLocked(StoreError):
    """Another process holds the card file."""


class UnusableFile(CardError):
    """A file that a person named cannot be read as what it should be: its name, why, and the line where that tells."""

    def __init__(self, name: str, reason: str, line: int | None = None) -> None:
        super().__init__(f"{name}: {reason}" if line is None else f"{name}:{line}: {reason}")
        self.reason = reason
        self.line = line


class ProfileError(CardError):
    """A card profile is wrong. The message names file, line, field and what is allowed."""


class TlsFailure(CardError):
    """The other side of a TLS connection is not genuine, or what it sent is no TLS. The connection is over."""


class TlsUnavailable(CardError):
    """This Python has no TLS-PSK; the message says what would help."""
