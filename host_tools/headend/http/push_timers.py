"""When an LTKM goes out again whose acknowledgement has not come (`push`); the times are ours, no text gives any.

After the last try the BSM stops waiting for a plain MSK message and goes on with the next LTKM. One that credits stays
outstanding and is not sent by itself any more: the terminal's next request for a key starts its timer again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from host_tools.exchange.transport import Datagram
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.push import Pushes

_log = logging.getLogger(__name__)
FIRST_WAIT = 2.0
"""Seconds until the first retransmission; the wait doubles each time."""
MOST_TRIES = 5
"""How often an LTKM goes out again."""


@dataclass(slots=True)
class _Timer:
    token: object
    at: float
    tries: int = 0


class PushTimers:
    """The timers of all outstanding LTKMs. Its owner says what time it is, in seconds of any clock that only grows."""

    def __init__(self, pushes: Pushes) -> None:
        """Take what is on its way."""
        self._pushes = pushes
        self._timers: dict[str, _Timer] = {}
        self.resent = 0

    def next_at(self, now: float) -> float | None:
        """Return when `due` is to be called next, None for not before something is sent or arrives."""
        self._follow(now)
        return min((timer.at for timer in self._timers.values() if timer.tries <= MOST_TRIES), default=None)

    def due(self, now: float) -> tuple[Datagram, ...]:
        """Return what goes out again, or in its place."""
        self._follow(now)
        over = [(identity, timer) for identity, timer in self._timers.items() if timer.at <= now]
        return tuple(found for identity, timer in over for found in self._over(identity, timer, now))

    def _follow(self, now: float) -> None:
        """Have a timer for each outstanding LTKM, and no other."""
        outstanding = self._pushes.outstanding()
        for identity in self._timers.keys() - outstanding.keys():
            del self._timers[identity]
        for identity, (token, _) in outstanding.items():
            known = self._timers.get(identity)
            if known is None or known.token != token:
                self._timers[identity] = _Timer(token, now + FIRST_WAIT)

    def _over(self, identity: str, timer: _Timer, now: float) -> tuple[Datagram, ...]:
        timer.tries += 1
        if timer.tries > MOST_TRIES:
            _, credits = self._pushes.outstanding()[identity]
            timer.at = float("inf")
            return () if credits else self._pushes.give_up(identity)
        timer.at = now + FIRST_WAIT * 2**timer.tries
        try:
            sent = self._pushes.again(identity)
        except HeadendError as error:
            _log.info("an LTKM cannot go out again: %s", error)
            return self._pushes.give_up(identity)
        self.resent += len(sent)
        return sent
