"""Says which command an answer belongs to: GET RESPONSE fetches what another one left (TS 102 221 clause 7.3.1)."""

from __future__ import annotations

from card.codec.apdu import channel_of
from card.spec.cla import SIM_CLASS
from card.spec.ins import INS
from host_tools.trace.events import TracedExchange

_HEADER = 4
_MORE = (0x61, 0x9F)


def announces_more(event: TracedExchange) -> bool:
    """Tell whether the answer says that more is to be fetched."""
    return event.sw is not None and event.sw >> 8 in _MORE


class Attribution:
    """Takes the exchanges of one card in their order."""

    def __init__(self) -> None:
        self._last: dict[int, TracedExchange] = {}

    def asked(self, event: TracedExchange) -> TracedExchange:
        """Return the exchange that asked for what this one answers: mostly `event` itself."""
        command = event.command
        if len(command) < _HEADER:
            return event
        channel = 0 if command[0] == SIM_CLASS else channel_of(command[0])
        if command[1] != INS.GET_RESPONSE:
            self._last[channel] = event
            return event
        asked = self._last.get(channel, event)
        if not announces_more(event):
            self._last.pop(channel, None)  # it is fetched
        return asked
