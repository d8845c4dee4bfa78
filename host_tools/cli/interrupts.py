"""Ctrl-C and its relatives, for commands that run until they are told to end, or that have much to clean up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """For a command that looks whether it is to end, between two things that it does whole.

    Before it looks for the first time a signal interrupts it where it is, and so does a second signal.
    """

    def __init__(self) -> None:
        self._is_looked_for = False
        self._is_asked = False

    def is_asked(self) -> bool:
        """Tell whether a signal has asked for the end."""
        self._is_looked_for = True
        return self._is_asked

    def ask(self) -> bool:
        """Ask for the end; return whether that is enough: somebody looks, and this is the first time."""
        enough = self._is_looked_for and not self._is_asked
        self._is_asked = True
        return enough


@contextmanager
def interruptible(ending: Ending | None = None) -> Iterator[None]:
    """Make SIGTERM, and SIGHUP from a terminal that is closed, end the command as Ctrl-C does.

    Ctrl-C works even when started in the background. Whoever was started with nohup outlives the terminal. A command
    that looks at its `ending` ends by itself.
    """

    def _interrupt(_number: int, _frame: FrameType | None) -> None:
        if ending is not None and ending.ask():
            return
        # Once is enough: a second Ctrl-C, or a shell that signals the whole group, must not cut the clean-up short.
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    wanted = [number for number in _ENDINGS if number is not signal.SIGHUP or not _ignored(number)]
    before = {number: signal.signal(number, _interrupt) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            # What an interrupt has switched off stays off: the process is ending, and its last steps are Python's own.
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, handler)


def _ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
