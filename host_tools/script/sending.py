"""Sends the commands of a script and writes down the results, redacted for whoever shows it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from card.codec.apdu import CommandApdu
from card.errors import CardError
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import Response
from host_tools.links.base import LinkError
from host_tools.script.model import ApduStep
from host_tools.script.safety import Guard, gives_pin
from host_tools.script.timed import TimedLink
from host_tools.trace.events import TracedExchange, TraceEvent
from host_tools.trace.known_secrets import KnownSecrets
from host_tools.trace.tracer import RESET, Tracer


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of a command after `seconds`: the last answer, or None and in `error` why there is none.

    `raw` is its data and status word. `shown` is the exchange without its secrets.
    """

    seconds: float
    shown: TracedExchange | None
    raw: bytes = field(repr=False)
    response: Response | None = field(repr=False)
    error: str = ""


class Sender:
    """Sends commands, as they are written or through the client. Every PIN that the card refuses goes to the guard."""

    def __init__(self, link: TimedLink, client: ApduClient, guard: Guard, known: KnownSecrets) -> None:
        self._link = link
        self._client = client
        self._guard = guard
        self._last = _LastEvent()
        self._tracer = Tracer(link.name, [self._last], known=known)

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `LinkError`."""
        atr = self._link.reset()
        self._tracer.card_event(RESET, atr)
        return atr

    def send(self, step: ApduStep, raw: bytes, command: CommandApdu | None) -> Sent:
        """Send the bytes of a step; `command` is what they are, None for what is no command."""
        response: Response | None = None
        error = ""
        started = time.perf_counter()
        try:
            response = self._repeated(step, raw, command)
        except LinkError as problem:
            error = str(problem)
        seconds = time.perf_counter() - started
        answer = b"" if response is None else response.data + response.sw.to_bytes(2, "big")
        self._tracer.exchange(raw, answer, seconds, error)
        return Sent(seconds, self._last.event, answer, response, error)

    def _repeated(self, step: ApduStep, raw: bytes, command: CommandApdu | None) -> Response:
        """Send a command, again and again where the step says so. Raises `LinkError`."""
        # A PIN is given once, whatever the loop says: only then have its tries been asked for.
        repeats = step.until is not None and not (command and gives_pin(command))
        rounds = step.until.at_most if step.until and repeats else 1
        response = Response(b"", 0)
        for _ in range(rounds):
            if step.raw or command is None:
                response = Response.decode(self._link.transmit(raw))
            else:
                response = self._client.transmit(command)
            if command is not None:
                self._guard.refused.note(command, response.sw)
            if step.until is None or step.until.sw.fits(response.sw):
                break
        return response


class _LastEvent:
    """A sink that keeps the one event a result shows."""

    def __init__(self) -> None:
        self.event: TracedExchange | None = None

    def emit(self, event: TraceEvent) -> None:
        self.event = event if isinstance(event, TracedExchange) else None

    def close(self) -> None:
        pass


def decoded(raw: bytes) -> CommandApdu | None:
    """Return the command; None for bytes that are none, which are sent as they are."""
    try:
        return CommandApdu.decode(raw)
    except CardError:
        return None
