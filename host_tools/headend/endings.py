"""How a server of this computer is told to end: by a signal, as its user or its terminal sends it."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import ExitStack

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heeding_signals(ended: asyncio.Event) -> ExitStack:
    """Let a signal to end set an event of the running loop, for as long as the returned stack is open.

    In another thread than the main one nothing is heeded.
    """
    stack = ExitStack()
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in _ENDINGS:
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started with nohup: it outlives its terminal
            loop.add_signal_handler(number, ended.set)
            stack.callback(loop.remove_signal_handler, number)
    return stack
