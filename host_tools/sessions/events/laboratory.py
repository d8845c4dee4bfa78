"""Scripts, comparison and traces."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.compare.model import SideRun
    from host_tools.script.model import Script
    from host_tools.script.results import StepResult, Summary


@dataclass(frozen=True, slots=True)
class ScriptStepDone:
    """A step of a script has its result; `counts` are the live totals of the script."""

    script: Script
    result: StepResult
    counts: Summary


@dataclass(frozen=True, slots=True)
class ScriptDone:
    """A script is at its end."""

    script: Script
    counts: Summary


@dataclass(frozen=True, slots=True)
class ScriptsDone:
    """All scripts that were run, and the totals."""

    scripts: int
    counts: Summary


@dataclass(frozen=True, slots=True)
class CardAnswered:
    """What a card said in a recorded session, in words and without secrets."""

    words: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """A command was kept from the card; the words say why."""

    why: str


@dataclass(frozen=True, slots=True)
class SideDone:
    """One of two cards has done the steps of a comparison; `name` is its reader's."""

    name: str
    run: SideRun


@dataclass(frozen=True, slots=True)
class TapOpened:
    """Cards can call at a port, and are carried to vpcd's."""

    port: int
    vpcd_port: int


@dataclass(frozen=True, slots=True)
class PacketsLeftOut:
    """A capture holds packets that are no part of the trace: how many for each reason."""

    capture: Path
    reasons: Counter[str]
