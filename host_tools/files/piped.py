"""Lines that are piped into a command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from card.errors import UnusableFile

LONGEST_LINE = 1 << 20
"""Characters of one line."""
_NAME = "<stdin>"


def piped_lines(stream: TextIO) -> Iterator[str]:
    """Yield the lines of standard input. Raises `UnusableFile` for what is no text, or a line without an end."""
    number = 0
    try:
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise UnusableFile(_NAME, f"a line of more than {LONGEST_LINE} characters", number)
            yield line
    except UnicodeDecodeError:
        reason = "not UTF-8 text"
    else:
        return
    raise UnusableFile(_NAME, reason, number + 1)
