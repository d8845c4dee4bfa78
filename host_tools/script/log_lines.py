"""Finds the commands and answers in lines of many sorts: plain commands, `.scriptor` files, and logs of APDUs."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from card.tables.problems import Place, Problem
from host_tools.script.errors import ScriptError

_LONGEST_LINE = 400_000
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TIME = r"\s*(?:\[?[\d:.,-]+\]?\s+)?"
_COMMAND_MARK = re.compile(rf"{_TIME}(?:->|>>?|=>|C-APDU:?|APDU:|TX:?|Sending:|Command:)\s*", re.I)
_ANSWER_MARK = re.compile(rf"{_TIME}(?:<-|<<?|<=|R-APDU:?|RX:?|Received:|Response:)\s*", re.I)
# What a logging library writes in front. Only hex behind the arrow makes such a line a command or an answer.
_LOGGED = re.compile(
    r".{1,200}?[\s:\]](?P<mark>->|<-|=>|<=|C-APDU:?|R-APDU:?)\s*(?P<hex>[0-9A-F]{2}[0-9A-F\s:]*)", re.I
)
_NOISE = re.compile(r"\s*(?:Using .*|No reader given.*|Trying .*|Reading commands .*|The end.*|Warning:.*|Card .*|OK:.*"
                    r"|ATR:.*|exit\s*)?", re.I)  # fmt: skip
# pcsc-tools break an answer after sixteen bytes; the last line has the meaning of the status word behind a colon.
_BROKEN_ANSWER = re.compile(r"(?:[0-9A-F]{2} ){16}\s*", re.I)
_REST_OF_ANSWER = re.compile(r"(?:[0-9A-F]{2}\s*)+(?::.*)?", re.I)


@dataclass(frozen=True, slots=True)
class Entry:
    """A command or an answer, with the number of the line on which it begins and the comment above or behind it."""

    line: int
    text: str
    comment: str = ""
    answer: bool = False


@dataclass(frozen=True, slots=True)
class Log:
    """What lines hold. `unread`: the numbers of those that are neither command, answer, comment nor known noise."""

    entries: tuple[Entry, ...]
    unread: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    body: str
    comment: str


def read_log(lines: Sequence[str], file: str) -> Log:
    """Return the commands and answers. Raises `ScriptError` for a line that is too long.

    Where some lines bear a command mark, lines without any mark are no commands: a log has all sorts of them.
    `exit` ends a list of commands, as it does in pcsc-tools.
    """
    whole = list(_whole_answers(_joined(lines, file)))
    marked = any(_marked(line) is not None for line in whole)
    entries: list[Entry] = []
    unread: list[_Line] = []
    for line in whole:
        entry = _marked(line)
        if not marked and line.body.strip().lower() == "exit":
            break
        if entry is None and not marked and not _NOISE.fullmatch(line.body):
            entry = Entry(line.number, line.body, line.comment)
        if entry is not None:
            entries.append(entry)
        elif not _NOISE.fullmatch(line.body):
            unread.append(line)
    echoed = _Echoes(entries)
    return Log(tuple(entries), tuple(line.number for line in unread if line not in echoed))


def _joined(lines: Sequence[str], file: str) -> Iterator[_Line]:
    """Yield lines without colours and comments; those that end in a backslash go on on the next."""
    comment, begun, first = "", "", 0
    for number, line in enumerate(lines, 1):
        if len(line) > _LONGEST_LINE or len(begun) > _LONGEST_LINE:
            raise ScriptError(Problem(Place(file, number), f"longer than {_LONGEST_LINE} characters"))
        body, _, remark = _COLOUR.sub("", line.rstrip("\r\n")).partition("#")
        first = first or number
        if body.rstrip().endswith("\\"):
            begun += body.rstrip()[:-1] + " "
            continue
        body = begun + body
        comment = remark.strip() or comment
        if body.strip():
            yield _Line(first, body, comment)
            comment = ""
        begun, first = "", 0
    if begun.strip():
        yield _Line(first, begun, comment)


def _whole_answers(lines: Iterable[_Line]) -> Iterator[_Line]:
    """Yield the lines, those of an answer that pcsc-tools broke as one."""
    begun: list[_Line] = []
    for line in lines:
        goes_on = bool(begun) and _REST_OF_ANSWER.fullmatch(line.body) is not None
        if begun and not goes_on:
            yield _one(begun)
            begun = []
        if goes_on or _ANSWER_MARK.match(line.body):
            begun.append(line)
            if not _BROKEN_ANSWER.fullmatch(_ANSWER_MARK.sub("", line.body, count=1)):
                yield _one(begun)
                begun = []
        else:
            yield line
    if begun:
        yield _one(begun)


def _one(lines: Sequence[_Line]) -> _Line:
    return replace(lines[0], body=" ".join(line.body for line in lines))


def _marked(line: _Line) -> Entry | None:
    """Return the command or answer of a line that says which it is."""
    if _ANSWER_MARK.match(line.body):
        return Entry(line.number, _ANSWER_MARK.sub("", line.body, count=1), answer=True)
    if _COMMAND_MARK.match(line.body):
        return Entry(line.number, _COMMAND_MARK.sub("", line.body, count=1), line.comment)
    logged = _LOGGED.fullmatch(line.body)
    if logged is None:
        return None
    answer = logged["mark"].upper().startswith(("<", "R"))
    return Entry(line.number, logged["hex"], "" if answer else line.comment, answer)


class _Echoes:
    """The lines that scriptor was given, which it prints before the commands it makes of them."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._lines = [entry.line for entry in entries]

    def __contains__(self, line: _Line) -> bool:
        following = self._entries[at] if (at := bisect(self._lines, line.number)) < len(self._entries) else None
        return following is not None and _digits(line.body) == _digits(following.text)


def _digits(text: str) -> str:
    return "".join(text.split()).upper()
