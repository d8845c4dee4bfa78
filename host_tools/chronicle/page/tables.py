"""The tables below the picture: everything that it shows, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from host_tools.chronicle.model import Chronicle, MediaFate, ServiceStory, StkmFate, TrafficKeyUse
from host_tools.drawing.axis import clock
from host_tools.drawing.page import text

Row = Sequence[str]
_NUMBER = "#"  # the beginning of a heading whose column has numbers


def tables(chronicle: Chronicle) -> Iterator[str]:
    """Yield the tables that have something to say."""
    fates = [fate for fate in MediaFate if chronicle.packets[fate]]
    heads = ("service", "sent to", "#traffic keys", "#STKMs", "#refused", *(f"#packets {fate.value}" for fate in fates))
    yield from _table("Services", heads, [_service(one, fates) for one in chronicle.services])
    keys = [
        (one.name, key.key, _when(key.arrival), clock(key.first), clock(key.last),
         "; ".join(map(str, key.valid)), "; ".join(key.allows))
        for one in chronicle.services for key in one.long_term_keys
    ]  # fmt: skip
    yield from _table(
        "SEKs and PEKs", ("service", "key", "#came", "#first STKM", "#last STKM", "valid for", "allows"), keys
    )
    has_media = chronicle.packets.total() > 0
    traffic = [(one.name, *_traffic(key, has_media)) for one in chronicle.services for key in one.traffic_keys]
    yield from _table("TEKs", ("service", "name", "#given", "#first packet", "#last packet", "#packets"), traffic)
    yield from _table("Purses and counters", ("name", "#time", "#holds"), [
        (balance.name, clock(at), str(value)) for balance in chronicle.balances for at, value in balance.points
    ])  # fmt: skip
    yield from _table("Events", ("#time", "what happened"), [(clock(note.at), note.words) for note in chronicle.notes])
    yield from _stkms(chronicle)


def _when(arrival: float | str) -> str:
    return arrival if isinstance(arrival, str) else clock(arrival)


def _traffic(key: TrafficKeyUse, has_media: bool) -> Row:
    first, last = ("", "") if key.used is None else map(clock, key.used)
    return key.key, clock(key.given), first, last, str(key.packets) if has_media else ""


def _service(service: ServiceStory, fates: Sequence[MediaFate]) -> Row:
    counts, packets = service.stkm_counts, service.packets
    return (
        service.name, service.place, str(len(service.traffic_keys)), str(sum(counts.values())),
        str(counts.get(StkmFate.REFUSED, 0)), *(str(packets[fate]) for fate in fates),
    )  # fmt: skip


def _stkms(chronicle: Chronicle) -> Iterator[str]:
    rows = [
        (service.name, clock(stkm.at), stkm.key, str(stkm.timestamp), stkm.fate.value, stkm.why)
        for service in chronicle.services for stkm in service.stkms
    ]  # fmt: skip
    if not rows:
        return
    yield f'<details class="stkms"><summary><h2>STKMs ({chronicle.stkms.total()})</h2></summary>'
    yield '<form hidden><label>show <select name="fate"><option value="">all</option>'
    for fate in StkmFate:
        yield f"<option>{fate.value}</option>"
    yield "</select></label><output></output></form>"
    yield from _table("", ("service", "#time", "traffic key", "#T", "result", "why"), rows)
    untold = chronicle.stkms.total() - len(rows)
    if untold:
        yield f"<p>{untold} more are counted and not listed.</p>"
    yield "</details>"


def _table(heading: str, heads: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    told = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    heads, rows = [heads[place] for place in told], [[row[place] for place in told] for row in rows]
    numbers = [' class="n"' if head.startswith(_NUMBER) else "" for head in heads]
    if heading:
        yield f"<h2>{heading}</h2>"
    yield '<div class="wide"><table><thead><tr>'
    for kind, head in zip(numbers, heads, strict=True):
        yield f"<th{kind}>{head.removeprefix(_NUMBER)}</th>"
    yield "</tr></thead><tbody>"
    for row in rows:
        yield (
            "<tr>" + "".join(f"<td{kind}>{text(cell)}</td>" for kind, cell in zip(numbers, row, strict=True)) + "</tr>"
        )
    yield "</tbody></table></div>"
