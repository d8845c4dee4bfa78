"""The page of a playing. It reads without its script, without colour, and on paper; it shows names of keys, no key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from host_tools.chronicle.model import Chronicle, MediaFate, StkmFate
from host_tools.chronicle.page.marks import MEDIA_CLASSES, media_swatch, stkm_swatch, validity_swatch
from host_tools.chronicle.page.tables import tables
from host_tools.chronicle.page.timeline import timeline
from host_tools.drawing.axis import clock
from host_tools.drawing.page import page, text


def playing_page(chronicle: Chronicle) -> Iterator[str]:
    """Yield the page, part by part."""
    return page(chronicle.title, "host_tools.chronicle.page", "playing", _body(chronicle))


def _body(chronicle: Chronicle) -> Iterator[str]:
    yield f"<h1>{text(chronicle.title)}</h1>"
    good = "good" if _is_good(chronicle) else "bad"
    yield f'<p class="verdict {good}">{text(verdict(chronicle))}</p>'
    yield f"<p>{text(_when(chronicle))}</p>"
    if chronicle.about:
        yield f'<p class="about">{text(chronicle.about)}</p>'
    if chronicle.services or chronicle.notes:
        yield from timeline(chronicle)
        yield from _legend(chronicle)
    yield from tables(chronicle)


def verdict(chronicle: Chronicle) -> str:
    """Return the result as one sentence."""
    packets, stkms = chronicle.packets, chronicle.stkms
    came = packets.total() - packets[MediaFate.LOST]
    keys = sum(len(service.traffic_keys) for service in chronicle.services)
    parts = [f"{packets[MediaFate.OPENED]} of {came} media packets decrypted"] if came else []
    parts += [f"{packets[fate]} {fate.value}" for fate in MediaFate if fate is not MediaFate.OPENED and packets[fate]]
    parts += [f"{keys} traffic key{'' if keys == 1 else 's'} from {stkms.total()} STKMs"]
    parts += [f"{stkms[StkmFate.REFUSED]} STKMs refused"] if stkms[StkmFate.REFUSED] else []
    return ", ".join(parts) + "."


def _is_good(chronicle: Chronicle) -> bool:
    packets = chronicle.packets
    shut = packets[MediaFate.WITHOUT_KEY] + packets[MediaFate.FAILED]
    return not (shut or chronicle.stkms[StkmFate.REFUSED] or any(note.bad for note in chronicle.notes))


def _when(chronicle: Chronicle) -> str:
    try:
        begins = datetime.fromtimestamp(chronicle.begins, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        begins = "a time that no calendar has"
    return f"From {begins}, {clock(chronicle.seconds)} long. Times below count from there."


def _legend(chronicle: Chronicle) -> Iterator[str]:
    """Yield what the signs mean: all those of STKMs, and others where there are such."""
    yield '<ul class="key" aria-label="What the signs mean">'
    for fate in StkmFate:
        if fate is not StkmFate.UNREADABLE:
            yield f"<li>{stkm_swatch(fate)} STKM: {fate.value}</li>"
    if any(key.valid for service in chronicle.services for key in service.long_term_keys):
        yield f"<li>{validity_swatch()} SEK or PEK: valid, as far as it is told</li>"
    for media in MEDIA_CLASSES:
        if chronicle.packets.total():
            yield f"<li>{media_swatch(media)} media: {media.value}</li>"
    yield "</ul>"
    yield '<p class="hint" hidden>Click into the picture or Tab to it; the arrow keys go from sign to sign.</p>'
