"""Opens the card that a command line names: a card file, a profile, or the name of a profile that ships."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host_tools.cli.exits import ENVIRONMENT, INPUT, CliError, explain

if TYPE_CHECKING:
    from card import Card, CardProfile
    from card.ports import TraceSink

PROFILE_SUFFIX = ".toml"
CARD_SUFFIX = ".card"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_WARNED = "host_tools.cli.cards.warned"


def open_card_argument(path: str | os.PathLike[str], *, trace: TraceSink | None = None, fresh: bool = False) -> Card:
    """Open the card that `path` names.

    A profile (`NAME.toml`, or the name of one that ships) has its card file beside it, `NAME.card`: made when it is
    missing, opened when it is there, and one line on standard error says which. With `fresh` the profile's card lives
    as long as the process and nothing is read or written. Anything else is a card file.

    Raises `CliError` with the exit code for what is wrong.
    """
    from card import memory_card, open_card

    given = Path(path)
    if not is_profile(given):
        if fresh:
            raise click.UsageError(f"a throw-away card is made from a profile, and {given} is a card file")
        if not given.exists():
            raise CliError(f"{given}: no such card file, nor a profile that ships: {_shipped()}", ENVIRONMENT)
        with plain_errors(given):
            return open_card(given, trace=trace)
    if fresh:
        with plain_errors():
            return memory_card(load_profile(given), trace=trace)
    return _kept_card(given, trace)


def is_profile(path: Path) -> bool:
    """Tell whether `path` is a profile rather than a card file: by its name, or because it is one that ships."""
    if path.suffix.lower() == PROFILE_SUFFIX:
        return True
    return not path.exists() and _ships(str(path))


def load_profile(path: Path) -> CardProfile:
    """Read a profile, from its file or by the name it ships under. Raises `ProfileError`."""
    from card import CardProfile

    is_file = path.suffix.lower() == PROFILE_SUFFIX
    return CardProfile.load(path) if is_file else CardProfile.demo(str(path))


@contextmanager
def plain_errors(card_file: Path | None = None) -> Iterator[None]:
    """Turn the card's errors into `CliError`; a `card_file` that is there but cannot be used is bad input."""
    from card.errors import CardError, CardFileLocked, StoreError

    if card_file is not None:
        _warn_of_readers(card_file)
    try:
        yield
    except (CardError, OSError) as error:
        known = explain(error) or CliError(str(error), ENVIRONMENT)
        unusable = isinstance(error, StoreError) and not isinstance(error, CardFileLocked)
        if unusable and card_file is not None and os.access(card_file, os.W_OK):
            known = CliError(str(error), INPUT)
        raise known from error


def _kept_card(profile: Path, trace: TraceSink | None) -> Card:
    from card import create_card, open_card

    # The card of a profile that ships is made where one works, not where the package is installed.
    card_file = profile.with_suffix(CARD_SUFFIX)
    with plain_errors(card_file):
        if card_file.exists():
            card = open_card(card_file, trace=trace)
            click.echo(f"{card_file}: opened, with the state it had; changes in {profile} do not reach it", err=True)
        else:
            card = create_card(load_profile(profile), card_file, trace=trace)
            click.echo(f"{card_file}: new card made from {profile}", err=True)
    return card


def _warn_of_readers(card_file: Path) -> None:
    """Say once that others may read or write a card file, which holds keys."""
    try:
        mode = stat.S_IMODE(card_file.stat().st_mode)
    except (OSError, ValueError):
        return
    context = click.get_current_context(silent=True)
    warned: set[Path] = context.find_root().meta.setdefault(_WARNED, set()) if context else set()
    if mode & _OTHERS and card_file.is_file() and card_file not in warned:
        warned.add(card_file)
        may = "write" if mode & _OTHERS_WRITE else "read"
        advice = f"chmod 600 {shlex.quote(str(card_file))}"
        click.echo(f"Warning: others may {may} {card_file} (mode {mode:04o}), which holds keys: {advice}", err=True)


def _ships(name: str) -> bool:
    from card import CardProfile

    return name in CardProfile.shipped()


def _shipped() -> str:
    from card import CardProfile

    return ", ".join(CardProfile.shipped())
