"""Listens in between pcscd's vpcd driver and a card that dials it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING

from host_tools.links.base import LinkError
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import Events, TapOpened
from host_tools.trace.tap import Tap
from host_tools.trace.tracer import Tracer

if TYPE_CHECKING:
    from host_tools.trace.events import TraceSink


def listen_in(
    listen: int,
    vpcd_port: int,
    sinks: Sequence[TraceSink],
    events: Events,
    ended: Callable[[Callable[[], None]], AbstractContextManager[None]],
) -> None:
    """Carry every card that calls at port `listen` (0: any free one) to vpcd, and record what crosses.

    `ended` gets what stops it, and is entered meanwhile. Raises `SessionError`.
    """
    try:
        with closing(Tap(listen, vpcd_port, Tracer(f"vpcd {vpcd_port}", sinks))) as tap, ended(tap.stop):
            events.emit(TapOpened(tap.port, vpcd_port))
            tap.run()
    except LinkError as error:
        raise SessionError(str(error)) from error
