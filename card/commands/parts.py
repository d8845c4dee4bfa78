"""What is made once for a card, and serves every command: memory, ports, and what is made from the memory.

Files, applications and secure channels are made from the non-volatile memory, the changes of the open transaction
included. When one of the keys that they are made from changes, or a change of one is rolled back, they are dropped and
made anew for whoever asks next: a refused command leaves no trace in them, and nothing has to be undone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from card.codec.apdu import CommandApdu
from card.domain.application import (
    APPLICATION_PREFIX,
    CSIM_PREFIX,
    ICCID_PATH,
    Application,
    application_aid,
    card_iccid,
    load_applications,
)
from card.domain.bcast.tables import TABLES_KEY
from card.domain.cat.engine import DiscardingHandler, DownloadHandler, ProactiveEngine
from card.domain.pin import PinTable
from card.domain.secure_channel.channels import SecureChannels
from card.domain.secure_channel.protection import Protection
from card.domain.secure_channel.settings import SETTINGS_PREFIXES, SacSettings
from card.filesystem.contents import contents_key
from card.filesystem.filesystem import NODE_TABLE, PINS_IN_EVERY_FCP_KEY, FileSystem
from card.lean import lean_dataclass
from card.ports import Clock, Rng
from card.state.nonvolatile import NonVolatile

Interpreter = Callable[[bytes, Protection], bytes]
"""Answers a command APDU that came in a protected channel, as if it had come by itself."""

_MADE_FROM = (
    NODE_TABLE,
    PINS_IN_EVERY_FCP_KEY,
    APPLICATION_PREFIX,
    CSIM_PREFIX,
    TABLES_KEY,
    *SETTINGS_PREFIXES,
    contents_key(ICCID_PATH),
)


@lean_dataclass(frozen=True, slots=True)
class DerivedState:
    """What is made from the memory as it stands."""

    files: FileSystem
    applications: dict[str, Application]
    secure_channels: SecureChannels


class CardParts:
    """One for each card. `understood` remembers short commands and what they mean (`dispatch.py`).

    `interpret` is the card's own. `downloads` takes the short messages for the card; whoever builds on them puts a
    handler there.
    """

    def __init__(self, nv: NonVolatile, rng: Rng, clock: Clock, interpret: Interpreter) -> None:
        """Take memory and ports. Raises `StoreError` when the memory cannot be read."""
        self.nv = nv
        self.rng = rng
        self.clock = clock
        self.interpret = interpret
        self.pins = PinTable(nv)
        self.cat = ProactiveEngine(nv)
        self.downloads: DownloadHandler = DiscardingHandler()
        self.understood: dict[bytes, tuple[CommandApdu, Any]] = {}
        self._made: DerivedState | None = None
        nv.watch(_MADE_FROM, self._forget)
        self.made()

    def made(self) -> DerivedState:
        """Return files, applications and secure channels. Raises `StoreError`."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _forget(self) -> None:
        self._made = None

    def _make(self) -> DerivedState:
        files = FileSystem(self.nv)
        applications = load_applications(self.nv, files)
        endpoints = {application_aid(files, name): application for name, application in applications.items()}
        channels = SecureChannels(self.nv, SacSettings(self.nv), card_iccid(files), endpoints, self.rng)
        return DerivedState(files, applications, channels)
