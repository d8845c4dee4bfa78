"""What can go wrong between terminal, card and network, apart from a plain refusal (`StatusError`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from card.errors import DecodeError


class TerminalError(Exception):
    """Base of the terminal's errors. The message is one sentence for a person and holds no key."""


class PinWrongError(TerminalError):
    """The PIN was wrong; `tries_left` says how often it may still be tried."""

    def __init__(self, tries_left: int) -> None:
        plural = "try is" if tries_left == 1 else "tries are"
        super().__init__(f"The PIN is wrong; {tries_left} {plural} left.")
        self.tries_left = tries_left


class PinBlockedError(TerminalError):
    """The PIN is blocked; only its PUK unblocks it."""

    def __init__(self) -> None:
        super().__init__("The PIN is blocked; unblock it with its PUK.")


class PinNeededError(TerminalError):
    """The card wants its PIN and none was given."""

    def __init__(self) -> None:
        super().__init__("The card asks for its PIN and none was given.")


class NoUsimError(TerminalError):
    """The card has no USIM application."""


class NoCsimError(TerminalError):
    """The card has no CSIM application."""


class MalformedAnswerError(TerminalError):
    """The card's answer does not follow its format."""


class NetworkRefusedError(TerminalError):
    """The card found the network's challenge not authentic, or the network refused the card's answer."""


class ChallengedAgainError(NetworkRefusedError):
    """The network refused the card's answer, and has challenged it once more (TS 24.109 clause 4.3)."""


class NoUsableKsError(TerminalError):
    """The card has no Ks from which a key may be derived: none at all, or one that is over or serves another."""


class LtkmRefusedError(TerminalError):
    """The card did not take an LTKM, or the terminal kept it from the card."""


@contextmanager
def answer_to(what: str) -> Iterator[None]:
    """Turn a `DecodeError` of the block inside into a `MalformedAnswerError` that names the command."""
    try:
        yield
    except DecodeError as error:
        raise MalformedAnswerError(f"The card's answer to {what} is malformed: {error}.") from None
