"""Keys that are pressed while something goes on: no Enter is needed, and nothing is shown."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from host_tools.cli.interrupts import Ending

_READ = 64
_END = "q"
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\[O])?", re.DOTALL)
"""What arrows, function keys, or a key with Alt send (ECMA-48 clause 5.4): its letters and digits are nobody's keys."""


class KeyPresses:
    """Keys from standard input, where that is a terminal. A context manager, which puts the terminal back.

    A signal that asks for the end is a `q`.
    """

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._file = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._undo: Callable[[], None] = lambda: None
        self._pressed = b""

    def __enter__(self) -> Self:
        if self._file is not None:
            self._undo = partial(termios.tcsetattr, self._file, termios.TCSADRAIN, termios.tcgetattr(self._file))
            tty.setcbreak(self._file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(termios.error):  # the terminal may be gone, and what was started with nohup outlives it
            self._undo()

    def poll(self) -> str | None:
        """Return a key that was pressed, None for none. Keys that are more than one character are left out."""
        if self._ending.is_asked():
            return _END
        if not self._pressed:
            self._pressed = self._read()
        key, self._pressed = self._pressed[:1], self._pressed[1:]
        return key.decode("ascii", "replace").lower() or None

    def _read(self) -> bytes:
        if self._file is None or not select.select([self._file], (), (), 0)[0]:
            return b""
        read = os.read(self._file, _READ)
        if not read:  # the terminal is gone
            self._file = None
        return _ESCAPE.sub(b"", read)
