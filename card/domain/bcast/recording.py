"""Recorded content: which recordings the terminal signalled, so that the policies they need are not pushed out."""

from __future__ import annotations

from collections.abc import Iterator

from card.domain.errors import NoRoomForMsk
from card.lean import lean_dataclass
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable


@lean_dataclass(frozen=True, slots=True)
class Recording:
    """One signalled recording: terminal (type byte and 16 bytes), content, key (7 bytes) and STKM timestamps."""

    terminal_id: bytes
    content_id: bytes
    key_domain: bytes
    msk_id: bytes
    first_ts: int
    last_ts: int

    def same_content(self, terminal_id: bytes, content_id: bytes) -> bool:
        """Tell whether it belongs to this content of this terminal."""
        return (self.terminal_id, self.content_id) == (terminal_id, content_id)

    def needs(self, lower: int, upper: int) -> bool:
        """Tell whether a policy valid from `lower` to `upper` covers a part of it."""
        return self.first_ts <= upper and lower <= self.last_ts


class Recordings:
    """The signalled recordings of one application."""

    def __init__(self, nv: NonVolatile, application: str, most: int) -> None:
        self._records = StoredTable(nv, f"recording/{application}/", Recording)
        self._most = most

    def all(self) -> list[Recording]:
        """Return all recordings in the order in which they were signalled."""
        return [recording for _, recording in self._records.items()]

    def of_key(self, key_domain: bytes, msk_id: bytes) -> Iterator[Recording]:
        """Yield the recordings that need a key."""
        return (item for item in self.all() if (item.key_domain, item.msk_id) == (key_domain, msk_id))

    def add(self, recording: Recording) -> None:
        """Note a recording; the same one again changes nothing. Raises `NoRoomForMsk` when there are too many."""
        items = list(self._records.items())
        if any(known == recording for _, known in items):
            return
        if len(items) >= self._most:
            raise NoRoomForMsk
        self._records.put(f"{int(items[-1][0], 16) + 1 if items else 1:08X}", recording)

    def remove(self, terminal_id: bytes, content_id: bytes) -> list[Recording]:
        """Drop the recordings of a content; return them."""
        found = [(name, item) for name, item in self._records.items() if item.same_content(terminal_id, content_id)]
        for name, _ in found:
            self._records.delete(name)
        return [item for _, item in found]
