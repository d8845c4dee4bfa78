"""Files that a command writes: never over another one unasked, and never half."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import click

from host_tools.cli.exits import ENVIRONMENT, CliError
from host_tools.files.clash import ReadFiles, identity
from host_tools.files.writing import whole_text

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
    read = ReadFiles(inputs)
    written: set[str] = set()
    for path in outputs:
        if path is None or str(path) == "-" or (path.exists() and not path.is_file()):
            continue
        if path in read:
            raise click.UsageError(f"{path} is what this command reads: write to another file")
        name = identity(path)
        if name in written:
            raise click.UsageError(f"{path} would be written twice: give each output a file of its own")
        written.add(name)


@contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[Draft]:
    """Yield a draft of `target` (`-`: standard output), which a `with` block fills and says whether to keep.

    A file that is replaced keeps its permissions. Raises `CliError` when the file exists already and `force` does not
    say to replace it, and `UnwritableFile`.
    """
    if str(target) != "-" and not force and (target.is_symlink() or target.is_file()):
        raise CliError(f"{target} exists already; add --force or choose another name", ENVIRONMENT)
    yield from _printed() if str(target) == "-" else _drafted(target)


def _printed() -> Iterator[Draft]:
    """Collect a text and print it in the end."""
    text = _Collected()
    draft = Draft(text)
    try:
        yield draft
    finally:
        if draft.keep:
            sys.stdout.write(text.getvalue())


class _Collected(io.StringIO):
    """Text that is there after its writer closed it."""

    def close(self) -> None:
        pass


class _NotKept(Exception):
    """The draft is not to become the file."""


def _drafted(target: Path) -> Iterator[Draft]:
    """Write a draft beside the target. What is to be kept is kept even where the block ends with an error."""
    trouble: BaseException | None = None
    with contextlib.suppress(_NotKept), whole_text(target) as text:
        draft = Draft(text)
        try:
            yield draft
        except BaseException as error:
            trouble = error
        if not draft.keep:
            raise _NotKept
    if trouble is not None:
        raise trouble
