"""The network: broadcasts that are made, servers that listen, and the demo of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.exchange.transport import Endpoint
    from host_tools.headend.on_air.broadcast import AirPlan
    from host_tools.headend.scenario.handover import Handover
    from host_tools.headend.scenario.model import Scenario
    from host_tools.headend.scenario.truth import Truth
    from host_tools.wire.network_file import NetworkFile


@dataclass(frozen=True, slots=True)
class BroadcastProgressed:
    """So much of a broadcast was made, of so much (milliseconds)."""

    reached: int
    duration: int


@dataclass(frozen=True, slots=True)
class BroadcastMade:
    """The capture of a scenario is written."""

    output: Path
    scenario: Scenario
    truth: Truth


@dataclass(frozen=True, slots=True)
class LtkmsWritten:
    """The LTKMs for one card are in a file."""

    output: Path
    handover: Handover


@dataclass(frozen=True, slots=True)
class TruthWritten:
    """Every TEK and media hash of a broadcast is in a file."""

    output: Path
    truth: Truth


@dataclass(frozen=True, slots=True)
class TransportKeyMade:
    """There was no transport key in a file, so one was made: the other end of the back end needs the same file."""

    path: Path


@dataclass(frozen=True, slots=True)
class NetworkServed:
    """BSF and BSM listen where `network` says; `network_file` says it to terminals, if it was asked for."""

    network: NetworkFile
    network_file: Path | None
    store: str | None = None


@dataclass(frozen=True, slots=True)
class PagesServed:
    """The pages for people: the open shop, the console, and the order codes of subscribers by identity.

    `console` holds a key that opens once: it is for the person there and for no log.
    """

    shop: str
    console: str = field(repr=False)
    codes: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BroadcastOnAir:
    """A scenario is streamed as the plan says, since or from `began`: `here`, or by a BSD/A in another process."""

    scenario: Scenario
    plan: AirPlan
    began: datetime
    here: bool = True


@dataclass(frozen=True, slots=True)
class DistributionServed:
    """A BSD/A of its own is on the air; its metrics are at `place`, and what is handed over to it, or at `secured`."""

    place: Endpoint
    secured: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class BroadcastEnded:
    """A scenario that is not repeated has come to its end; the servers go on."""

    scenario: Scenario


@dataclass(frozen=True, slots=True)
class PermissionsServed:
    """The permissions issuer listens and gives out so many binding keys to one terminal."""

    keys: int
    terminal: str
    host: str
    port: int
    folder: Path


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step of the demo is finished; the line names no key."""

    words: str
