"""Traces as JSON lines: one object per event, readable by other programs and by `trace show`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from card.codec.redaction import Span
from card.disk.kinds import TRACE
from card.disk.reading import open_plain
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent
from host_tools.trace.printable import printable

_LONGEST_LINE = 1 << 20
_CAPTURES = tuple(map(bytes.fromhex, ("0A0D0D0A", "D4C3B2A1", "A1B2C3D4", "4D3CB2A1", "A1B23C4D")))
"""How files of pcapng and pcap begin, in either byte order and resolution."""
_END_OF_TIME = 1 << 37  # seconds since 1970, beyond the year 6000


class TraceFileError(Exception):
    """A trace file cannot be read. The message names file and line."""


class JsonLinesSink:
    """Writes every event to a text file, which the sink closes."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def emit(self, event: TraceEvent) -> None:
        """Write one line."""
        self._file.write(encode_event(event) + "\n")

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._file.close()


def encode_event(event: TraceEvent) -> str:
    """Return an event as one line of JSON: bytes in hex, spans as pairs."""
    if isinstance(event, CardEvent):
        shown: dict[str, object] = {"type": "card", "what": event.what, "atr": event.atr.hex()}
    else:
        shown = {
            "type": "exchange",
            "command": event.command.hex(),
            "response": event.response.hex(),
            "seconds": round(event.seconds, 7) or None,  # not known
            "error": event.error,
            "file": event.file,
            "hidden_command": event.hidden_command,
            "hidden_response": event.hidden_response,
            "fault": event.fault,
        }
    return json.dumps({"number": event.number, "at": round(event.at, 6), "link": event.link, **shown})


def read_json_lines(path: Path) -> Iterator[TraceEvent]:
    """Yield the events of a file one by one. Raises `TraceFileError`, `UnusableFile`."""
    with open_plain(path, TRACE) as file:
        if file.peek(4)[:4] in _CAPTURES:
            way = "`bcast-uicc trace filter` with -o NAME.jsonl makes one of it, without times"
            raise TraceFileError(f"{path}: a capture, and no trace in JSON lines; {way}")
        number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            if line.strip():
                yield _event_at(line, path, number)


def _event_at(line: bytes, path: Path, number: int) -> TraceEvent:
    try:
        return decode_event(line.decode())
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        why = "not a line of a trace" if line.endswith(b"\n") else "not a whole line of a trace: was the file cut off?"
        raise TraceFileError(f"{path}:{number}: {why}") from None


def decode_event(line: str) -> TraceEvent:
    """Read one line; in its texts, what is not printable becomes an escape: a trace may come from anybody.

    Raises `ValueError`, `KeyError` or `TypeError` for anything else.
    """
    shown = json.loads(line)
    number, at, link = int(shown["number"]), float(shown["at"]), _text(shown["link"])
    if not 0 <= at < _END_OF_TIME:
        raise ValueError("a time that does not exist")
    if shown["type"] == "card":
        return CardEvent(number, at, link, _text(shown["what"]), bytes.fromhex(shown["atr"]))
    if shown["type"] != "exchange":
        raise ValueError("unknown type of event")
    command, response = bytes.fromhex(shown["command"]), bytes.fromhex(shown["response"])
    return TracedExchange(
        number=number,
        at=at,
        link=link,
        command=command,
        response=response,
        seconds=float(shown["seconds"] or 0),
        error=_text(shown["error"]),
        file=_text(shown["file"]),
        hidden_command=_spans(shown["hidden_command"], len(command)),
        hidden_response=_spans(shown["hidden_response"], len(response)),
        fault=_text(shown.get("fault", "")),  # older traces have none
    )


def _text(value: object) -> str:
    return printable(str(value))


def _spans(pairs: object, size: int) -> tuple[Span, ...]:
    if not isinstance(pairs, list):
        raise ValueError("spans are a list")
    spans = tuple((int(start), int(end)) for start, end in pairs)
    if any(not 0 <= start <= end <= size for start, end in spans):
        raise ValueError("a span lies outside the data")
    return spans
