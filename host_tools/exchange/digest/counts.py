"""How often each nonce was used: a window of counts for each user and nonce, in a table of bounded size.

A count may be used once. Requests can overtake each other, so counts a little below the highest one are taken as long
as they are new. The table holds live nonces only. When it is full the nonce made first goes, and all nonces as old as
it are refused from then on, so that nothing forgotten can be used again.
"""

from __future__ import annotations

WINDOW = 32
"""How far below the highest count one may come late; ours."""
_MOST_NONCES = 4096
_ALL = (1 << WINDOW) - 1


class NonceCounts:
    """Which counts were used. `made` is always the second in which the nonce was made."""

    def __init__(self, most: int = _MOST_NONCES) -> None:
        """Take how many pairs of nonce and user are kept."""
        self._most = most
        self._used: dict[tuple[str, str], tuple[int, int, int]] = {}  # made, highest count, bits of those below
        self._forgotten = -1

    def __len__(self) -> int:
        return len(self._used)

    def use(self, username: str, nonce: str, made: int, count: int, oldest: int) -> bool:
        """Note the use of a count (1 to 2**32 - 1); False when it was used before, or nobody can tell any more.

        `oldest` is the second in which the oldest live nonce can have been made.
        """
        key = (username, nonce)
        known = self._used.get(key)
        if known is None:
            self._make_room(oldest)
            if made <= self._forgotten:
                return False
            self._used[key] = (made, count, 1)
            return True
        _, highest, bits = known
        if count > highest:
            self._used[key] = (made, count, (bits << min(count - highest, WINDOW) | 1) & _ALL)
            return True
        bit = 1 << (highest - count) if highest - count < WINDOW else 0
        if not bit or bits & bit:
            return False
        self._used[key] = (made, highest, bits | bit)
        return True

    def _make_room(self, oldest: int) -> None:
        if len(self._used) < self._most:
            return
        self._used = {key: kept for key, kept in self._used.items() if kept[0] >= oldest}
        if len(self._used) < self._most:
            return
        self._forgotten = max(self._forgotten, min(kept[0] for kept in self._used.values()))
        self._used = {key: kept for key, kept in self._used.items() if kept[0] > self._forgotten}
