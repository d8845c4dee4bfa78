"""Finds what somebody names: a card file, a profile, or a profile that ships; and opens the card that it stands for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import CardFileExposed, CardKept, CardMade, Events

if TYPE_CHECKING:
    from card import Card, CardProfile
    from card.ports import TraceSink
    from card.spec.bcast.tables import BcastTables

PROFILE_SUFFIX = ".toml"
CARD_SUFFIX = ".card"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_named_card(
    path: str | os.PathLike[str], events: Events, *, trace: TraceSink | None = None, fresh: bool = False
) -> Card:
    """Open the card that `path` names.

    A profile (`NAME.toml`, or the name of one that ships) has its card file beside it, `NAME.card`: made when it is
    missing, opened when it is there, and an event says which. With `fresh` the profile's card lives as long as the
    process and nothing is read or written. Anything else is a card file.

    Raises `SessionError`, `CardError`.
    """
    from card import memory_card, open_card

    given = Path(path)
    if not is_profile(given):
        if fresh:
            raise SessionError(f"a throw-away card is made from a profile, and {given} is a card file", Trouble.MISUSE)
        if not given.exists():
            raise SessionError(f"{given}: no such card file, nor a profile that ships: {shipped_profiles()}")
        with used_card_file(given, events):
            return open_card(given, trace=trace)
    if fresh:
        return memory_card(load_profile(given), trace=trace)
    return _kept_card(given, events, trace)


def is_profile(path: Path) -> bool:
    """Tell whether `path` is a profile rather than a card file: by its name, or because it is one that ships."""
    if path.suffix.lower() == PROFILE_SUFFIX:
        return True
    return not path.exists() and _ships(str(path))


def beside(path: Path, suffix: str) -> Path:
    """Return the name of the file beside `path` with another ending. Raises `SessionError` where `path` names none."""
    if not path.name:
        raise SessionError(f"{path}: not the name of a file", Trouble.INPUT)
    return path.with_suffix(suffix)


def load_profile(path: Path) -> CardProfile:
    """Read a profile, from its file or by the name it ships under. Raises `ProfileError`, `OSError`."""
    from card import CardProfile

    is_file = path.suffix.lower() == PROFILE_SUFFIX
    return CardProfile.load(path) if is_file else CardProfile.demo(str(path))


def tables_of(profile: Path | None, events: Events) -> BcastTables:
    """Return the BCAST tables of a card profile or a card file, without either the default set.

    Raises `SessionError`, `CardError`.
    """
    from card import bcast_tables
    from card.spec.bcast.p1 import P1

    if profile is None:
        return P1
    if is_profile(profile):
        return load_profile(profile).bcast.build_tables()
    with used_card_file(profile, events):
        return bcast_tables(profile)


@contextmanager
def used_card_file(card_file: Path, events: Events) -> Iterator[None]:
    """Tell that others may read a card file; one that is there but cannot be used is bad input, not a broken machine.

    Raises `SessionError` for that one.
    """
    from card.errors import CardFileLocked, StoreError

    _tell_exposed(card_file, events)
    try:
        yield
    except StoreError as error:
        if not isinstance(error, CardFileLocked) and os.access(card_file, os.W_OK):
            raise SessionError(str(error), Trouble.INPUT) from error
        raise


def _kept_card(profile: Path, events: Events, trace: TraceSink | None) -> Card:
    from card import create_card, open_card

    # The card of a profile that ships is made where one works, not where the package is installed.
    card_file = beside(profile, CARD_SUFFIX)
    with used_card_file(card_file, events):
        if card_file.exists():
            card = open_card(card_file, trace=trace)
            events.emit(CardKept(card_file, profile))
        else:
            card = create_card(load_profile(profile), card_file, trace=trace)
            events.emit(CardMade(card_file, profile))
    return card


def _tell_exposed(card_file: Path, events: Events) -> None:
    try:
        mode = stat.S_IMODE(card_file.stat().st_mode)
    except (OSError, ValueError):
        return
    if mode & _OTHERS and card_file.is_file():
        events.emit(CardFileExposed(card_file, mode, "write" if mode & _OTHERS_WRITE else "read"))


def _ships(name: str) -> bool:
    from card import CardProfile

    return name in CardProfile.shipped()


def shipped_profiles() -> str:
    """Return the names of the profiles that ship, for a person."""
    from card import CardProfile

    return ", ".join(CardProfile.shipped())
