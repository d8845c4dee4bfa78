"""The latency plot: for each command, both sides as a box from quartile to quartile on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from host_tools.compare.model import CommandTiming, Spread
from host_tools.drawing.axis import LogAxis

_LEFT, _WIDTH, _RIGHT = 190, 640, 20
_ROW, _TOP, _BOTTOM = 34, 10, 30
_BAR = 10
_LABEL = "time per command in milliseconds, logarithmic"


def latency_plot(rows: Sequence[CommandTiming]) -> str:
    """Return an SVG element; empty text when nothing was measured."""
    spreads = [spread for row in rows for spread in (row.a, row.b) if spread is not None]
    if not spreads:
        return ""
    least, most = min(item.least for item in spreads), max(item.most for item in spreads)
    scale = LogAxis.around(least, most, _LEFT, _WIDTH)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    box = f"0 0 {_LEFT + _WIDTH + _RIGHT} {height}"
    parts = [f'<svg viewBox="{box}" role="img" aria-label="{_LABEL}">', *_axis(scale, height - _BOTTOM)]
    for index, row in enumerate(rows):
        parts += _row(row, _TOP + index * _ROW, scale)
    return "\n".join([*parts, "</svg>"])


def _axis(scale: LogAxis, bottom: int) -> Iterator[str]:
    for power in range(scale.first, scale.last + 1):
        x = scale.at(10.0**power)
        yield f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>'
        yield f'<text class="tick" x="{x}" y="{bottom + 18}">{10.0 ** (power + 3):g} ms</text>'


def _row(row: CommandTiming, top: int, scale: LogAxis) -> Iterator[str]:
    yield f'<text class="name" x="{_LEFT - 10}" y="{top + _ROW / 2 + 4}">{escape(row.command)}</text>'
    for side, spread, offset in (("a", row.a, 4), ("b", row.b, 4 + _BAR + 4)):
        if spread is not None:
            yield from _box(side, spread, top + offset, scale, row.command)


def _box(side: str, spread: Spread, top: int, scale: LogAxis, command: str) -> Iterator[str]:
    middle = top + _BAR / 2
    left, right = scale.at(spread.lower), scale.at(spread.upper)
    told = (
        f"{side.upper()}, {command}: median {spread.median * 1000:.3f} ms, from {spread.least * 1000:.3f} to "
        f"{spread.most * 1000:.3f} ms, {spread.count} times"
    )
    yield f'<g class="side-{side}"><title>{escape(told)}</title>'
    yield f'<line x1="{scale.at(spread.least)}" y1="{middle}" x2="{scale.at(spread.most)}" y2="{middle}"/>'
    yield f'<rect x="{left}" y="{top}" width="{max(right - left, 2):.1f}" height="{_BAR}"/>'
    median = scale.at(spread.median)
    yield f'<line class="median" x1="{median}" y1="{top - 1}" x2="{median}" y2="{top + _BAR + 1}"/></g>'
