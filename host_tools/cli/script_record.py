"""`bcast-uicc script record`: a session with a card, one command per line."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from card.codec.apdu import CommandApdu
from card.errors import DecodeError
from card.tables.problems import Place
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import GarbledResponse, Response
from host_tools.cli.exits import CARD, ENVIRONMENT, INPUT, CliError
from host_tools.links.base import Link, LinkError
from host_tools.script.errors import ExpressionError
from host_tools.script.model import ApduStep
from host_tools.script.oneline import parse_line
from host_tools.script.safety import pin_objection
from host_tools.script.values import Scope
from host_tools.trace.events import CardEvent, TraceEvent, TraceSink
from host_tools.trace.record import RESET, Recorder, RecordingLink

Echo = Callable[[str], object]


def record_session(link: Link, sink: TraceSink, lines: Iterable[str], echo: Echo) -> None:
    """Send the command on each line, record it into the sink, and `echo` the answer without secrets.

    A PIN is not sent with fewer than two tries left; the card is asked for them outside the record.
    Raises `CliError` when the reader is lost, when a line is no command, and in the end when one was not sent.
    """
    session = _Session(link, sink, echo)
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text:
            session.send(text, number)
    if session.unsent:
        were = "1 command was" if session.unsent == 1 else f"{session.unsent} commands were"
        raise CliError(f"{were} not sent", CARD)


class _Session:
    """A card, and two ways to it: one that is recorded, and one to ask what is no part of the session."""

    def __init__(self, link: Link, sink: TraceSink, echo: Echo) -> None:
        self.unsent = 0
        self._client = ApduClient(link)
        self._recorded = RecordingLink(link, Recorder(link.name, [sink, _Answers(echo)]))
        self._echo = echo

    def send(self, text: str, number: int) -> None:
        """Do what stands on a line. Raises `CliError`."""
        try:
            step = parse_line(text, Place("<stdin>", number))
            if isinstance(step, ApduStep):
                self._transmit(step.command.expand(Scope()).data)
            else:
                self._recorded.reset()
        except (ExpressionError, DecodeError) as error:
            raise CliError(f"line {number}: {error}", INPUT) from None
        except LinkError as error:
            raise CliError(str(error), ENVIRONMENT) from error

    def _transmit(self, command: bytes) -> None:
        objection = pin_objection(self._client, CommandApdu.decode(command))
        if objection:
            self.unsent += 1
            self._echo(f"not sent: {objection}")
        else:
            self._recorded.transmit(command)


class _Answers:
    """A trace sink that shows what the card said: status word and data, or the ATR behind a reset."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo

    def emit(self, event: TraceEvent) -> None:
        if isinstance(event, CardEvent):
            if event.what == RESET:
                self._echo(event.atr.hex().upper())
        elif not event.error:
            self._echo(_in_words(event.response, hidden=bool(event.hidden_response)))

    def close(self) -> None:
        pass


def _in_words(raw: bytes, *, hidden: bool) -> str:
    try:
        response = Response.decode(raw)
    except GarbledResponse as error:
        return str(error)
    data = f": {response.data.hex().upper()}" if response.data else ""
    return f"{response.sw:04X}{data}{' (secret parts are zero)' if hidden else ''}"
