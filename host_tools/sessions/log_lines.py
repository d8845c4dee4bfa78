"""The log of a served network: one JSON object a line, for programs that read logs.

A line tells what happened at a server (who asked for what, the status, which datagram went where), or what a module
says. It has no header but the user name, no body and no key. Lines wait in a queue with a bound and a thread writes
them, so that a slow reader holds up no answer; what finds the queue full is counted and left out. A file of before, or
one that has grown to its limit, becomes FILE.1 in the place of the one before.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Full, Queue
from typing import BinaryIO, cast

from host_tools.files.writing import UnwritableFile, is_special, open_growing, told
from host_tools.headend.operating.happenings import Happening

STANDARD_OUTPUT = Path("-")
MOST_WAITING = 10_000
"""Lines that wait to be written."""
LARGEST_FILE = 64 << 20
_LONGEST_WORDS = 300
_LOGGER = "host_tools"
_PATIENCE = 5.0
"""Seconds that what waits may take to be written in the end."""


class LogLines(logging.Handler):
    """Writes lines to a file, or to standard output for `-`. `dropped` counts those that found no room."""

    def __init__(self, path: Path, largest: int = LARGEST_FILE, waiting: int = MOST_WAITING) -> None:
        """Open the file. Raises `UnwritableFile`."""
        super().__init__(logging.INFO)
        self._path = path
        self._largest = largest
        self._queue: Queue[bytes] = Queue(waiting)
        self._ended = threading.Event()
        self._error: UnwritableFile | None = None
        self.dropped = 0
        self._file = self._opened()
        self._size = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Begin to write, and hear what modules log."""
        self._thread.start()
        logging.getLogger(_LOGGER).addHandler(self)

    def stop(self) -> None:
        """Write what waits, as far as the reader takes it. Raises `UnwritableFile` when something went wrong."""
        logging.getLogger(_LOGGER).removeHandler(self)
        self._ended.set()
        self._thread.join(_PATIENCE)
        if self._path != STANDARD_OUTPUT and not self._thread.is_alive():
            self._file.close()
        if self._error is not None:
            raise self._error

    def hear(self, happening: Happening) -> None:
        """Take what happened at a server."""
        self._put(happening.at, {"event": happening.kind.value, "server": happening.where, **dict(happening.details)})

    def emit(self, record: logging.LogRecord) -> None:
        """Take what a module logs; a traceback is left out, as it could show anything."""
        module = record.name.removeprefix(f"{_LOGGER}.")
        words = record.getMessage()[:_LONGEST_WORDS]
        at = datetime.fromtimestamp(record.created, UTC)
        self._put(at, {"event": "log", "level": record.levelname.lower(), "module": module, "words": words})

    def _put(self, at: datetime, fields: dict[str, str | int | None]) -> None:
        line = {"time": at.astimezone(UTC).isoformat(timespec="milliseconds"), **fields}
        try:
            self._queue.put_nowait(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        except Full:
            self.dropped += 1

    def _run(self) -> None:
        while not (self._ended.is_set() and self._queue.empty()):
            try:
                line = self._queue.get(timeout=0.1)
            except Empty:
                continue
            self._write(line)

    def _write(self, line: bytes) -> None:
        """Write a line; after the first that cannot be written no more are."""
        if self._error is not None:
            self.dropped += 1
            return
        try:
            if self._size + len(line) > self._largest and self._path != STANDARD_OUTPUT:
                self._file.close()
                self._file, self._size = self._opened(), 0
            with told(self._path):
                self._file.write(line)
                self._file.flush()
            self._size += len(line)
        except UnwritableFile as error:
            self._error = error

    def _opened(self) -> BinaryIO:
        if self._path == STANDARD_OUTPUT:
            if sys.__stdout__ is None:
                raise UnwritableFile("standard output is closed")
            # Not `sys.stdout`: what a person reads may go elsewhere.
            return cast("BinaryIO", sys.__stdout__.buffer)
        if not is_special(self._path) and self._path.is_file() and not self._path.is_symlink():
            with told(self._path):
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        return open_growing(self._path)


@contextmanager
def log_lines(path: Path | None) -> Iterator[LogLines | None]:
    """Yield what writes the log, None for none. Raises `UnwritableFile`, also in the end for what went wrong."""
    if path is None:
        yield None
        return
    lines, logger = LogLines(path), logging.getLogger(_LOGGER)
    level = logger.level
    logger.setLevel(logging.INFO)
    lines.start()
    try:
        yield lines
    finally:
        logger.setLevel(level)
        lines.stop()
