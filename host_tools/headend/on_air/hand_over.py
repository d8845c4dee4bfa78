"""The BSM tells a BSD/A in another process of a SEK out of turn as soon as there is one.

A BSD/A asks for these itself in every round, so what does not arrive here costs nothing but time. SEKs of one service
go in the order in which they were taken up, so that none is late for one after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(slots=True, eq=False)
class _Waiting:
    handover: SekHandover
    tries: int = 0


class SeksHandedOver:
    """The way to one BSD/A.

    `arrived` counts the SEKs that it took, `failures` the attempts that came to nothing, `defects` the exceptions that
    nobody expected.
    """

    def __init__(self, transport: Transport, host: str, keys: TransportKey, *, with_keys: bool) -> None:
        """Take the way to the BSD/A, its name, the transport key, and whether it makes STKMs and so needs the SEKs."""
        self._transport = transport
        self._host = host
        self._keys = keys
        self._waiting: deque[_Waiting] = deque(maxlen=_MOST_WAITING)
        self._called = asyncio.Event()
        self.with_keys = with_keys
        self.arrived = 0
        self.failures = 0
        self.defects = 0

    def put(self, handover: SekHandover) -> None:
        """Have a SEK handed over; it waits for `run`."""
        self._waiting.append(_Waiting(handover))
        self._called.set()

    async def run(self) -> None:
        """Hand over what comes until it is cancelled."""
        while True:
            await self._called.wait()
            self._called.clear()
            while self._waiting:
                if not await self._round():
                    await asyncio.sleep(AGAIN)

    async def _round(self) -> bool:
        """Send the oldest SEK of each service once; tell whether none of them has to be sent again."""
        oldest: dict[str, _Waiting] = {}
        for one in self._waiting:
            oldest.setdefault(one.handover.roll.service, one)
        done = [await self._try(one) for one in oldest.values()]
        for one, is_done in zip(oldest.values(), done, strict=True):
            if is_done or one.tries >= _TRIES:
                with suppress(ValueError):  # too many came in the meantime
                    self._waiting.remove(one)
        return all(done)

    async def _try(self, one: _Waiting) -> bool:
        """Send one; tell whether it arrived, or cannot."""
        one.tries += 1
        try:
            await asyncio.to_thread(self.send, one.handover)
        except TransportError as error:
            _log.warning("the BSD/A does not hear of SEK %s: %s", one.handover.roll.key_ids.msk_id.hex(), error)
            return False
        except Exception as error:  # the others are handed over all the same
            self.defects += 1
            _log.error("a SEK could not be handed over: %s", type(error).__name__)
        return True

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
