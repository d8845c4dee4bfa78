"""What was heard under each key: the counters against replay (TS 33.246 clauses 6.3.3 and 6.4).

They belong to the key itself and not to the record that holds it. A key that is deleted, pushed out or replaced and
delivered again later goes on where it stood: else every message of before would be new once more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from card.crypto.primitives import sha256
from card.crypto.secret import Secret
from card.spec.provisional import CAPACITY
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable

NO_MTK = -1
_FINGERPRINT_SIZE = 8


@dataclass(frozen=True, slots=True)
class Heard:
    """Counter and MTK ID (-1 for none) of the last message accepted under a key.

    `assumed` says that no message set the counter: it was raised for a key that is for play-back only. `gone` is 0
    while the card holds the key, else it tells which key went earlier.
    """

    counter: int = 0
    last_mtk: int = NO_MTK
    assumed: bool = False
    gone: int = 0

    @property
    def live(self) -> bool:
        """True when a message was heard live."""
        return self.counter > 0 and not self.assumed


NOTHING = Heard()


def fingerprint(key: Secret) -> str:
    """Return a name for a key that does not tell it: 16 hexadecimal digits."""
    return sha256(key.reveal())[:_FINGERPRINT_SIZE].hex()


class Freshness:
    """The counters of one kind of key, those of keys that are gone included (the last ones of them).

    Each kind has a table of its own: many MSKs that go must not push out what is known of a MUK.
    """

    def __init__(self, nv: NonVolatile, table: str) -> None:
        self._heard = RecordTable(nv, table, Heard)

    def of(self, name: str) -> Heard:
        """Return what was heard under a key, `NOTHING` when it never was."""
        return self._heard.get(name) or NOTHING

    def note(self, name: str, heard: Heard) -> None:
        """Record what was heard."""
        self._heard.put(name, heard)

    def take_up(self, name: str) -> None:
        """The card holds the key, perhaps again."""
        heard = self.of(name)
        if heard.gone:
            self.note(name, replace(heard, gone=0))

    def leave(self, name: str) -> None:
        """The key goes: remember it if it was heard live. The one gone longest is forgotten when they are too many."""
        heard = self.of(name)
        if not heard.live:
            self._heard.delete(name)
            return
        gone = sorted((other.gone, name) for name, other in self._heard.items() if other.gone)
        for _, oldest in gone[: max(0, len(gone) - CAPACITY["forgotten_keys"].value + 1)]:
            self._heard.delete(oldest)
        self.note(name, replace(heard, gone=1 + (gone[-1][0] if gone else 0)))
