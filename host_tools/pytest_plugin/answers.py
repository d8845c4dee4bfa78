"""What a card answered, in types that pytest can explain when an assertion about them fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, SupportsIndex, overload

from card.codec.redaction import Span
from card.codec.redaction.spans import whole
from card.spec.status import describe, is_normal
from host_tools.trace.tlv import walk_tlvs


class StatusWord(int):
    """A status word (16 bits). It equals the plain number; its repr says what it means."""

    def __eq__(self, other: object) -> bool:
        return int(self) == other

    def __hash__(self) -> int:
        return hash(int(self))

    def __repr__(self) -> str:
        return f"<{describe(self)}>"


class HiddenText(str):
    """Text made of bytes that may hold a key. It equals plain text; its repr does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters, not shown>"


class CardData(bytes):
    """Bytes that a card answered. They equal plain bytes; those that may hold a key are never shown.

    A slice is as secret as the bytes it is taken from, and so is their hex.

    `path` says which data object they are the value of, such as `62/82`; it is empty for a whole answer.
    """

    hidden: tuple[Span, ...] = ()
    path: str = ""

    @classmethod
    def of(cls, data: bytes, hidden: Sequence[Span] = (), path: str = "") -> Self:
        """Take the bytes, which spans of them are secret, and the path of the data object."""
        made = cls(data)
        made.hidden = tuple(hidden)
        made.path = path
        return made

    def part(self, start: int, end: int, path: str = "") -> CardData:
        """Return the bytes from `start` to before `end`, as secret as they are in here."""
        hidden = [
            (max(first, start) - start, min(behind, end) - start)
            for first, behind in self.hidden
            if first < end and behind > start
        ]
        return CardData.of(bytes.__getitem__(self, slice(start, end)), hidden, path)

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...

    @overload
    def __getitem__(self, key: slice, /) -> bytes: ...

    def __getitem__(self, key: SupportsIndex | slice, /) -> int | bytes:
        taken = super().__getitem__(key)
        if isinstance(taken, int) or not self.hidden or not isinstance(key, slice):
            return taken
        start, end, step = key.indices(len(self))
        # Every second byte of a key is a secret, too.
        return self.part(start, max(start, end)) if step == 1 else CardData.of(taken, whole(taken))

    def hex(self, *separators: Any, **more: Any) -> str:
        """Return the bytes in hex, as `bytes.hex` does."""
        text = super().hex(*separators, **more)
        return HiddenText(text) if self.hidden else text

    def __repr__(self) -> str:
        return f"<{len(self)} bytes, not shown>" if self.hidden else f"<{self.hex(' ').upper() or 'no data'}>"


class TlvMissing(AssertionError):
    """There is no data object at this path. The message lists those there are."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response: data (0 to 65,536 bytes) and status word."""

    data: CardData
    sw: StatusWord

    @property
    def ok(self) -> bool:
        """True when the card has done what the command asks for."""
        return is_normal(self.sw)

    def tlv(self, path: str) -> CardData:
        """Return the value of the data object at a path of tags, such as `62/83`.

        Raises `TlvMissing`, which is a failed assertion.
        """
        items = walk_tlvs(self.data, padded=True)
        for item in items:
            if item.path == path.upper():
                return self.data.part(item.start, item.end, item.path)
        found = ", ".join(item.path for item in items) or "no TLV at all"
        raise TlvMissing(f"no data object {path}; the card answered {describe(self.sw)}, with {found}")
