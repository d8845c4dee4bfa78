"""Draws the decision tables of the BCAST rules, as SVG and as the tables of docs/spec/bcast.md.

    python -m tools.draw_decisions

A test compares the files with what this makes of the rows, so the pictures cannot fall behind the rules.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from card.domain.messages.decision import DecisionTable
from card.domain.messages.rules import LTKM_RULES, STKM_RULES, Grant, LtkmAction, LtkmState, StkmState
from card.spec.bcast.tables import Reason

DOCS = Path(__file__).resolve().parents[1] / "docs"
TABLES: dict[str, DecisionTable[Any, Any, Any]] = {"stkm": STKM_RULES, "ltkm": LTKM_RULES}

_WIDTH, _LEFT, _ROW, _GAP, _HEAD = 900, 20, 24, 22, 26
_BOX, _END = 560, 640
_STYLE = """
    .box { fill: #fbfbf9; stroke: #8a9099 } .t { fill: #23262b } .h { fill: #23262b; font-weight: 600 }
    .go { fill: #e4ecf7; stroke: #6c8ebf } .yes { fill: #e6f2e3; stroke: #6aa35c }
    .no { fill: #fbeedb; stroke: #d0943f }
    .a { stroke: #5c6169; fill: none; stroke-width: 1.3; marker-end: url(#tip) } .tip { fill: #5c6169 }
    @media (prefers-color-scheme: dark) {
      .box { fill: #1b1e23; stroke: #6b727c } .t, .h { fill: #e9eaec }
      .go { fill: #24344c; stroke: #7fa3d8 } .yes { fill: #23391f; stroke: #7fbf70 }
      .no { fill: #463318; stroke: #e0a95a }
      .a { stroke: #a9afb8 } .tip { fill: #a9afb8 }
    }
"""


def words(end: Enum) -> str:
    """Return what a person reads for a state, an action or a reason."""
    if isinstance(end, Grant):
        return f"TEK, {end.value}"
    if isinstance(end, Reason):
        return end.value.replace("_", " ")
    return str(end.value)


def _kind(end: Enum) -> str:
    if isinstance(end, (StkmState, LtkmState)):
        return "go"
    return "yes" if isinstance(end, (Grant, LtkmAction)) else "no"


def draw(table: DecisionTable[Any, Any, Any]) -> str:
    """Return the picture: a box for each state with its rows in their order, and where each of them leads."""
    states: dict[Enum, list[Any]] = {}
    for rule in table.rules:
        states.setdefault(rule.state, []).append(rule)
    tops: dict[Enum, int] = {}
    top = _GAP
    for state, rules in states.items():
        tops[state] = top
        top += _HEAD + _ROW * len(rules) + _GAP
    body = "".join(_state(state, rules, tops) for state, rules in states.items())
    title = "Decision about an STKM" if table is STKM_RULES else "Decision about an LTKM"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" aria-labelledby="t"\n'
        '     font-family="system-ui, \'Segoe UI\', Helvetica, Arial, sans-serif" font-size="13">\n'
        f'  <title id="t">{title}</title>\n  <style>{_STYLE}  </style>\n'
        '  <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>\n'
        f"{body}</svg>\n"
    )


def _state(state: Enum, rules: list[Any], tops: dict[Enum, int]) -> str:
    top = tops[state]
    height = _HEAD + _ROW * len(rules)
    parts = [
        f'  <rect class="box" x="{_LEFT}" y="{top}" width="{_BOX}" height="{height}" rx="6"/>\n',
        f'  <text class="h" x="{_LEFT + 12}" y="{top + 18}">{escape(words(state))}</text>\n',
    ]
    for number, rule in enumerate(rules):
        middle = top + _HEAD + _ROW * number + _ROW // 2
        parts.append(_branch(rule, number, middle, tops))
    return "".join(parts)


def _branch(rule: Any, number: int, middle: int, tops: dict[Enum, int]) -> str:
    condition = "otherwise" if rule.condition is None else rule.condition.value
    kind = _kind(rule.then)
    right, corner = _LEFT + _BOX, 4 if kind == "go" else 10
    text = f'  <text class="t" x="{_LEFT + 28}" y="{middle + 4}">{escape(condition)}</text>\n'
    box = (
        f'  <path class="a" d="M{right} {middle}H{_END - 2}"/>\n'
        f'  <rect class="{kind}" x="{_END}" y="{middle - 10}" width="210" height="20" rx="{corner}"/>\n'
        f'  <text class="t" x="{_END + 10}" y="{middle + 4}" font-size="12">{escape(words(rule.then))}</text>\n'
    )
    if kind != "go":
        return text + box
    bend, target = _END + 222 + 5 * (number % 3), tops[rule.then] + 12
    return text + box + f'  <path class="a" d="M{_END + 210} {middle}H{bend}V{target}H{right + 4}"/>\n'


def rows(table: DecisionTable[Any, Any, Any]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| in state | when | then |", "|---|---|---|"]
    for rule in table.rules:
        condition = "otherwise" if rule.condition is None else rule.condition.value
        then = f"*{words(rule.then)}*" if _kind(rule.then) == "go" else words(rule.then)
        lines.append(f"| {words(rule.state)} | {condition} | {then} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pictures, and the tables between their marks in docs/spec/bcast.md."""
    page = DOCS / "spec" / "bcast.md"
    text = page.read_text("utf-8")
    for name, table in TABLES.items():
        (DOCS / "_static" / f"{name}-decision.svg").write_text(draw(table), "utf-8")
        begin, end = f"<!-- rows {name} -->\n\n", f"<!-- end {name} -->"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}{rows(table)}\n{end}{rest.partition(end)[2]}"
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
