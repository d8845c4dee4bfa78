"""Reads commands written one per line, and the formats that look alike.

    CLA INS P1 P2 [data] [/le] [=SW]      `reset` resets the card, # begins a comment

Also read: `.scriptor` files and output of pcsc-tools, and logs with `->` before commands and `<-` before answers, as
pySim writes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from card.codec.apdu import MAX_SHORT_LC, MAX_SHORT_LE, CommandApdu
from card.errors import DecodeError
from card.tables.problems import Place, Problem
from host_tools.script.errors import ExpressionError, ScriptError
from host_tools.script.log_lines import Entry, read_log
from host_tools.script.model import ApduStep, Expectation, ResetStep, Script, Step, StepHead
from host_tools.script.pattern import Pattern, SwPattern
from host_tools.script.repeatable import RANDOM_ANSWERS
from host_tools.script.safety import PIN_COMMANDS
from host_tools.script.template import Template
from host_tools.script.walk import instruction_of
from host_tools.trace.commands import describe_command

ANY_SW = SwPattern.parse("XXXX")
_LINE = re.compile(
    r"(?P<hex>[0-9A-Fa-f\s:.]+?)\s*(?:/\s*(?P<le>[0-9A-Fa-f]{0,4}))?\s*(?:=\s*(?P<sw>[0-9A-Fa-fXx|ok\s]*))?"
)
_PYSIM_ANSWER = re.compile(r"(?P<sw>[0-9A-Fa-f]{4})\s*:\s*(?P<data>[0-9A-Fa-f]*)")


def parse_lines(lines: Sequence[str], name: str, file: str, *, expect_data: bool = False) -> Script:
    """Return the script in lines of any of the formats. Raises `ScriptError` naming the line.

    What a log shows as an answer becomes the expected status word, and with `expect_data` the expected data.
    Without either, any status word will do.
    """
    steps: list[Step] = []
    log = read_log(lines, file)
    unread = list(log.unread)
    for entry in log.entries:
        if entry.answer:
            if not _expect(steps, entry, expect_data):
                unread.append(entry.line)
            continue
        try:
            steps.append(parse_line(entry.text, Place(file, entry.line), entry.comment))
        except ExpressionError as error:
            hint = "CLA INS P1 P2 [data] [/le] [=SW]"
            raise ScriptError(Problem(Place(file, entry.line), str(error), hint)) from None
    if not steps:
        raise ScriptError(Problem(Place(file, 1), "there is no command in here"))
    return Script(name, Place(file, 1), name, tuple(steps), reset=False, remarks=_remarks(sorted(unread), file))


def _remarks(unread: Sequence[int], file: str) -> tuple[Problem, ...]:
    if not unread:
        return ()
    count = len(unread)
    text = "1 line was not understood" if count == 1 else f"{count} lines were not understood, this is the first"
    return (Problem(Place(file, unread[0]), text, "what stands there is not in the script"),)


def parse_line(text: str, place: Place, name: str = "") -> Step:
    """Return the step of one line. Raises `ExpressionError`."""
    if text.strip().lower() == "reset":
        return ResetStep(StepHead(name or "reset", place))
    match = _LINE.fullmatch(text.strip())
    if match is None:
        raise ExpressionError(f"cannot read {text.strip()[:32]!r}")
    raw = _assemble(match["hex"], match["le"])
    sw = SwPattern.parse(match["sw"].strip()) if match["sw"] and match["sw"].strip() else ANY_SW
    if match["sw"] is not None and not match["sw"].strip():
        raise ExpressionError("= wants a status word behind it")
    head = StepHead(name or describe_command(raw), place)
    return ApduStep(head, Template.parse(raw.hex().upper()), Expectation(sw=sw), raw=False)


def _assemble(text: str, le: str | None) -> bytes:
    """Return the APDU. Lc may be written or left out: bytes that are a whole APDU as they stand are taken so.

    A colon in front of the data says that Lc is left out.
    """
    header, colon, behind = text.partition(" :")
    digits = re.sub(r"[\s:.]", "", header + behind)
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raise ExpressionError(f"not hex: {text.strip()[:32]!r}") from None
    if len(raw) < 4:
        raise ExpressionError(f"a command has 4 bytes or more, this one has {len(raw)}")
    wanted = None if le is None else int(le or "0", 16) or MAX_SHORT_LE
    if not colon:
        try:
            whole = CommandApdu.decode(raw)
        except DecodeError:
            pass
        else:
            return raw if wanted is None else replace(whole, le=wanted).encode()
    return _with_length(raw, wanted)


def _with_length(raw: bytes, le: int | None) -> bytes:
    if len(raw) - 4 > MAX_SHORT_LC:
        raise ExpressionError(f"{len(raw) - 4} bytes of data, and the length bytes do not fit them")
    cla, ins, p1, p2 = raw[:4]
    return CommandApdu(cla, ins, p1, p2, raw[4:], le).encode()


def _expect(steps: list[Step], entry: Entry, expect_data: bool) -> bool:
    """Make the answer that a log shows the expectation of the command before it; tell whether it was understood."""
    if steps and isinstance(steps[-1], ResetStep):
        return True
    answer = _read_answer(entry.text)
    if answer is None or not steps or not isinstance(steps[-1], ApduStep):
        return False
    # A log shows every exchange on the wire, so nothing may be fetched on its behalf.
    steps[-1] = replace(steps[-1], raw=True, expect=_expectation(steps[-1], *answer, expect_data))
    return True


def _expectation(step: ApduStep, data: bytes, sw: int, expect_data: bool) -> Expectation:
    """Return what to expect another time; of random data only the length."""
    words = SwPattern.parse(f"{sw:04X}")
    if not expect_data:
        return Expectation(sw=words)
    if instruction_of(step) in RANDOM_ANSWERS:
        return Expectation(sw=words, length=range(len(data), len(data) + 1))
    return Expectation(sw=words, data=Pattern.parse(data.hex().upper()))


def _read_answer(text: str) -> tuple[bytes, int] | None:
    """Read `SW: data` as pySim writes it, or `data SW` with words behind a colon as scriptor does."""
    match = _PYSIM_ANSWER.fullmatch(text.strip())
    try:
        if match is not None:
            return bytes.fromhex(match["data"]), int(match["sw"], 16)
        raw = bytes.fromhex(text.partition(":")[0])
    except ValueError:
        return None
    return (raw[:-2], int.from_bytes(raw[-2:], "big")) if len(raw) >= 2 else None


def carries_pin(step: Step) -> bool:
    """Tell whether a step has a PIN written into it."""
    if not isinstance(step, ApduStep) or step.command.names:
        return False
    digits = re.sub(r"[^0-9A-Fa-f]", "", step.command.text)
    return len(digits) > 10 and int(digits[2:4], 16) in PIN_COMMANDS
