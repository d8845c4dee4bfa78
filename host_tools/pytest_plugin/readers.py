"""What a test gets of a reader with a card in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from host_tools.pytest_plugin.transcript import Transcript
from host_tools.pytest_plugin.uicc import Uicc
from host_tools.sessions.opening import in_reader
from host_tools.sessions.readers import OccupiedReader


@dataclass(frozen=True, slots=True)
class VirtualReader:
    """A reader that PC/SC lists, with a card in it.

    `name` is the reader's; `environ` is the environment for another process that is to see it. `transcript` holds what
    the card was asked and answered, by whomever.
    """

    name: str
    port: int
    environ: dict[str, str] = field(repr=False)
    transcript: Transcript = field(repr=False)

    @classmethod
    def of(cls, reader: OccupiedReader, transcript: Transcript) -> VirtualReader:
        """Return what a test sees of a reader of this process."""
        return cls(reader.name, reader.port, reader.environ, transcript)

    def open(self) -> Uicc:
        """Connect to the card over PC/SC: `with reader.open() as card`, or close it. Raises `LinkError`."""
        return Uicc(in_reader(self.name))
