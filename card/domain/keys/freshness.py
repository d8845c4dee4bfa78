"""What was heard under each key: the counters against replay (TS 33.246 clause 6.4.3).

The counter of an MSK goes by its MSK ID: another key under the same identifier goes on with it (TS 31.102 clause
7.1.1.6). A key that is deleted, pushed out or replaced under the BCAST rules is remembered for a while, and goes on
where it stood when it comes back: else every message of before would be new once more. The texts do not ask for that
memory.
"""

from __future__ import annotations

from dataclasses import replace

from card.codec import mikey
from card.crypto.primitives import sha256
from card.crypto.secret import Secret
from card.lean import lean_dataclass
from card.spec.provisional import CAPACITY
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

NEVER = -1
"""Stands for the counter of a key under which nothing was heard: 0 is a counter like any other."""
NO_MTK = -1
_FINGERPRINT_SIZE = 8


def is_newer(counter: int, last: int) -> bool:
    """Tell whether a 32-bit counter is newer than the last one, or the first (TS 33.246 clause 6.4.3)."""
    return last == NEVER or mikey.is_newer(counter, last)


@lean_dataclass(frozen=True, slots=True)
class LastMessage:
    """Counter (`NEVER` for none) and MTK ID (`NO_MTK` for none) of the last message accepted under a key.

    `assumed` says that no message set the counter: it was raised for a key that is for play-back only. `gone` is 0
    while the card holds the key, else it tells which key went earlier.
    """

    counter: int = NEVER
    last_mtk: int = NO_MTK
    assumed: bool = False
    gone: int = 0

    @property
    def live(self) -> bool:
        """True when a message was heard live."""
        return self.counter != NEVER and not self.assumed


NOTHING = LastMessage()


def fingerprint(key: Secret) -> str:
    """Return a name for a key that does not tell it: 16 hexadecimal digits."""
    return sha256(key.reveal())[:_FINGERPRINT_SIZE].hex()


class Freshness:
    """The counters of one kind of key, by name; those of keys that are gone (the last ones of them) by fingerprint too.

    Each kind has a table of its own: many MSKs that go must not push out what is known of a MUK.
    """

    def __init__(self, nv: NonVolatile, table: str) -> None:
        self._heard = StoredTable(nv, table, LastMessage)

    def of(self, name: str) -> LastMessage:
        """Return what was heard under a key that the card holds, `NOTHING` when it never was."""
        return self._heard.get(name) or NOTHING

    def note(self, name: str, heard: LastMessage) -> None:
        """Record what was heard."""
        self._heard.put(name, heard)

    def recall(self, name: str, key: Secret) -> LastMessage:
        """Return what was heard under a key that is gone, `NOTHING` when nothing is remembered; it is forgotten now."""
        former = f"{name}-{fingerprint(key)}"
        heard = self._heard.get(former)
        if heard is None:
            return NOTHING
        self._heard.delete(former)
        return replace(heard, gone=0)

    def take_up(self, name: str, key: Secret) -> None:
        """The card holds this key, perhaps again: what is remembered of it goes on, unless its name is further."""
        heard, here = self.recall(name, key), self.of(name)
        if heard.live and (not here.live or is_newer(heard.counter, here.counter)):
            self.note(name, heard)

    def leave(self, name: str, key: Secret) -> None:
        """The key goes: remember it if it was heard live. The one gone longest is forgotten when they are too many."""
        heard = self.of(name)
        self._heard.delete(name)
        if not heard.live:
            return
        gone = sorted((other.gone, other_name) for other_name, other in self._heard.items() if other.gone)
        for _, oldest in gone[: max(0, len(gone) - CAPACITY["forgotten_keys"].value + 1)]:
            self._heard.delete(oldest)
        self.note(f"{name}-{fingerprint(key)}", replace(heard, gone=1 + (gone[-1][0] if gone else 0)))
