"""Where the journal is kept: the port that the owner of the client writes through, and its form without a file."""

from __future__ import annotations

from typing import Protocol

from host_tools.terminal.client.journal import Journal


class JournalKeeper(Protocol):
    """A journal, and what makes it last."""

    @property
    def journal(self) -> Journal:
        """The journal for one BSM; whoever changes it calls `save`."""

    def save(self) -> None:
        """Write it so that it outlives the process. Raises `UnwritableFile`."""


class InMemory:
    """A journal that goes with the process."""

    def __init__(self) -> None:
        """Begin with an empty one."""
        self.journal = Journal()

    def save(self) -> None:
        """Do nothing."""
