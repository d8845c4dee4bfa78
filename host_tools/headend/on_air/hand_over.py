"""The BSM tells a BSD/A in another process of a SEK out of turn as soon as there is one.

A BSD/A asks for these itself in every round, so what does not arrive here costs nothing but time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from http import HTTPStatus

from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.back_end import MAC_HEADER, SekHandover, TransportKey
from host_tools.exchange.procedures import SEK_HANDOVER
from host_tools.exchange.transport import Transport

AGAIN = 1.0
"""Seconds until what did not arrive is sent again."""
_TRIES = 10
_MOST_WAITING = 64
_log = logging.getLogger(__name__)


class SeksHandedOver:
    """The way to one BSD/A. `arrived` counts the SEKs that it took, `failures` the attempts that came to nothing."""

    def __init__(self, transport: Transport, host: str, keys: TransportKey, *, with_keys: bool) -> None:
        """Take the way to the BSD/A, its name, the transport key, and whether it makes STKMs and so needs the SEKs."""
        self._transport = transport
        self._host = host
        self._keys = keys
        self._waiting: deque[SekHandover] = deque(maxlen=_MOST_WAITING)
        self._called = asyncio.Event()
        self.with_keys = with_keys
        self.arrived = 0
        self.failures = 0

    def put(self, handover: SekHandover) -> None:
        """Have a SEK handed over; it waits for `run`."""
        self._waiting.append(handover)
        self._called.set()

    async def run(self) -> None:
        """Hand over what comes until it is cancelled."""
        while True:
            await self._called.wait()
            self._called.clear()
            while self._waiting:
                await self._deliver(self._waiting.popleft())

    async def _deliver(self, handover: SekHandover) -> None:
        """Send one until it arrives or there is no point in it any more."""
        for _ in range(_TRIES):
            try:
                await asyncio.to_thread(self.send, handover)
            except TransportError as error:
                _log.warning("the BSD/A does not hear of SEK %s: %s", handover.roll.key_ids.msk_id.hex(), error)
                await asyncio.sleep(AGAIN)
            else:
                return

    def send(self, handover: SekHandover) -> None:
        """Send one and wait for the answer. Raises `TransportError` when it is no success."""
        body = handover.encode(self._keys)
        mac = self._keys.sign(SEK_HANDOVER.method, SEK_HANDOVER.target, body)
        try:
            answer = self._transport.exchange(SEK_HANDOVER.build(self._host, body, ((MAC_HEADER, mac),)))
            if answer.status != HTTPStatus.OK:
                raise TransportError(f"it answers {answer.status}")
        except TransportError:
            self.failures += 1
            raise
        self.arrived += 1
