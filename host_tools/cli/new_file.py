"""Files that a command writes: never over another one unasked, and never half."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import click

from host_tools.cli.exits import ENVIRONMENT, CliError
from host_tools.drafts import draft_path

_C = TypeVar("_C", bound=Callable[..., object])


def force_option(command: _C) -> _C:
    """Add --force."""
    return click.option("--force", is_flag=True, help="Replace a file that exists already.")(command)


@dataclass(slots=True)
class Draft:
    """A text that is being written. It becomes the file only with `keep`."""

    file: IO[str]
    keep: bool = False


def refuse_clash(outputs: Iterable[Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """Raise `click.UsageError` when an output is also an input, or the same file as another output.

    None and `-` stand for no file.
    """
    read = {_identity(path) for path in inputs if path is not None}
    written: set[str] = set()
    for path in outputs:
        if path is None or str(path) == "-" or (path.exists() and not path.is_file()):
            continue
        identity = _identity(path)
        if identity in read:
            raise click.UsageError(f"{path} is what this command reads: write to another file")
        if identity in written:
            raise click.UsageError(f"{path} would be written twice: give each output a file of its own")
        written.add(identity)


def _identity(path: Path) -> str:
    """Return what is the same for all names of a file, also of hard links."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return f"{found.st_dev}:{found.st_ino}"


@contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[Draft]:
    """Yield a draft of `target` (`-`: standard output), which a `with` block fills and says whether to keep.

    What is written through a symbolic link becomes the file behind it. A file that is replaced keeps its permissions.
    Raises `CliError` when the file exists already and `force` does not say to replace it, or cannot be written.
    """
    if str(target) == "-" or (target.exists() and not target.is_file()):
        with tempfile.TemporaryDirectory() as folder:
            yield from _drafted(Path(folder) / "draft", lambda draft: _copy(draft, target))
        return
    if target.exists() and not force:
        raise CliError(f"{target} exists already; add --force or choose another name", ENVIRONMENT)
    file = Path(os.path.realpath(target))
    yield from _drafted(draft_path(file), lambda draft: _replace(draft, file))


def _drafted(part: Path, finish: Callable[[Path], object]) -> Iterator[Draft]:
    try:
        file = part.open("x", encoding="utf-8")
    except OSError as error:
        raise CliError(f"{part.parent}: {error.strerror}", ENVIRONMENT) from None
    draft = Draft(file)
    try:
        try:
            yield draft
        finally:
            file.close()
            if draft.keep:
                finish(part)
    finally:
        part.unlink(missing_ok=True)


def _replace(draft: Path, file: Path) -> None:
    if file.exists():
        shutil.copymode(file, draft)
    draft.replace(file)


def _copy(draft: Path, target: Path) -> None:
    text = draft.read_text(encoding="utf-8")
    if str(target) == "-":
        sys.stdout.write(text)
    else:
        target.write_text(text, encoding="utf-8")
