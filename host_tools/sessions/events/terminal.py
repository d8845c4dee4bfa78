"""A terminal on a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.terminal.client.events import News


@dataclass(frozen=True, slots=True)
class TerminalOnline:
    """A terminal is on: whose card it is, the BSM it talks to, its address, and where its state is kept."""

    subscriber: str
    bsm: str
    address: str
    state_file: Path


@dataclass(frozen=True, slots=True)
class PortalOpened:
    """A portal listens. `url` holds the key that lets one browser in: it is for the person there and for no log."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientNews:
    """The client of a terminal has something to tell; none of it shows a key."""

    news: News
