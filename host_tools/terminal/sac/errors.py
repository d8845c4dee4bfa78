"""What can go wrong with a secure channel, as the terminal sees it. Nothing here ever leads to clear text."""

from __future__ import annotations

from card.spec.status import describe
from host_tools.terminal.errors import TerminalError


class ChannelError(TerminalError):
    """The secure channel could not be opened or used."""


class ChannelRefused(ChannelError):
    """The card refused a step; `sw` says why."""

    def __init__(self, what: str, sw: int) -> None:
        super().__init__(f"The card refused {what}: {describe(sw)}.")
        self.sw = sw


class CardNotGenuine(ChannelError):
    """The card did not prove that it shares the secret, or somebody changed what it said."""


class ChannelBroken(ChannelError):
    """An answer on the channel was missing, forged or out of order; the channel is given up."""


class AssociationUnknown(ChannelRefused):
    """The card does not know the association or session: it was reset, or ended it. The command did not run."""
