"""The life of card files: snapshot, restore, wipe. Each holds the card file's lock while it works."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from card.errors import StoreError
from card.inspection.opening import load_card, opened
from card.store.lock import LOG_ENDING, LOG_ENDINGS
from card.store.sqlite import SqliteStore

AnyPath = str | os.PathLike[str]
_LEFTOVERS = (*LOG_ENDINGS, "-shm")


def snapshot_card(path: AnyPath, snapshot: AnyPath, *, replace: bool = False) -> None:
    """Copy a card into a new file with mode 0600, which is a card file too; with `replace`, over an older snapshot.

    Raises `CardFileLocked` when either is in use, `StoreError` when the card cannot be read or the target exists.
    """
    target = Path(snapshot)
    if target.exists() and not replace:
        raise StoreError(f"{target} exists already")
    _copy(Path(path), target)


def restore_card(path: AnyPath, snapshot: AnyPath) -> None:
    """Make a card file what its snapshot is, in one transaction; a card file that is missing is made.

    Raises `CardFileLocked`, `StoreError`; the card file is then as before.
    """
    _copy(Path(snapshot), Path(path))


def wipe_card(path: AnyPath) -> None:
    """Overwrite a card file with zeros and remove it, with what a killed process may have left beside it.

    A file system that writes elsewhere than before (copy on write, flash) may still hold the old bytes.
    Raises `CardFileLocked`, and `StoreError` for anything that is no card file: it is left alone.
    """
    with opened(Path(path)) as store:
        for file in (store.file, store.file.with_name(store.file.name + LOG_ENDING)):
            _overwrite(file)
        store.discard()
        store.path.unlink()
        store.file.unlink(missing_ok=True)
    for ending in _LEFTOVERS:
        store.file.with_name(store.file.name + ending).unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    if target.exists() and source.exists() and source.samefile(target):
        raise StoreError(f"{target} is the card file itself")
    with opened(source) as store:
        contents = load_card(store)
        if target.exists():
            _replace_contents(target, contents)
        else:
            _create(target, contents)


def _replace_contents(target: Path, contents: dict[str, bytes]) -> None:
    with opened(target) as store:
        gone: dict[str, bytes | None] = {key: None for key in store.load() if key not in contents}
        store.commit({**gone, **contents})


def _create(target: Path, contents: dict[str, bytes]) -> None:
    with contextlib.ExitStack() as undo:
        store = SqliteStore(target, create=True)
        undo.callback(target.unlink, missing_ok=True)
        undo.callback(store.close)
        store.commit(contents)
        undo.pop_all()
        store.close()


def _overwrite(path: Path) -> None:
    # The store has opened it: it is a plain file, and this is the very one.
    with (
        contextlib.suppress(FileNotFoundError),
        os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), "r+b") as file,
    ):
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(bytes(min(left, 1 << 16)))
        file.flush()
        os.fsync(file.fileno())
