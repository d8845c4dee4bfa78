"""Where the crypto periods and SEKs of a service stand in a drawing that moves.

The drawing is as wide as its window (100 %), and goes on beyond its right edge, so that it can move on its own for a
while before it is drawn anew. Places are in percent: text keeps its size however narrow the screen is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from host_tools.drawing.axis import TimeAxis, clock
from host_tools.headend.operating.picture import SekPicture, ServicePicture

_PAST, _FUTURE, _BEYOND = 1.25, 3.0, 3.0
"""In crypto periods: what is shown before and after now, and what is drawn beyond."""
_BEFORE, _AFTER = 2, 8
"""Crypto periods before and after now that reach into the drawing, or may."""
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

    def begin(away: int) -> float:
        """Return when a crypto period so far from now (0) begins, in seconds of the axis."""
        return (_PAST + away) * period - service.elapsed

    reach = range(-min(_BEFORE, service.before), _AFTER)
    shown = [away for away in reach if begin(away + 1) > 0 and begin(away) < whole]
    periods = tuple(
        _box(axis, begin(away), begin(away + 1), f"MTK {number}", _told(service, away), number % 2 == 1)
        for away in shown
        for number in (service.mtk_id_at(away),)
    )
    # By where they begin: a SEK out of turn comes last of all, and is drawn between two of the schedule.
    turns = sorted({sek.begins for sek in service.seks})
    seks = tuple(
        _box(axis, begin(low), begin(high + 1), f"SEK {sek.msk_id}", _sek_words(sek), turns.index(sek.begins) % 2 == 1)
        for sek, low, high in _spans(service, shown)
    )
    return Drawing(service, periods, seks, axis.at(_PAST * period), 100.0 / window, _words(service))


def _spans(service: ServicePicture, shown: Iterable[int]) -> Iterator[tuple[SekPicture, int, int]]:
    """Yield each SEK with the first and last of the crypto periods shown in which it is the one in use."""
    for sek, of_it in groupby(shown, service.in_use):
        if sek is not None:
            low, *more = of_it
            yield sek, low, more[-1] if more else low


def _box(axis: TimeAxis, begins: float, ends: float, label: str, told: str, odd: bool) -> Box:
    left = axis.at(begins)
    width = round(axis.at(ends) - left, 1)
    labels = max(round(width / _BETWEEN_LABELS), 1)
    return Box(left, width, label, told, odd, tuple(round(100 * number / labels, 1) for number in range(labels)))


def _told(service: ServicePicture, away: int) -> str:
    number, seconds = service.mtk_id_at(away), away * service.period - service.elapsed
    if away == 0:
        return f"crypto period {number}, now, {clock(round(service.period - service.elapsed))} left"
    shown = clock(round(abs(seconds)))
    return f"crypto period {number}, begins in {shown}" if away > 0 else f"crypto period {number}, began {shown} ago"


def _sek_words(sek: SekPicture) -> str:
    return f"SEK {sek.msk_id} of key domain {sek.key_domain}, for MTK IDs {sek.first} to {sek.last}"


def _words(service: ServicePicture) -> str:
    left = clock(round(service.period - service.elapsed))
    sek = service.current
    if sek.ends < 0:
        return f"crypto period {service.mtk_id}; no SEK is for it, the last one ended with {sek.last}"
    return f"crypto period {service.mtk_id}, {left} left, under SEK {sek.msk_id}"
