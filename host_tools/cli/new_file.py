"""Files that a command writes: never over another one unasked, and never half."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import click

from host_tools.cli.exits import ENVIRONMENT, CliError

_C = TypeVar("_C", bound=Callable[..., object])


def force_option(command: _C) -> _C:
    """Add --force."""
    return click.option("--force", is_flag=True, help="Replace a file that exists already.")(command)


@dataclass(slots=True)
class Draft:
    """A text that is being written. It becomes the file only with `keep`."""

    file: IO[str]
    keep: bool = False


@contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[Draft]:
    """Yield a draft of `target` (`-`: standard output), which a `with` block fills and says whether to keep.

    Raises `CliError` when the file exists already and `force` does not say to replace it, or cannot be written.
    """
    if str(target) == "-" or (target.exists() and not target.is_file()):
        with tempfile.TemporaryDirectory() as folder:
            yield from _drafted(Path(folder) / "draft", lambda draft: _copy(draft, target))
        return
    if target.exists() and not force:
        raise CliError(f"{target} exists already; add --force or choose another name", ENVIRONMENT)
    yield from _drafted(target.with_name(f"{target.name}.part"), lambda draft: draft.replace(target))


def _drafted(part: Path, finish: Callable[[Path], object]) -> Iterator[Draft]:
    try:
        file = part.open("w", encoding="utf-8")
    except OSError as error:
        raise CliError(f"{part.parent}: {error.strerror}", ENVIRONMENT) from None
    draft = Draft(file)
    try:
        yield draft
    finally:
        file.close()
        if draft.keep:
            finish(part)
        else:
            part.unlink()


def _copy(draft: Path, target: Path) -> None:
    text = draft.read_text(encoding="utf-8")
    if str(target) == "-":
        sys.stdout.write(text)
    else:
        target.write_text(text, encoding="utf-8")
