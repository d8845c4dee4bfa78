"""Cards that are made, opened, and put into readers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CardMade:
    """A card file was made from a profile."""

    card_file: Path
    profile: Path


@dataclass(frozen=True, slots=True)
class CardKept:
    """A profile was named, and its card file of an earlier time was opened."""

    card_file: Path
    profile: Path


@dataclass(frozen=True, slots=True)
class CardFileExposed:
    """Others may read or write (`may`) a card file, which holds keys; `mode` is that of the file."""

    card_file: Path
    mode: int
    may: str


@dataclass(frozen=True, slots=True)
class PcscdStarted:
    """A pcscd of our own runs; clients find it when the environment `variable` has the path of its `socket`."""

    variable: str
    socket: Path


@dataclass(frozen=True, slots=True)
class FaultInjected:
    """Something was made to go wrong, as the plan says."""

    words: str
