"""Words for failed assertions about status words and card data."""

from __future__ import annotations

from collections.abc import Iterable

from card.spec.status import describe
from host_tools.pytest_plugin.answers import CardData, HiddenText, StatusWord
from host_tools.trace.decode import object_name
from host_tools.trace.diff import explain_data
from host_tools.trace.text import show_with_gaps

_HIGHEST_SW = 0xFFFF
_OPPOSITE = {"==": "!=", "!=": "==", "in": "not in", "not in": "in"}


def explain_comparison(operator: str, left: object, right: object) -> list[str] | None:
    """Return the lines that explain `left operator right` when it is false; None for what is not about a card."""
    if operator not in _OPPOSITE:
        return None
    if isinstance(left, StatusWord) or (isinstance(right, StatusWord) and isinstance(left, int)):
        return _explain_status(operator, left, right)
    if any(isinstance(side, HiddenText) or _hidden(side) for side in (left, right)):
        return _say_nothing(operator, left, right)
    if operator == "==" and isinstance(left, bytes) and isinstance(right, bytes) and _from_card(left, right):
        return _explain_bytes(left, right)
    return None


def _explain_status(operator: str, left: object, right: object) -> list[str]:
    wanted = ["none of " if operator == "not in" else "", *_words(right)]
    prefix = "wanted   not " if operator == "!=" else "wanted   "
    return [
        f"status word {_number(left)} {_OPPOSITE[operator]} {_number(right)}",
        f"answered {' '.join(_words(left))}",
        prefix + wanted[0] + " or ".join(wanted[1:]),
    ]


def _words(value: object) -> list[str]:
    if isinstance(value, int) and 0 <= value <= _HIGHEST_SW:
        return [describe(value)]
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [word for item in value for word in _words(item)]
    return [repr(value)]


def _number(value: object) -> str:
    if isinstance(value, int) and 0 <= value <= _HIGHEST_SW:
        return f"{value:04X}"
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return "(" + ", ".join(map(_number, value)) + ")"
    return repr(value)


def _explain_bytes(left: bytes, right: bytes) -> list[str]:
    words = explain_data(bytes(left), bytes(right))
    if _where(left, right):
        card, wanted = (left, right) if _path(left) else (right, left)
        return [f"{_where(left, right)}{_shown(card)}, wanted {_shown(wanted)}", words]
    sides = [f"left:  {_shown(left)}", f"right: {_shown(right)}"]
    return [f"{len(left)} bytes != {len(right)} bytes", words, *sides]


def _say_nothing(operator: str, left: object, right: object) -> list[str]:
    """Say only how much there was: the other side is what the key ought to have been."""
    sizes = f" {_OPPOSITE[operator]} ".join(_size(side) for side in (left, right))
    return [f"{_where(left, right)}{sizes}", "not shown: they may hold a key"]


def _size(side: object) -> str:
    match side:
        case bytes() | bytearray():
            return f"{len(side)} bytes"
        case str():
            return f"{len(side)} characters"
        case _:
            return type(side).__name__


def _where(left: object, right: object) -> str:
    """Return which data object is compared, in words; empty for whole answers."""
    path = _path(left) or _path(right)
    name = object_name(path)
    return f"TLV {path} ({name}): " if name else f"TLV {path}: " if path else ""


def _path(data: object) -> str:
    return data.path if isinstance(data, CardData) else ""


def _shown(data: bytes) -> str:
    return show_with_gaps(data, ()) or "no data"


def _from_card(left: bytes, right: bytes) -> bool:
    return isinstance(left, CardData) or isinstance(right, CardData)


def _hidden(data: object) -> bool:
    return isinstance(data, CardData) and bool(data.hidden)
