"""The life of card files: make, show, edit, keep, compare, wipe. Where a card is only read, a profile stands for it.

Each raises `CardError`, `SessionError`, and `OSError` for what no card is to blame for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import card
from host_tools.sessions.cards import CARD_SUFFIX, beside, is_profile, load_profile, shipped_profiles, used_card_file
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events

if TYPE_CHECKING:
    from card import CardProfile, Difference, Edit, EditResult

SNAPSHOT_SUFFIX = ".snapshot"


def make(profile: Path, output: Path | None) -> Path:
    """Make a card file from a profile and return its path; it must not exist yet."""
    target = output or beside(profile, CARD_SUFFIX)
    if target.exists():
        raise SessionError(f"{target} exists already; wipe it first or choose another name with -o")
    _require_directory(target)
    if not is_profile(profile):
        known = shipped_profiles()
        raise SessionError(
            f"{profile}: a profile is a .toml file, or the name of one that ships: {known}", Trouble.INPUT
        )
    card.create_card(load_profile(profile), target).close()
    return target


def show(file: Path, events: Events, *, reveal: bool) -> dict[str, Any]:
    """Return all that a card holds as `card.inspect_card` does."""
    with used_card_file(file, events):
        return card.inspect_card(_source(file), reveal=reveal)


def edit(file: Path, path: str, change: Edit, events: Events) -> EditResult:
    """Write one elementary file of a card."""
    with used_card_file(file, events):
        return card.edit_card(file, path, change)


def snapshot(file: Path, output: Path | None, events: Events, *, replace: bool) -> Path:
    """Copy a card as it is now and return the path of the copy."""
    target = output or beside(file, SNAPSHOT_SUFFIX)
    if target.exists() and not replace:
        raise SessionError(f"{target} exists already; add --replace or choose another name with -o")
    _require_directory(target)
    with used_card_file(file, events):
        card.snapshot_card(file, target, replace=replace)
    return target


def restore(file: Path, snapshot_file: Path, events: Events) -> None:
    """Make a card what its snapshot is."""
    _require_directory(file)
    with used_card_file(snapshot_file, events):
        card.restore_card(file, snapshot_file)


def compare(left: Path, right: Path, events: Events, *, reveal: bool) -> list[Difference]:
    """Return what differs between two cards."""
    with used_card_file(left, events):
        one = _source(left)
    with used_card_file(right, events):
        return card.diff_cards(one, _source(right), reveal=reveal)


def wipe(file: Path, events: Events, be_sure: Callable[[], None]) -> None:
    """Overwrite and remove a card file, after `be_sure`, which raises where nobody wants that."""
    if not file.is_file():
        raise SessionError(f"{file}: no such card file")
    be_sure()
    with used_card_file(file, events):
        card.wipe_card(file)


def _source(path: Path) -> Path | CardProfile:
    return load_profile(path) if is_profile(path) else path


def _require_directory(target: Path) -> None:
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise SessionError(f"{target}: the directory is not there or cannot be written")
