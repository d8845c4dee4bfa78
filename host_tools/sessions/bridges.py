"""Makes the bridge between a card and its reader."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from host_tools.sessions.errors import SessionError
from host_tools.sessions.place import Place

if TYPE_CHECKING:
    from vpicc_bridge.adapter import VirtualCard
    from vpicc_bridge.lines import Line
    from vpicc_bridge.notices import Observer
    from vpicc_bridge.slots import Bridge


def make_bridge(card: VirtualCard, place: Place, observer: Observer, *, lines: Callable[[], Line], kind: str) -> Bridge:
    """Return what keeps a card in the reader at a place: our vpcd client, or (`vpicc`) that of Debian's package.

    Raises `SessionError` where that package is missing.
    """
    if kind == "vpicc":
        return _make_vicc_bridge(card, place, observer)
    from vpicc_bridge.alertness import ALERT
    from vpicc_bridge.connection import Connection

    return Connection(lines(), card, observer, alert=ALERT)


def lines_to(place: Place, *, listen: bool) -> Callable[[], Line]:
    """Return what makes a line to vpcd, and another for a card that is back. All listen on the port of the first.

    What it returns raises `SessionError` where nothing can listen.
    """
    from vpicc_bridge.lines import Dialler, Listener

    if not listen:
        return partial(Dialler, place.host, place.port)
    port = place.port

    def listening() -> Line:
        nonlocal port
        try:
            listener = Listener(place.host, port)
        except OSError as error:
            raise SessionError(f"cannot listen on {place.host}:{port}: {_reason(error)}.") from error
        port = listener.port
        return listener

    return listening


def _reason(error: OSError) -> str:
    # In its own text, Python adds to the system's words what it was doing, address and all.
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror or str(error)


def _make_vicc_bridge(card: VirtualCard, place: Place, observer: Observer) -> Bridge:
    from vpicc_bridge.vicc_os import ViccBridge, ViccMissing

    try:
        return ViccBridge(card, place.host, place.port, observer)
    except ViccMissing as error:
        raise SessionError(f"{error}.") from error
