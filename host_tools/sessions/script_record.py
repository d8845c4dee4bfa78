"""Records a session with a card as a script, one command per line."""

from __future__ import annotations

from collections.abc import Iterable

from card.codec.apdu import CommandApdu
from card.errors import DecodeError
from card.tables.problems import Place
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import GarbledResponse, Response
from host_tools.links.base import Link, LinkError
from host_tools.script.errors import ExpressionError
from host_tools.script.model import ApduStep
from host_tools.script.oneline import parse_line
from host_tools.script.safety import pin_objection
from host_tools.script.values import Scope
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import CardAnswered, Events, NotSent
from host_tools.trace.events import CardEvent, TraceEvent, TraceSink
from host_tools.trace.tracer import RESET, TracedLink, Tracer


def record_session(link: Link, sink: TraceSink, lines: Iterable[str], events: Events) -> None:
    """Send the command on each line, record it into the sink, and tell the answer without secrets.

    A PIN is not sent with fewer than two tries left; the card is asked for them outside the record.
    Raises `SessionError` when the reader is lost, when a line is no command, and in the end when one was not sent.
    """
    session = _Session(link, sink, events)
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text:
            session.send(text, number)
    if session.unsent:
        were = "1 command was" if session.unsent == 1 else f"{session.unsent} commands were"
        raise SessionError(f"{were} not sent", Trouble.CARD)


class _Session:
    """A card, and two ways to it: one that is recorded, and one to ask what is no part of the session."""

    def __init__(self, link: Link, sink: TraceSink, events: Events) -> None:
        self.unsent = 0
        self._client = ApduClient(link)
        self._recorded = TracedLink(link, Tracer(link.name, [sink, _Answers(events)]))
        self._events = events

    def send(self, text: str, number: int) -> None:
        """Do what stands on a line. Raises `SessionError`."""
        try:
            step = parse_line(text, Place("<stdin>", number))
            if isinstance(step, ApduStep):
                self._transmit(step.command.expand(Scope()).data)
            else:
                self._recorded.reset()
        except (ExpressionError, DecodeError) as error:
            raise SessionError(f"line {number}: {error}", Trouble.INPUT) from None
        except LinkError as error:
            raise SessionError(str(error)) from error

    def _transmit(self, command: bytes) -> None:
        objection = pin_objection(self._client, CommandApdu.decode(command))
        if objection:
            self.unsent += 1
            self._events.emit(NotSent(objection))
        else:
            self._recorded.transmit(command)


class _Answers:
    """A trace sink that shows what the card said: status word and data, or the ATR behind a reset."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def emit(self, event: TraceEvent) -> None:
        if isinstance(event, CardEvent):
            if event.what == RESET:
                self._events.emit(CardAnswered(event.atr.hex().upper()))
        elif not event.error:
            self._events.emit(CardAnswered(_in_words(event.response, hidden=bool(event.hidden_response))))

    def close(self) -> None:
        pass


def _in_words(raw: bytes, *, hidden: bool) -> str:
    try:
        response = Response.decode(raw)
    except GarbledResponse as error:
        return str(error)
    data = f": {response.data.hex().upper()}" if response.data else ""
    return f"{response.sw:04X}{data}{' (secret parts are zero)' if hidden else ''}"
