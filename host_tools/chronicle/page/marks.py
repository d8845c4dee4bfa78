"""The signs of the picture: one shape for each fate, so that no colour is needed to tell them apart."""

from __future__ import annotations

from collections.abc import Mapping

from host_tools.chronicle.model import MediaFate, StkmFate

MEDIA_CLASSES: Mapping[MediaFate, str] = {
    MediaFate.OPENED: "opened",
    MediaFate.REPEATED: "repeated",
    MediaFate.WITHOUT_KEY: "shut",
    MediaFate.FAILED: "failed",
    MediaFate.LOST: "lost",
}
"""The class of a bar, from the bottom of a column to its top."""

PATTERNS = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="hatch" d="M0 0V6"/></pattern>'
    '<pattern id="cross" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<path class="cross" d="M0 0L5 5M5 0L0 5"/></pattern></defs>'
)
"""What fills the bars of packets that stayed shut; it stands once on a page."""

_SHAPES: Mapping[StkmFate, tuple[str, str]] = {
    StkmFate.NEW: ("new", "M{x} {t}l5 9h-10z"),
    StkmFate.RESENT: ("resent", "M{x} {t}l5 9h-10z"),
    StkmFate.IDENTICAL: ("same", "M{x} {m}v5"),
    StkmFate.STALE: ("stale", "M{x} {t}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"),
    StkmFate.REFUSED: ("refused", "M{l} {t}l9 9m0 -9l-9 9"),
}


def stkm_sign(fate: StkmFate, x: float, top: float) -> str:
    """Return the sign of an STKM; it is 10 wide around `x` and 9 high."""
    kind, shape = _SHAPES[fate]
    return f'<path class="stkm {kind}" d="{shape.format(x=x, t=top, m=top + 4, l=round(x - 4.5, 1))}"/>'


def stkm_swatch(fate: StkmFate) -> str:
    """Return the sign for a legend."""
    return f'<svg class="swatch" width="14" height="12" aria-hidden="true">{stkm_sign(fate, 7, 1.5)}</svg>'


def validity_sign(left: float, right: float, y: float, *, opens: bool, closes: bool) -> str:
    """Return the line of a validity; where it begins or ends within the picture it has a foot, else an arrow."""
    begin = f"M{left} {y - 3}v6" if opens else f"M{left + 4} {y - 3}l-4 3l4 3"
    end = f"M{right} {y - 3}v6" if closes else f"M{right - 4} {y - 3}l4 3l-4 3"
    return f'<path class="valid" d="{begin}M{left} {y}H{right}{end}"/>'


def validity_swatch() -> str:
    """Return the line for a legend."""
    sign = validity_sign(2, 20, 6, opens=True, closes=False)
    return f'<svg class="swatch" width="22" height="12" aria-hidden="true">{sign}</svg>'


def media_swatch(fate: MediaFate) -> str:
    """Return the filling of a bar for a legend."""
    bar = f'<rect class="media {MEDIA_CLASSES[fate]}" x="1" y="1" width="12" height="10"/>'
    return f'<svg class="swatch" width="14" height="12" aria-hidden="true">{bar}</svg>'
