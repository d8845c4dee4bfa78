"""A card in a test: send commands, look at answers, see what happened when the test fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from card.codec.apdu import CommandApdu
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import Response
from host_tools.links.base import Link
from host_tools.pytest_plugin.answers import Answer, CardData, StatusWord
from host_tools.trace.events import TraceEvent
from host_tools.trace.files import FileTracker
from host_tools.trace.ladder import LadderWatch
from host_tools.trace.record import Recorder, RecordingLink
from host_tools.trace.redact import Redactor
from host_tools.trace.text import event_lines

_KEPT_EVENTS = 200


class Transcript:
    """Keeps the last events of a card (a `TraceSink`)."""

    def __init__(self) -> None:
        self._events: deque[TraceEvent] = deque(maxlen=_KEPT_EVENTS)

    def emit(self, event: TraceEvent) -> None:
        """Take one event."""
        self._events.append(event)

    def close(self) -> None:
        """Keep what is there: it is wanted after the test."""

    def lines(self) -> Iterator[str]:
        """Yield the trace as lines for people, without PINs and keys."""
        ladder = LadderWatch()
        for event in self._events:
            yield from event_lines(event, ladder)


class Uicc:
    """A card behind a link. `link` is what middleware takes; everything that crosses it is in the transcript."""

    def __init__(self, link: Link) -> None:
        self.transcript = Transcript()
        self.link: Link = RecordingLink(link, Recorder(link.name, [self.transcript]))
        self._client = ApduClient(self.link)
        self._files = FileTracker()
        self._redactor = Redactor()

    @property
    def atr(self) -> bytes:
        """Answer to reset of the last power-on or reset."""
        return self.link.atr

    def send(self, apdu: str | bytes) -> Answer:
        """Send a command (bytes, or hex with spaces as you like) and return the whole answer.

        GET RESPONSE, a wrong Le and blocks are seen to. Raises `DecodeError` for what is no APDU, `LinkError`.
        """
        raw = bytes.fromhex(apdu) if isinstance(apdu, str) else apdu
        response = self._client.transmit(CommandApdu.decode(raw))
        return self._answer(raw, response)

    def send_raw(self, apdu: str | bytes) -> Answer:
        """Send any bytes as they are and return what came back. Raises `LinkError`."""
        raw = bytes.fromhex(apdu) if isinstance(apdu, str) else apdu
        return self._answer(raw, Response.decode(self.link.transmit(raw)))

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `LinkError`."""
        self._files.reset()
        self._redactor.reset()
        return self.link.reset()

    def close(self) -> None:
        """Let the card go."""
        self.link.close()

    def _answer(self, command: bytes, response: Response) -> Answer:
        raw = response.data + response.sw.to_bytes(2, "big")
        file = self._files.follow(command, raw)
        secrets = self._redactor.find_secrets(command, raw, file)
        return Answer(CardData.of(response.data, secrets.response), StatusWord(response.sw))
