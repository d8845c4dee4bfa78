"""What can be wrong with a script, told with file, line and a hint."""

from __future__ import annotations

from card.tables.problems import MOST_LISTED, Problem


class ScriptError(Exception):
    """A script cannot be used. The message has one line for each problem; what is included twice is told once."""

    def __init__(self, *found: Problem) -> None:
        problems = tuple(dict.fromkeys(found))
        lines = [str(problem) for problem in problems[:MOST_LISTED]]
        if len(problems) > MOST_LISTED:
            lines.append(f"and {len(problems) - MOST_LISTED} more problems")
        super().__init__("\n".join(lines))
        self.problems = problems


class NoScript(Exception):
    """What was named holds no script at all. The message is one sentence."""


class ExpressionError(Exception):
    """A template, pattern or expression is malformed, or a value cannot be worked out. The message is a phrase."""


class NoValue(ExpressionError):
    """A variable has no value. `why` is the reason alone: what rests on the variable names it as its own."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{{{name}}} has no value: {why}")
        self.why = why
