"""Opens a card file for looking into it or changing it, without a running card."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from card.errors import CardFileLocked, StoreError
from card.state.nonvolatile import ATR_KEY
from card.store.sqlite import SqliteStore

# What reading records of a damaged or hostile card file can end in.
_DAMAGE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[SqliteStore]:
    """Open a card file for the length of a `with` block, which holds its lock.

    Raises `CardFileLocked`, or `StoreError` with the file's name for whatever is wrong with it, also in the block.
    """
    store = SqliteStore(path)
    try:
        yield store
    except CardFileLocked:
        raise
    except StoreError as error:
        if os.fspath(path) in str(error):
            raise
        raise StoreError(f"{os.fspath(path)}: {error}") from None
    finally:
        store.close()


def load_card(store: SqliteStore) -> dict[str, bytes]:
    """Return everything a card file holds. Raises `StoreError` when it holds no card."""
    with sound_records():
        contents = store.load()
    if ATR_KEY not in contents:
        raise StoreError("the file holds no personalised card")
    return contents


@contextmanager
def sound_records() -> Iterator[None]:
    """Turn what damaged records raise into `StoreError`."""
    try:
        yield
    except _DAMAGE as error:
        # No cause is chained: it could show a record's bytes.
        raise StoreError(f"the records do not make a card ({type(error).__name__})") from None
