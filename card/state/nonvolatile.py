"""The card's non-volatile memory as the running card sees it: loaded whole, changed in a transaction, written through.

Reads never touch the store, so a card answers from memory; a commit hands the store only what changed.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

from card.ports import Store

ATR_KEY = "card/atr"
"""Where the answer to reset is stored; a store without it holds no card."""


class NonVolatile:
    """Key to bytes, with one open transaction: changes stay aside until `commit` or `rollback`."""

    __slots__ = ("_changes", "_forget", "_store", "_stored", "_tables", "_watched")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stored = store.load()
        self._changes: dict[str, bytes | None] = {}
        self._tables: dict[str, list[str]] = {}  # the stored keys of each table, in order
        self._watched: tuple[str, ...] = ()
        self._forget: Callable[[], None] = _nothing
        for key in sorted(self._stored):
            self._tables.setdefault(_table_of(key), []).append(key)

    def watch(self, beginnings: tuple[str, ...], forget: Callable[[], None]) -> None:
        """Call `forget` whenever a key with one of these beginnings changes, or such a change is rolled back.

        There is one who watches: whoever keeps what was made from those keys, and makes it anew when it is next needed.
        """
        self._watched, self._forget = beginnings, forget

    def get(self, key: str) -> bytes | None:
        """Return the value, as changed in this transaction, or None."""
        if key in self._changes:
            return self._changes[key]
        return self._stored.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Set a value; writing what already stands there costs nothing at commit."""
        if self.get(key) != value:
            self._changes[key] = value
            if key.startswith(self._watched):
                self._forget()

    def delete(self, key: str) -> None:
        """Remove a key; removing an absent one is harmless."""
        if self.get(key) is not None:
            self._changes[key] = None
            if key.startswith(self._watched):
                self._forget()

    def keys(self, table: str) -> list[str]:
        """Return, in order, the keys of a table: those made of `table` (which ends in a slash) and one name."""
        stored = self._tables.get(table, [])
        if not self._changes:
            return list(stored)
        names = set(stored)
        for key, value in self._changes.items():
            if _table_of(key) == table:
                names.add(key) if value is not None else names.discard(key)
        return sorted(names)

    @property
    def changed(self) -> bool:
        """True when this transaction has changes."""
        return bool(self._changes)

    def commit(self) -> None:
        """Write the changes to the store, all or none. Raises `StoreError`; the changes are then dropped."""
        if not self._changes:
            return
        try:
            self._store.commit(self._changes)
        except BaseException:
            self.rollback()
            raise
        changes, self._changes = self._changes, {}
        for key, value in changes.items():
            if value is None:
                if self._stored.pop(key, None) is not None:
                    self._tables[_table_of(key)].remove(key)
            else:
                if key not in self._stored:
                    insort(self._tables.setdefault(_table_of(key), []), key)
                self._stored[key] = value

    def commit_now(self, reason: str) -> None:
        """Commit before the command ends, so that what was written survives its failure. `reason` says why.

        Used for the PIN try counter, which must fall before the comparison (TS 102 221 clause 11.1.9), for the MUK,
        which is taken up before a MAC is looked at (TS 31.102 clause 7.1.1.6), and for nothing that could be done at
        the end of the command.
        """
        if not reason:
            raise ValueError("an early commit needs a reason")
        self.commit()

    def rollback(self) -> None:
        """Drop the changes."""
        stale = any(key.startswith(self._watched) for key in self._changes)
        self._changes.clear()
        if stale:
            self._forget()

    def close(self) -> None:
        """Drop what is not committed and release the store."""
        self.rollback()
        self._store.close()


def _nothing() -> None:
    """Nobody watches."""


def _table_of(key: str) -> str:
    return key[: key.rfind("/") + 1]
