"""Ctrl-C and its relatives, for commands that run until they are told to end, or that have much to clean up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM, and SIGHUP from a terminal that is closed, end the command as Ctrl-C does.

    Ctrl-C works even when started in the background. Whoever was started with nohup outlives the terminal.
    """
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


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough: a second Ctrl-C, or a shell that signals the whole group, must not cut the clean-up short.
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
