"""Watches one side of a comparison: what crosses its link, step by step."""

from __future__ import annotations

import threading

from host_tools.compare.joined import Wire, join_exchanges
from host_tools.compare.model import SideRun, Step
from host_tools.links.base import Link, LinkError
from host_tools.links.wrapped import WrappedLink
from host_tools.trace.events import TracedExchange, TraceEvent
from host_tools.trace.known_secrets import KnownSecrets
from host_tools.trace.tracer import TracedLink, Tracer

_SHORTEST = 2  # bytes of a status word


class ObservedLink(WrappedLink):
    """A link that remembers everything, cut into steps; `known` secrets are hidden."""

    def __init__(self, link: Link, known: KnownSecrets | None = None) -> None:
        self._last: TracedExchange | None = None
        super().__init__(TracedLink(link, Tracer(link.name, [self], known=known)))
        self._atr = link.atr
        self._lock = threading.Lock()
        self._sent: bytes | None = None  # the command that is not answered yet
        self._wires: list[Wire] = []
        self._steps: list[Step] = []
        self.trouble = ""  # the first thing that went wrong with the reader, in words

    # --- Link

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU and return data and status word. Raises `LinkError`."""
        self._sent = apdu
        response = b""
        try:
            response = self._inner.transmit(apdu)
        except LinkError as error:
            self.trouble = self.trouble or str(error)
            raise
        finally:
            self._answered(apdu, response)
        if len(response) < _SHORTEST:
            self.trouble = self.trouble or f"The card answered {len(response)} bytes; a response has at least 2."
        return response

    # --- steps

    def end_step(self, name: str, clause: str = "", outcome: str = "", problem: str = "") -> None:
        """Say that everything since the last call was this step; `problem` is why it could not be carried out."""
        with self._lock:
            if self._sent is not None:
                self._give_up(problem)
            observed = tuple(join_exchanges(self._wires))
            self._wires.clear()
        self._steps.append(Step(name, clause, outcome, observed))

    def finish(self) -> SideRun:
        """Return what was seen."""
        return SideRun(self.name, self._atr, self.protocol.value, tuple(self._steps), self.trouble)

    def _answered(self, apdu: bytes, response: bytes) -> None:
        with self._lock:
            shown, self._last = self._last, None
            if self._sent is not apdu:
                return  # the step has ended without this answer
            self._sent = None
            if shown is not None:
                self._wires.append(Wire(shown, apdu, response))

    def _give_up(self, problem: str) -> None:
        """Note a command whose answer nobody waits for any more."""
        command, self._sent = self._sent or b"", None
        self.trouble = self.trouble or problem
        # What it carries has not been looked at for secrets, so only its header is kept.
        header = command[:4]
        shown = TracedExchange(0, 0.0, self.name, header, b"", 0.0, problem)
        self._wires.append(Wire(shown, command, b""))

    # --- TraceSink, for the tracer

    def emit(self, event: TraceEvent) -> None:
        """Take the redacted form of what has just crossed the link."""
        if isinstance(event, TracedExchange):
            self._last = event
