"""The picture: for each service its long-term keys, traffic keys, STKMs and media; then the purses, over one time axis.

The names of the lanes stand in a column of their own, which stays while the picture moves sideways. They stand in the
picture, too, left of what the screen shows of it: on paper it is one picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from host_tools.chronicle.model import (
    Balance,
    Chronicle,
    LongTermKeyUse,
    MediaFate,
    ServiceStory,
    Stkm,
    TrafficKeyUse,
)
from host_tools.chronicle.page.marks import MEDIA_CLASSES, PATTERNS, stkm_sign, validity_sign
from host_tools.chronicle.validity import moments
from host_tools.drawing.axis import TimeAxis, clock
from host_tools.drawing.page import text

_LABELS, _LEFT, _RIGHT, _TOP = 118, 20, 24, 26
_NARROWEST, _WIDEST, _PER_SECOND = 1_060, 2_600, 3
_TITLE, _BAR, _SIGNS, _MEDIA, _PURSE, _GAP = 24, 22, 20, 52, 44, 8
_VALID = 9
_MSK_ID = 8  # hex digits of an MSK ID, behind the key domain
_NEAR = 0.5  # seconds: an STKM comes that much before its crypto period, or so
_ROOM_FOR_LABEL = 34
_SHORTEST = 0.2  # seconds that the axis has at least
_MARK_EVERY = 90  # pixels between two marks of the axis, at least


@dataclass(slots=True)
class _Drawing:
    """The parts so far, and where the next lane begins."""

    axis: TimeAxis
    top: float = _TOP
    labels: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def label(self, words: str, height: float, kind: str = "lane") -> float:
        """Begin a lane; return its top."""
        top, self.top = self.top, self.top + height
        y = round(top + min(height, 24) / 2 + 4, 1)
        lines = "".join(
            f'<tspan x="0" dy="{14 * bool(number)}">{text(part if len(part) <= 20 else f"{part[:19]}…")}</tspan>'
            for number, part in enumerate(words.split(", ", 1))
        )
        self.labels.append(f'<text class="{kind}" x="0" y="{y}">{lines}<title>{text(words)}</title></text>')
        return top

    def mark(self, lane: str, told: str, shape: str) -> None:
        """Draw a sign that tells something."""
        self.parts.append(f'<g class="m" data-lane="{text(lane)}"><title>{text(told)}</title>{shape}</g>')


def timeline(chronicle: Chronicle) -> Iterator[str]:
    """Yield the picture as HTML."""
    seconds = max(chronicle.seconds, _SHORTEST)
    width = min(max(_NARROWEST, seconds * _PER_SECOND), _WIDEST)
    drawing = _Drawing(TimeAxis(seconds, width, _LEFT))
    _notes(drawing, chronicle)
    for service in chronicle.services:
        _service(drawing, service)
    for balance in chronicle.balances:
        _balance(drawing, balance)
    height = round(drawing.top + _GAP, 1)
    whole = round(_LEFT + width + _RIGHT, 1)
    labels = "".join(drawing.labels)
    yield '<figure class="timeline" aria-label="What happened, over time"><div class="frame">'
    yield f'<svg class="labels" width="{_LABELS}" height="{height}" aria-hidden="true">{labels}</svg>'
    yield '<div class="strip" tabindex="0" role="group" aria-label="Picture over time; the tables below say the same">'
    box = f'width="{whole + _LABELS}" height="{height}" viewBox="{-_LABELS} 0 {whole + _LABELS} {height}"'
    yield f'<svg class="picture" {box}>{PATTERNS}<g transform="translate({-_LABELS})">{labels}</g>'
    yield from _grid(drawing.axis, height)
    yield from drawing.parts
    yield '</svg></div></div><output class="detail" aria-live="polite" hidden></output></figure>'


def _grid(axis: TimeAxis, height: float) -> Iterator[str]:
    for second in axis.marks(int(axis.width / _MARK_EVERY)):
        x = axis.at(second)
        yield f'<line class="grid" x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{height}"/>'
        yield f'<text class="tick" x="{x}" y="{_TOP - 12}">{clock(second)}</text>'


def _notes(drawing: _Drawing, chronicle: Chronicle) -> None:
    if not chronicle.notes:
        return
    top = drawing.label("Events", _SIGNS + _GAP)
    for note in chronicle.notes:
        x = drawing.axis.at(note.at)
        kind = "event bad" if note.bad else "event"
        shape = f'<path class="{kind}" d="M{x} {top + 4}v12m-4 -4l4 5l4 -5"/>'
        drawing.mark("Events", f"{clock(note.at)} {note.words}", shape)


def _service(drawing: _Drawing, service: ServiceStory) -> None:
    drawing.label(service.name, _TITLE, "service")
    y = drawing.top - 2
    drawing.parts.append(f'<line class="rule" x1="0" y1="{y}" x2="{_LEFT + drawing.axis.width}" y2="{y}"/>')
    used = {key.long_term_key: max(_end(key), 0.0) for key in service.traffic_keys}
    rows = max((len(above.valid) for above in service.long_term_keys), default=0)
    top = drawing.label("SEK or PEK", _BAR + 6 + rows * _VALID)
    for number, above in enumerate(service.long_term_keys):
        end = max(above.last, used.get(above.key, 0.0))
        _bar(drawing, f"{service.name} SEK", top + 2, (_first(above), end), f"sek s{number % 2}", above.key[-8:],
             _long_term_words(above, end))  # fmt: skip
        _validities(drawing, service, above, top + _BAR + 7)
    top = drawing.label("TEK", _BAR + 6)
    for number, key in enumerate(service.traffic_keys):
        _bar(drawing, f"{service.name} TEK", top + 2, (_begin(key), _end(key)), f"tek s{number % 2}",
             key.key.rpartition("/")[2], _traffic_words(key, bool(service.media)))  # fmt: skip
    top = drawing.label("STKM", _SIGNS)
    for stkm in service.stkms:
        shape = stkm_sign(stkm.fate, drawing.axis.at(stkm.at), top + 5)
        drawing.mark(f"{service.name} STKM", _stkm_words(stkm), shape)
    _media(drawing, service)


def _validities(drawing: _Drawing, service: ServiceStory, above: LongTermKeyUse, y: float) -> None:
    seconds = drawing.axis.seconds
    for row, valid in enumerate(above.valid):
        span = moments(valid, above.key[-_MSK_ID:], service.stkms)
        if span is None or span[1] <= max(span[0], 0.0) or span[0] >= seconds:
            continue
        begins, ends = span
        opens, closes = begins >= -_NEAR, ends <= seconds + _NEAR
        left, right = drawing.axis.at(begins), max(drawing.axis.at(ends), drawing.axis.at(begins) + 4)
        shape = validity_sign(left, right, round(y + row * _VALID, 1), opens=opens, closes=closes)
        drawing.mark(f"{service.name} validity", f"{_span_words(begins, ends, opens, closes)} SEK or PEK {above.key}: "
                     f"valid for {valid}", shape)  # fmt: skip


def _span_words(begins: float, ends: float, opens: bool, closes: bool) -> str:
    since = clock(max(begins, 0.0)) if opens else "from before"
    return f"{since} to {clock(ends)}" if closes else f"{since} on"


def _first(above: LongTermKeyUse) -> float:
    return above.first if above.came is None else min(above.came, above.first)


def _begin(key: TrafficKeyUse) -> float:
    return key.given if key.used is None else min(key.given, key.used[0])


def _end(key: TrafficKeyUse) -> float:
    return key.given if key.used is None else key.used[1]


def _bar(drawing: _Drawing, lane: str, top: float, span: tuple[float, float], kind: str, label: str, told: str) -> None:
    left, right = drawing.axis.at(span[0]), drawing.axis.at(span[1])
    width = max(round(right - left, 1), 2)
    shape = f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{_BAR - 2}" rx="2"/>'
    if width > max(_ROOM_FOR_LABEL, 8 * len(label)):
        shape += f'<text class="inside" x="{round(left + width / 2, 1)}" y="{top + 14}">{text(label)}</text>'
    drawing.mark(lane, told, shape)


def _media(drawing: _Drawing, service: ServiceStory) -> None:
    most = max((sum(one.packets.values()) for one in service.media), default=0)
    if not most:
        return
    top = drawing.label("Media", _MEDIA + _GAP)
    floor = top + _MEDIA
    drawing.parts.append(
        f'<line class="grid" x1="{_LEFT}" y1="{floor}" x2="{_LEFT + drawing.axis.width}" y2="{floor}"/>'
    )
    for one in service.media:
        left, right = drawing.axis.at(one.start), drawing.axis.at(one.end)
        width, bottom, shapes = max(round(right - left - 0.5, 1), 1), floor, []
        for fate, kind in MEDIA_CLASSES.items():
            count = one.packets.get(fate, 0)
            if count > 0:
                high = max(round(count / most * (_MEDIA - 6), 1), 1.5)
                bottom = round(bottom - high, 1)
                bar = f'x="{left}" y="{bottom}" width="{width}" height="{high}"'
                shapes.append(f'<rect class="media {kind}" {bar}/>')
        told = ", ".join(f"{one.packets[fate]} {fate.value}" for fate in MediaFate if one.packets.get(fate, 0) > 0)
        drawing.mark(
            f"{service.name} media", f"{clock(one.start)} to {clock(one.end)} packets: {told}", "".join(shapes)
        )


def _balance(drawing: _Drawing, balance: Balance) -> None:
    top = drawing.label(balance.name, _PURSE + _GAP)
    most = max((value for _, value in balance.points), default=0) or 1
    floor = top + _PURSE

    def y(value: int) -> float:
        return round(floor - 4 - value / most * (_PURSE - 16), 1)

    path, before = "", None
    for at, value in balance.points:
        x = drawing.axis.at(at)
        path += f"M{x} {y(value)}" if before is None else f"H{x}V{y(value)}"
        before = value
    path += f"H{_LEFT + drawing.axis.width}"
    drawing.parts.append(f'<path class="purse" d="{path}"/>')
    free = 0.0
    for at, value in balance.points:
        x = drawing.axis.at(at)
        shape = f'<circle class="purse" cx="{x}" cy="{y(value)}" r="3"/>'
        if x >= free:
            shape += f'<text class="value" x="{x + 4}" y="{y(value) - 4}">{value}</text>'
            free = x + 12 + 8 * len(str(value))
        drawing.mark(balance.name, f"{clock(at)} {balance.name}: {value}", shape)


def _long_term_words(above: LongTermKeyUse, end: float) -> str:
    came = f"came {clock(above.came)}" if above.came is not None else f"came {above.arrival}"
    allows = f"; {'; '.join(above.allows)}" if above.allows else ""
    return f"{clock(_first(above))} SEK or PEK {above.key}: {came}, in use until {clock(end)}{allows}"


def _traffic_words(key: TrafficKeyUse, has_media: bool) -> str:
    if not has_media:
        return f"{clock(key.given)} TEK {key.key}"
    used = "opened nothing" if key.used is None else (
        f"opened {key.packets} packets, {clock(key.used[0])} to {clock(key.used[1])}"
    )  # fmt: skip
    return f"{clock(key.given)} TEK {key.key}: {used}"


def _stkm_words(stkm: Stkm) -> str:
    why = f": {stkm.why}" if stkm.why else ""
    return f"{clock(stkm.at)} STKM of {stkm.key}, T {stkm.timestamp}, {stkm.fate.value}{why}"
