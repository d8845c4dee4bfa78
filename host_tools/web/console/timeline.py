"""Where the crypto periods and SEKs of a service stand in a drawing that moves.

The drawing is as wide as its window (100 %), and goes on beyond its right edge, so that it can move on its own for a
while before it is drawn anew. Places are in percent: text keeps its size however narrow the screen is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from host_tools.drawing.axis import TimeAxis, clock
from host_tools.headend.operating.picture import SekPicture, ServicePicture

_PAST, _FUTURE, _BEYOND = 1.25, 3.0, 3.0
"""In crypto periods: what is shown before and after now, and what is drawn beyond."""
_BETWEEN_LABELS = 40.0
"""In percent of the window."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the drawing from `left`, `width` wide (percent); `odd` tells neighbours apart.

    `places` (percent of the box) are where its label stands: a long box has it again and again, as its begin moves out.
    """

    left: float
    width: float
    label: str
    told: str
    odd: bool = False
    places: tuple[float, ...] = (0.0,)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A service: crypto periods, SEKs, the place of now, how fast it moves (percent a second), and it all in words."""

    service: ServicePicture
    periods: tuple[Box, ...]
    seks: tuple[Box, ...]
    now: float
    speed: float
    words: str


def drawing(service: ServicePicture) -> Drawing:
    """Return the drawing of a service as it is now."""
    period = service.period
    window = (_PAST + _FUTURE) * period
    whole = window + _BEYOND * period
    axis = TimeAxis(whole, 100.0 * whole / window)
    first = max(service.mtk_id - 2, 1)

    def begin(mtk_id: int) -> float:
        """Return when a crypto period begins, in seconds of the axis."""
        return _PAST * period + (mtk_id - service.mtk_id) * period - service.elapsed

    numbers = [number for number in range(first, service.mtk_id + 8) if begin(number) < whole]
    periods = tuple(
        _box(axis, begin(number), begin(number + 1), f"MTK {number}", _told(service, number), number % 2 == 1)
        for number in numbers
    )
    seks = tuple(
        _box(axis, begin(max(low, first)), begin(high + 1), f"SEK {sek.msk_id}", _sek_words(sek), index % 2 == 1)
        for index, sek, low, high in _spans(service)
        if high >= first and begin(low) < whole
    )
    return Drawing(service, periods, seks, axis.at(_PAST * period), 100.0 / window, _words(service))


def _spans(service: ServicePicture) -> Iterator[tuple[int, SekPicture, int, int]]:
    """Yield each SEK with the first and last MTK ID at which it is the one in use."""
    for index, sek in enumerate(service.seks):
        after = service.seks[index + 1].first - 1 if index + 1 < len(service.seks) else sek.last
        yield index, sek, sek.first, min(sek.last, after)


def _box(axis: TimeAxis, begins: float, ends: float, label: str, told: str, odd: bool) -> Box:
    left = axis.at(begins)
    width = round(axis.at(ends) - left, 1)
    labels = max(round(width / _BETWEEN_LABELS), 1)
    return Box(left, width, label, told, odd, tuple(round(100 * number / labels, 1) for number in range(labels)))


def _told(service: ServicePicture, number: int) -> str:
    away = (number - service.mtk_id) * service.period - service.elapsed
    if number == service.mtk_id:
        return f"crypto period {number}, now, {clock(round(service.period - service.elapsed))} left"
    shown = clock(round(abs(away)))
    return f"crypto period {number}, begins in {shown}" if away > 0 else f"crypto period {number}, began {shown} ago"


def _sek_words(sek: SekPicture) -> str:
    return f"SEK {sek.msk_id} of key domain {sek.key_domain}, for MTK IDs {sek.first} to {sek.last}"


def _words(service: ServicePicture) -> str:
    left = clock(round(service.period - service.elapsed))
    sek = service.current
    if service.mtk_id > sek.last:
        return f"crypto period {service.mtk_id}; no SEK is for it, the last one ended with {sek.last}"
    return f"crypto period {service.mtk_id}, {left} left, under SEK {sek.msk_id}"
