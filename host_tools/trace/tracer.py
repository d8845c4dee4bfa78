"""Traces what crosses a link: any link can be wrapped, and behaves as before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from card.codec.redaction import Redaction, Redactor, blank
from host_tools.links.base import Link, LinkError, is_shared
from host_tools.links.wrapped import WrappedLink
from host_tools.trace.events import CardEvent, TracedExchange, TraceSink
from host_tools.trace.known_secrets import KnownSecrets, merge

RESET = "reset"
POWER_ON = "power on"
POWER_OFF = "power off"


class _Hider:
    """Finds what a rule names secret in the exchanges of one card, and what is known by value, wherever it stands."""

    def __init__(self, known: KnownSecrets | None = None) -> None:
        self._known = known
        self._rules = Redactor()

    def reset(self) -> None:
        """Forget what was selected and asked: the card was reset."""
        self._rules.reset()

    def doubt(self) -> None:
        """Take no file for current before the next SELECT: other programs use the card, too."""
        self._rules.doubt()

    def find(self, command: bytes, response: bytes) -> Redaction:
        """Return where the secrets are. `response` is data and status word, empty when none came."""
        found = self._rules.exchange(command, response)
        if self._known is None:
            return found
        start, end = found.data
        sent = tuple((start + at, start + to) for at, to in self._known.spans(command[start:end]))
        came = self._known.spans(response[:-2])
        if not sent and not came:
            return found
        return Redaction(merge((*found.command, *sent)), merge((*found.response, *came)), found.file, found.data)


class Tracer:
    """Makes events of what happens to one card and hands them to the sinks.

    `clock` gives seconds since 1970. `known` secrets are hidden wherever they stand.
    """

    def __init__(
        self,
        link: str,
        sinks: Sequence[TraceSink],
        clock: Callable[[], float] = time.time,
        known: KnownSecrets | None = None,
    ) -> None:
        self._link = link
        self._sinks = tuple(sinks)
        self._clock = clock
        self._hider = _Hider(known)
        self._number = 0
        self._fault = ""

    def note_fault(self, sentence: str) -> None:
        """Note the fault that a plan has for the command under way: it goes with the next exchange."""
        self._fault = sentence

    def exchange(self, command: bytes, response: bytes, seconds: float, error: str = "") -> None:
        """Note a command, the answer (empty: none came, `error` says why) and how long it took."""
        at = self._clock() - seconds
        found = self._hider.find(command, response)
        self._number += 1
        fault, self._fault = self._fault, ""
        event = TracedExchange(
            number=self._number,
            at=at,
            link=self._link,
            command=blank(command, found.command),
            response=blank(response, found.response),
            seconds=seconds,
            error=error,
            file=found.file.name,
            hidden_command=found.command,
            hidden_response=found.response,
            fault=fault,
        )
        for sink in self._sinks:
            sink.emit(event)

    def card_event(self, what: str, atr: bytes = b"", *, is_shared: bool = False) -> None:
        """Note that the card was switched or reset.

        With `is_shared` it may have been on before, with any file selected: which one is current is then not known.
        """
        self._hider.reset()
        if is_shared:
            self._hider.doubt()
        self._number += 1
        event = CardEvent(self._number, self._clock(), self._link, what, atr)
        for sink in self._sinks:
            sink.emit(event)

    def close(self) -> None:
        """Finish every sink, also where one cannot be; what the first of these raises comes behind that."""
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(sink.close)


class TracedLink(WrappedLink):
    """A link that tells a tracer what crosses it."""

    def __init__(self, link: Link, tracer: Tracer) -> None:
        super().__init__(link)
        self._tracer = tracer
        tracer.card_event(POWER_ON, link.atr, is_shared=is_shared(link))

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU and return data and status word. Raises `LinkError`."""
        started = time.perf_counter()
        try:
            response = self._inner.transmit(apdu)
        except LinkError as error:
            self._tracer.exchange(apdu, b"", time.perf_counter() - started, str(error))
            raise
        self._tracer.exchange(apdu, response, time.perf_counter() - started)
        return response

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `LinkError`."""
        atr = self._inner.reset()
        self._tracer.card_event(RESET, atr)
        return atr

    def close(self) -> None:
        """Let the card go and finish the sinks."""
        try:
            self._inner.close()
        finally:
            self._tracer.close()
