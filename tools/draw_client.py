"""Draws the table of the terminal's client, as SVG and as the table of docs/dev/client.md.

    python -m tools.draw_client

A test compares the files with what this makes of the rows, so the picture cannot fall behind the code.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from host_tools.terminal.client.states import TRANSITIONS, Goal, State, Transition

DOCS = Path(__file__).resolve().parents[1] / "docs"
PICTURE = DOCS / "_static" / "client-states.svg"
PAGE = DOCS / "dev" / "client.md"
BEGIN, END = "<!-- rows client -->\n\n", "<!-- end client -->"

_WIDTH, _LEFT, _ROW, _GAP, _HEAD = 980, 20, 24, 22, 26
_BOX, _ACT, _END = 700, 330, 760
_STYLE = """
    .box { fill: #fbfbf9; stroke: #8a9099 } .t { fill: #23262b } .h { fill: #23262b; font-weight: 600 }
    .d { fill: #5c6169 } .go { fill: #e4ecf7; stroke: #6c8ebf } .yes { fill: #e6f2e3; stroke: #6aa35c }
    .no { fill: #fbeedb; stroke: #d0943f }
    .a { stroke: #5c6169; fill: none; stroke-width: 1.3; marker-end: url(#tip) } .tip { fill: #5c6169 }
    @media (prefers-color-scheme: dark) {
      .box { fill: #1b1e23; stroke: #6b727c } .t, .h { fill: #e9eaec } .d { fill: #a9afb8 }
      .go { fill: #24344c; stroke: #7fa3d8 } .yes { fill: #23391f; stroke: #7fbf70 }
      .no { fill: #463318; stroke: #e0a95a }
      .a { stroke: #a9afb8 } .tip { fill: #a9afb8 }
    }
"""


def then_words(then: State | Goal) -> str:
    """Return what a person reads for the state that follows."""
    match then:
        case State():
            return then.value
        case Goal.REST:
            return "ready or idle"
        case Goal.ASKING:
            return "register, request, deregister"


def _kind(row: Transition) -> str:
    if row.then is State.BACKING_OFF:
        return "no"
    return "yes" if row.then is Goal.REST else "go"


def rows() -> str:
    """Return the rows as a Markdown table."""
    lines = ["| in state | when | the client does | then |", "|---|---|---|---|"]
    lines += [
        f"| {row.state.value} | {row.on.value} | {row.do.value} | {then_words(row.then)} |" for row in TRANSITIONS
    ]
    return "\n".join(lines) + "\n"


def draw() -> str:
    """Return the picture: a box for each state with its rows, what is done, and which state follows."""
    states: dict[State, list[Transition]] = {}
    for row in TRANSITIONS:
        states.setdefault(row.state, []).append(row)
    top, body = _GAP, ""
    for state, found in states.items():
        body += _state(state, found, top)
        top += _HEAD + _ROW * len(found) + _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" aria-labelledby="t"\n'
        '     font-family="system-ui, \'Segoe UI\', Helvetica, Arial, sans-serif" font-size="13">\n'
        f'  <title id="t">The way of an errand through the client of a terminal</title>\n  <style>{_STYLE}  </style>\n'
        '  <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>\n'
        f"{body}</svg>\n"
    )


def _state(state: State, found: list[Transition], top: int) -> str:
    height = _HEAD + _ROW * len(found)
    parts = [
        f'  <rect class="box" x="{_LEFT}" y="{top}" width="{_BOX}" height="{height}" rx="6"/>\n',
        f'  <text class="h" x="{_LEFT + 12}" y="{top + 18}">{escape(state.value)}</text>\n',
    ]
    for number, row in enumerate(found):
        middle = top + _HEAD + _ROW * number + _ROW // 2
        kind = _kind(row)
        parts.append(
            f'  <text class="t" x="{_LEFT + 28}" y="{middle + 4}">{escape(row.on.value)}</text>\n'
            f'  <text class="d" x="{_ACT}" y="{middle + 4}" font-size="12">{escape(_short(row.do.value))}</text>\n'
            f'  <path class="a" d="M{_LEFT + _BOX} {middle}H{_END - 2}"/>\n'
            f'  <rect class="{kind}" x="{_END}" y="{middle - 10}" width="200" height="20" rx="6"/>\n'
            f'  <text class="t" x="{_END + 10}" y="{middle + 4}" font-size="12">{escape(then_words(row.then))}</text>\n'
        )
    return "".join(parts)


def _short(words: str) -> str:
    """Return what fits beside a row: the first part of a longer sentence."""
    return words.partition(";")[0].partition(",")[0]


def main() -> None:
    """Write the picture, and the table between its marks."""
    PICTURE.write_text(draw(), "utf-8")
    head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}{rows()}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
