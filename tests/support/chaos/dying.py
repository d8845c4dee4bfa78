"""A `bcast-uicc` that kills itself with SIGKILL at a chosen point: `python -m tests.support.chaos.dying POINT ARGS…`.

POINT is a name of `POINTS` and, after a colon, at which time that it is reached. Nothing but that one call is changed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from host_tools.cli.main import invoke
from host_tools.headend.store.database import Database
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.state_file import StateFile
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.key_sockets import KeySockets


def _before(kind: type, name: str, die: Callable[[], None]) -> None:
    call = getattr(kind, name)

    def dying(*arguments: Any) -> Any:
        die()
        return call(*arguments)

    setattr(kind, name, dying)


def _after(kind: type, name: str, die: Callable[[], None]) -> None:
    call = getattr(kind, name)

    def dying(*arguments: Any) -> Any:
        found = call(*arguments)
        die()
        return found

    setattr(kind, name, dying)


def _in_transaction(words: str, where: str, die: Callable[[], None]) -> None:
    """Die around a transaction in which a statement with these words was run: at it, before the commit, or after it."""
    run, commit, seen = Database.run, Connection.commit, [False]

    def running(self: Database, statement: Any, values: Any = None) -> Any:
        if words in str(statement):
            seen[0] = True
            if where == "at":
                die()
        return run(self, statement, values)

    def committing(self: Connection) -> None:
        is_it, seen[0] = seen[0], False
        if is_it and where == "before":
            die()
        commit(self)
        if is_it and where == "after":
            die()

    Database.run = running  # type: ignore[method-assign]
    Connection.commit = committing  # type: ignore[method-assign]


# By its B-TID goes what is acknowledged; another statement, with every LTKM that is made, lets go of the oldest.
_SETTLED = "DELETE FROM outstanding WHERE b_tid"
POINTS: dict[str, Callable[[Callable[[], None]], None]] = {
    "none": lambda _: None,
    "journal written": lambda die: _after(StateFile, "save", die),
    "request goes out": lambda die: _before(HttpTransport, "exchange", die),
    "answer came": lambda die: _after(HttpTransport, "exchange", die),
    "card gets the LTKM": lambda die: _before(TerminalMiddleware, "deliver", die),
    "card has answered": lambda die: _after(TerminalMiddleware, "deliver", die),
    "acknowledgement goes out": lambda die: _before(KeySockets, "send", die),
    "acknowledgement is out": lambda die: _after(KeySockets, "send", die),
    "purchase is written": lambda die: _in_transaction("INSERT INTO requests", "at", die),
    "purchase before its commit": lambda die: _in_transaction("INSERT INTO requests", "before", die),
    "purchase after its commit": lambda die: _in_transaction("INSERT INTO requests", "after", die),
    "LTKM before its commit": lambda die: _in_transaction("INSERT INTO outstanding", "before", die),
    "LTKM after its commit": lambda die: _in_transaction("INSERT INTO outstanding", "after", die),
    "acknowledgement before its commit": lambda die: _in_transaction(_SETTLED, "before", die),
    "acknowledgement after its commit": lambda die: _in_transaction(_SETTLED, "after", die),
}


def _main(point: str, *arguments: str) -> int:
    name, _, number = point.partition(":")
    left = [int(number or 1)]

    def die() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    POINTS[name](die)
    return invoke(arguments)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
