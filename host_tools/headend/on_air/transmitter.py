"""Sends packets at their moments of an absolute schedule, on an event loop.

A timer may ring late, but each is set by the begin of the broadcast and not by the one before, so nothing adds up. What
is more than a second late by the clock is not sent: after the computer stood still, nobody wants to hear it in a burst.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from host_tools.content.captures.datagrams import Datagram
from host_tools.content.errors import CaptureError
from host_tools.headend.bsda.station import SentStkm
from host_tools.headend.on_air.lateness import Lateness
from host_tools.headend.on_air.queue import SendQueue

_AHEAD = 0.04
_OVER = 1.0
_MOST_AT_ONCE = 256
_log = logging.getLogger(__name__)


class Outlet(Protocol):
    """Where packets go."""

    def send(self, service: str, payload: bytes, /, *, is_stkm: bool) -> None:
        """Send a packet of a service."""


class Recorder(Protocol):
    """What keeps what goes out."""

    def write(self, datagram: Datagram, /) -> None:
        """Append one datagram. Raises `CaptureError`."""


class Transmitter:
    """Sends a queue. `sent` counts packets by service and kind (media or stkm), `lateness` how late they were."""

    def __init__(
        self,
        queue: SendQueue,
        outlet: Outlet,
        speed: float,
        recorder: Recorder | None = None,
        on_end: Callable[[], None] | None = None,
        on_stkm: Callable[[str, bytes], None] | None = None,
    ) -> None:
        """Take what is sent, where, how many times as fast as the clock, and who keeps it.

        `on_end` hears of its end, `on_stkm` of every STKM: its service and its bytes.
        """
        self._queue = queue
        self._outlet = outlet
        self._per_second = 1000 * speed
        self._recorder = recorder
        self._on_end = on_end
        self._on_stkm = on_stkm
        self._begin = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.sent: Counter[tuple[str, str]] = Counter()
        self.lateness = Lateness()
        self.ended = False
        self.defects = 0

    def start(self, position: float) -> None:
        """Begin; the broadcast has got to this moment (milliseconds, negative before its begin)."""
        self._begin = asyncio.get_running_loop().time() - position / self._per_second
        self._tick()

    def stop(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._send_due(loop)
        except Exception as error:  # one packet must not end the broadcast
            self.defects += 1
            _log.error("the broadcast met an unexpected %s", type(error).__name__)
        following = self._queue.next_at
        if following is None:
            self._timer, self.ended = None, True
            if self._on_end is not None:
                self._on_end()
            return
        self._timer = loop.call_at(self._moment(following), self._tick)

    def _send_due(self, loop: asyncio.AbstractEventLoop) -> None:
        position = (loop.time() - self._begin) * self._per_second
        for found in self._queue.take(position):
            is_stkm = isinstance(found.what, SentStkm)
            self._outlet.send(found.service, found.what.datagram.payload, is_stkm=is_stkm)
            self.lateness.add(loop.time() - self._moment(found.at))
            self.sent[found.service, "stkm" if is_stkm else "media"] += 1
            self._record(found.what.datagram)
            if is_stkm and self._on_stkm is not None:
                self._on_stkm(found.service, found.what.datagram.payload)
        self._queue.prepare(position + _AHEAD * self._per_second, position - _OVER * self._per_second, _MOST_AT_ONCE)

    def _record(self, datagram: Datagram) -> None:
        """Keep a datagram. A file that cannot be written any more is left, and the broadcast goes on."""
        if self._recorder is None:
            return
        try:
            self._recorder.write(datagram)
        except (CaptureError, OSError) as error:
            _log.error("the recording ends here: %s", error)
            self._recorder = None

    def _moment(self, at: int) -> float:
        return self._begin + at / self._per_second
