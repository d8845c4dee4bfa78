"""Listens in between vpcd (inside pcscd) and a card, both of which notice nothing.

The tap dials vpcd as the card would, and takes the card's call in its place. Bytes pass unchanged and at once; what
they mean is read from a copy. vpcd's framing: two bytes of length, then an APDU or one control byte.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator

from host_tools.links.base import LinkError
from host_tools.trace.tracer import POWER_OFF, POWER_ON, RESET, Tracer
from vpicc_bridge.lines import acknowledge_at_once, tune
from vpicc_bridge.protocol import CONTROLS, Control, FrameDecoder

_ATR_REQUEST = bytes((Control.ATR_REQUEST.value,))
_LOOPBACK = "127.0.0.1"
_CHUNK = 65_537
_TICK = 0.2  # seconds between looks at `stop`


def _bodies(decoder: FrameDecoder, data: bytes) -> Iterator[bytes]:
    decoder.feed(data)
    while (body := decoder.next_body()) is not None:
        yield body


class Conversation:
    """Pairs what vpcd asks with what the card answers, and tells the tracer."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._asked: bytes | None = None
        self._since = 0.0
        self._from_reader = FrameDecoder()
        self._from_card = FrameDecoder()
        self._what = POWER_ON

    def reader_sent(self, data: bytes) -> None:
        """Take bytes that went from vpcd to the card."""
        for body in _bodies(self._from_reader, data):
            self._ask(body)

    def card_sent(self, data: bytes) -> None:
        """Take bytes that went from the card to vpcd."""
        for body in _bodies(self._from_card, data):
            self._answer(body)

    def end(self) -> None:
        """The line is gone: note a command that nobody answered."""
        if self._asked is not None and self._asked != _ATR_REQUEST:
            self._tracer.exchange(self._asked, b"", time.perf_counter() - self._since, "the card did not answer")
        self._asked = None

    def _ask(self, body: bytes) -> None:
        match CONTROLS.get(body):
            case Control.POWER_OFF:
                self._tracer.card_event(POWER_OFF)
            case Control.POWER_ON:
                self._what = POWER_ON
            case Control.RESET:
                self._what = RESET
            case _:
                self._asked, self._since = body, time.perf_counter()

    def _answer(self, body: bytes) -> None:
        asked, self._asked = self._asked, None
        if asked == _ATR_REQUEST:
            # pcscd asks for the ATR again and again to see whether the card is there: only the first one is news.
            what, self._what = self._what, ""
            if what:
                self._tracer.card_event(what, body)
        elif asked is not None:
            self._tracer.exchange(asked, body, time.perf_counter() - self._since)


class Tap:
    """Carries bytes between one card and one vpcd slot until either hangs up, then waits for the next card."""

    def __init__(self, listen: int, vpcd_port: int, tracer: Tracer, vpcd_host: str = _LOOPBACK) -> None:
        """Listen on the loopback at `listen` (0: any free port). Raises `LinkError` when the port is taken."""
        self._vpcd = (vpcd_host, vpcd_port)
        self._tracer = tracer
        self._stopped = False
        try:
            self._listener = socket.create_server((_LOOPBACK, listen))
        except OSError as error:
            raise LinkError(f"The tap cannot listen on port {listen}: {error.strerror}.") from None
        self._listener.settimeout(_TICK)

    @property
    def port(self) -> int:
        """TCP port at which the card should call."""
        return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """Let `run` return soon; any thread or a signal handler may call it."""
        self._stopped = True

    def close(self) -> None:
        """Stop listening."""
        self._stopped = True
        self._listener.close()

    def run(self) -> None:
        """Serve one card after the other until `stop`. Raises `LinkError` when vpcd does not answer."""
        while not self._stopped:
            try:
                card, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with card:
                self._serve(card)

    def _serve(self, card: socket.socket) -> None:
        try:
            vpcd = socket.create_connection(self._vpcd)
        except OSError as error:
            host, port = self._vpcd
            raise LinkError(f"vpcd does not answer at {host}:{port} ({error.strerror}): is pcscd running?") from None
        conversation = Conversation(self._tracer)
        with vpcd, contextlib.suppress(ConnectionError):
            for line in (card, vpcd):
                tune(line)
                acknowledge_at_once(line)
            self._carry(card, vpcd, conversation)
        conversation.end()

    def _carry(self, card: socket.socket, vpcd: socket.socket, conversation: Conversation) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(card, selectors.EVENT_READ, (card, vpcd, conversation.card_sent))
            selector.register(vpcd, selectors.EVENT_READ, (vpcd, card, conversation.reader_sent))
            while not self._stopped:
                for key, _ in selector.select(_TICK):
                    line, other, told = key.data
                    data = line.recv(_CHUNK)
                    if not data:
                        return
                    acknowledge_at_once(line)
                    other.sendall(data)
                    told(data)
