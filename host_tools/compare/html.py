"""A comparison as one self-contained HTML page, which reads without its script and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TextIO

from host_tools.compare.model import CommandTiming, Comparison, Difference, Kind, Pair, SideRun, Spread
from host_tools.compare.plot import latency_plot
from host_tools.compare.words import (
    ALLOWED,
    DIFFERENT,
    MEANINGS,
    SAME,
    counts,
    judgement,
    milliseconds,
    outcome,
    side_lines,
    step_words,
    title,
    verdict,
)
from host_tools.drawing.page import page, text


def write_html(comparison: Comparison, file: TextIO) -> None:
    """Write the page, part by part."""
    for part in _page(comparison):
        file.write(part)


def _page(comparison: Comparison) -> Iterator[str]:
    heading = f"{comparison.a.name} against {comparison.b.name}"
    return page(heading, "host_tools.compare", "report", _body(comparison, heading))


def _body(comparison: Comparison, heading: str) -> Iterator[str]:
    yield from _head(comparison, heading)
    yield from _latency(comparison)
    yield "<h2>Commands</h2>"
    yield from _filter()
    for number, pair in enumerate(comparison.pairs, 1):
        yield _row(number, pair)


def _head(comparison: Comparison, heading: str) -> Iterator[str]:
    good = "good" if comparison.is_allowed else "bad"
    yield f'<h1>{text(heading)}</h1>\n<p class="verdict {good}">{text(verdict(comparison))}</p>'
    yield "<table><tr><th></th><th>reader</th><th>ATR</th><th>protocol</th></tr>"
    yield _side("A", comparison.a)
    yield _side("B", comparison.b)
    yield "</table>"
    yield from _found(comparison.general)
    yield '<h2>Differences</h2>\n<table class="kinds"><tr><th>kind</th><th>what differs</th>'
    yield '<th class="n">not allowed</th><th class="n">allowed</th></tr>'
    for kind, refused, allowed in counts(comparison):
        row = "" if refused or allowed else ' class="none"'
        yield f"<tr{row}><td>{kind.value}</td><td>{text(MEANINGS[kind])}</td>"
        yield f'<td class="n">{refused}</td><td class="n">{allowed}</td></tr>'
    yield "</table>"


def _side(letter: str, side: SideRun) -> str:
    atr = side.atr.hex(" ").upper()
    return (
        f'<tr><th class="{letter.lower()}">{letter}</th><td>{text(side.name)}</td><td>{atr}</td>'
        f"<td>{text(side.protocol)}</td></tr>"
    )


def _latency(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Time per command</h2>"
    yield latency_plot(comparison.timing)
    yield '<p class="legend"><b class="a">A</b> above, <b class="b">B</b> below: the box holds the middle half of the'
    yield "times, the thick bar is the median, the line runs from the fastest to the slowest.</p>"
    yield "<table><tr><th>command</th>"
    for letter in "AB":
        for what in ("count", "median ms", "p95 ms"):
            yield f'<th class="n {letter.lower()}">{letter} {what}</th>'
    yield "<th>limit</th></tr>"
    for row in comparison.timing:
        yield _timing(row)
    yield "</table>"


def _timing(row: CommandTiming) -> str:
    found = row.difference
    limit = "" if found is None else "too far apart" + (f" (allowed: {found.allowed})" if found.allowed else "")
    return f"<tr><td>{text(row.command)}</td>{_figures(row.a)}{_figures(row.b)}<td>{text(limit)}</td></tr>"


def _figures(spread: Spread | None) -> str:
    if spread is None:
        return '<td class="n"></td>' * 3
    figures = (str(spread.count), f"{spread.median * 1000:.3f}", f"{spread.p95 * 1000:.3f}")
    return "".join(f'<td class="n">{figure}</td>' for figure in figures)


def _filter() -> Iterator[str]:
    yield "<form hidden>"
    for value, label in ((DIFFERENT, "not allowed"), (ALLOWED, "allowed"), (SAME, "the same")):
        yield f'<label><input type="checkbox" name="show" value="{value}" checked> {label}</label>'
    yield '<label>kind <select name="kind"><option value="">any</option>'
    for kind in Kind:
        if kind is not Kind.TIMING:
            yield f"<option>{kind.value}</option>"
    yield "</select></label>"
    yield '<input type="search" name="search" placeholder="step, command, file, bytes" aria-label="search">'
    yield "<output></output></form>"


def _row(number: int, pair: Pair) -> str:
    kind = judgement(pair)
    kinds = f' data-kinds="{" ".join(sorted({found.kind.value for found in pair.differences}))}"'
    attributes = f'class="{kind}"' + (kinds if pair.differences else "") + (" open" if kind == DIFFERENT else "")
    inside = _same(pair) if kind == SAME else "\n".join((*_found(pair.differences), _sides(pair)))
    return f"<details {attributes}><summary>{_summary(number, pair)}</summary>{inside}</details>"


def _summary(number: int, pair: Pair) -> str:
    step = text(step_words(pair))
    told_a, told_b = text(outcome(pair.a)), text(outcome(pair.b))
    answers = told_a if told_a == told_b else f'<span class="a">{told_a}</span><br><span class="b">{told_b}</span>'
    times = f'<span class="a">{milliseconds(pair.a)}</span> <span class="b">{milliseconds(pair.b)}</span>'
    name, file = text(title(pair)), text(pair.either.shown.file)
    return (
        f"<i>{number}</i><b>{name}<small>{step}</small></b><span>{file}</span><span>{answers}</span>"
        f"<span>{times}</span>"
    )


def _same(pair: Pair) -> str:
    return f"<pre>{text(chr(10).join(side_lines(pair.either)))}</pre>"


def _sides(pair: Pair) -> str:
    a, b = list(side_lines(pair.a)), list(side_lines(pair.b))
    return f'<div class="sides"><pre>{_marked(a, b)}</pre><pre>{_marked(b, a)}</pre></div>'


def _marked(lines: list[str], others: list[str]) -> str:
    """Mark what the other side does not have: bytes or words of a line that stands on both, else the whole line."""
    known, beside = set(others), others if len(others) == len(lines) else [""] * len(lines)
    return "\n".join(
        text(line) if line in known else _marked_words(line, other) for line, other in zip(lines, beside, strict=True)
    )


def _marked_words(line: str, other: str) -> str:
    words, beside = line.split(" "), other.split(" ")
    if len(words) != len(beside):
        return f"<mark>{text(line)}</mark>"
    runs = groupby(zip(words, beside, strict=True), key=lambda pair: pair[0] == pair[1])
    parts = [(same, text(" ".join(word for word, _ in run))) for same, run in runs]
    return " ".join(part if same else f"<mark>{part}</mark>" for same, part in parts)


def _found(differences: tuple[Difference, ...]) -> Iterator[str]:
    if not differences:
        return
    yield '<ul class="found">'
    for found in differences:
        where = f" {text(found.where)}" if found.where else ""
        allowed = f" <em>allowed: {text(found.allowed)}</em>" if found.allowed else ""
        sides = f'<span class="a">{text(found.a)}</span> against <span class="b">{text(found.b)}</span>'
        yield f"<li><b>{found.kind.value}</b>{where}: {sides}{allowed}</li>"
    yield "</ul>"
