"""Patterns for answers: status words with X for any digit, data with ? and *."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from host_tools.script.errors import ExpressionError
from host_tools.script.template import Template
from host_tools.script.values import Scope

_SW = re.compile(r"[0-9A-FX]{4}")
_REFUSED = re.compile(r"6[4-9A-F]..|9[38]..")  # execution and checking errors, and those of older cards
_CHUNK = re.compile(r"([?*]+)")
_VARIABLE = re.compile(r"(\{[^{}]*\})")
_DIGITS = re.compile(r"[0-9A-Fa-f?*]*")


@dataclass(frozen=True, slots=True)
class SwPattern:
    """One or more status words that will do, such as `9000|61XX`; `ok` stands for 9000 and 91XX."""

    text: str
    alternatives: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> SwPattern:
        """Read alternatives with | between them. Raises `ExpressionError`."""
        words = [word.strip().upper() for word in text.split("|")]
        alternatives: list[str] = []
        for word in words:
            alternatives += ["9000", "91XX"] if word == "OK" else [word]
        wrong = next((word for word in alternatives if not _SW.fullmatch(word)), None)
        if wrong is not None:
            raise ExpressionError(f"{wrong!r} is no status word: four hex digits, X for any digit, | between several")
        return cls(text, tuple(alternatives))

    def fits(self, sw: int) -> bool:
        """Tell whether a status word is one of those."""
        digits = f"{sw:04X}"
        return any(all(a in ("X", b) for a, b in zip(word, digits, strict=True)) for word in self.alternatives)

    @property
    def refuses(self) -> bool:
        """True when every status word that will do says that the card did not do what was asked."""
        return all(_REFUSED.fullmatch(word) for word in self.alternatives)


OK = SwPattern.parse("ok")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where data leave a pattern: offset in bytes, and what was wanted there in words."""

    offset: int
    wanted: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes with wildcards: templates, with wildcards (`?` a digit, `*` any bytes) between them."""

    text: str
    pieces: tuple[Template | str, ...]

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read the notation. Raises `ExpressionError`."""
        compact = re.sub(r"\s+", "", text)
        pieces = [piece for chunk in _CHUNK.split(compact) if chunk for piece in _pieces(chunk)]
        return cls(text, tuple(pieces))

    @property
    def names(self) -> frozenset[str]:
        """The variables that occur."""
        return frozenset().union(*(piece.names for piece in self.pieces if isinstance(piece, Template)))

    def match(self, data: bytes, scope: Scope) -> Mismatch | None:
        """Return where `data` leave the pattern; None when they fit. Raises `ExpressionError`."""
        digits = "".join(
            piece if isinstance(piece, str) else piece.expand(scope).data.hex().upper() for piece in self.pieces
        )
        return _compare(digits, data)


def _pieces(chunk: str) -> Iterator[Template | str]:
    """Yield digits and wildcards as they stand, so that a wildcard may be half a byte, and templates for the rest."""
    if re.search(r"[\[(]", _VARIABLE.sub("", chunk)):
        yield Template.parse(chunk)
        return
    for part in _VARIABLE.split(chunk):
        if part.startswith("{"):
            yield Template.parse(part)
        elif _DIGITS.fullmatch(part):
            yield part.upper()
        else:
            raise ExpressionError(f"cannot read {part[:12]!r}: hex digits, ?, * and {{variables}} are wanted")


def _compare(digits: str, data: bytes) -> Mismatch | None:
    """Compare hex digits, `?` and `*` with data."""
    shown = data.hex().upper()
    head, star, _ = digits.partition("*")
    for index, (wanted, got) in enumerate(zip(head, shown, strict=False)):
        if wanted not in ("?", got):
            start = index // 2 * 2
            return Mismatch(index // 2, head[start : start + 2].ljust(2, "?"))
    if len(shown) < len(head):
        return Mismatch(len(data), f"{len(head) // 2} bytes{' or more' if star else ''}")
    if not star:
        return None if len(shown) == len(head) else Mismatch(len(head) // 2, f"the end, after {len(head) // 2} bytes")
    expression = "".join(".*" if char == "*" else "." if char == "?" else char for char in _squeezed(digits))
    return None if re.fullmatch(expression, shown) else Mismatch(len(head) // 2, digits[len(head) : len(head) + 24])


def _squeezed(digits: str) -> str:
    squeezed = re.sub(r"\*+", "*", digits)
    if squeezed.count("*") > 4:
        raise ExpressionError("a pattern has at most four *")
    return squeezed
