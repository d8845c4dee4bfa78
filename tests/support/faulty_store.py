"""A store whose power is cut at the n-th write, to prove that a card is never left between two states."""

from __future__ import annotations

from collections.abc import Mapping

from card.ports import Store


class PowerCut(BaseException):
    """The power went. Not an `Exception`: no handler of the card may catch it and carry on."""


class FaultyStore:
    """Passes commits to another store and cuts the power around the `cut_at`-th one (counted from 1).

    With `before` the commit is lost, otherwise it is kept; either way `PowerCut` is raised and the card object is
    dead. Reopen the inner store to see what a real card would remember.
    """

    def __init__(self, inner: Store, cut_at: int, *, before: bool) -> None:
        self._inner = inner
        self._cut_at = cut_at
        self._before = before
        self.commits = 0

    def load(self) -> dict[str, bytes]:
        """Return everything stored."""
        return self._inner.load()

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Write the changes, or cut the power."""
        self.commits += 1
        cut = self.commits == self._cut_at
        if not (cut and self._before):
            self._inner.commit(changes)
        if cut:
            raise PowerCut

    def close(self) -> None:
        """Close the inner store."""
        self._inner.close()
