"""Finds the secret bytes of one exchange after the other, on every logical channel."""

from __future__ import annotations

from dataclasses import dataclass, field

from card.codec.apdu import CommandApdu, channel_of
from card.codec.redaction import proactive
from card.codec.redaction.current_file import CurrentFile, FileTracker, addressed, is_refused
from card.codec.redaction.even import ALL, shown_bytes
from card.codec.redaction.odd import OddExchange
from card.codec.redaction.spans import HEADER_SIZE, Span, data_bounds, whole
from card.errors import DecodeError
from card.spec.cla import SIM_CLASS
from card.spec.ins import INS
from card.spec.secrets import Secrecy, SecrecyRow, find_secrecy


@dataclass(frozen=True, slots=True)
class Redaction:
    """The spans of secret bytes in a command APDU and in its response; `file` is current behind the command.

    `data` is where the data of the command lie: all of it where its lengths contradict each other.
    """

    command: tuple[Span, ...]
    response: tuple[Span, ...]
    file: CurrentFile
    data: Span


@dataclass(slots=True)
class _Answer:
    """The answer to a command: how many bytes from its start may be seen (None: not known yet), how many came."""

    asked: CommandApdu
    shown: int | None
    given: int = 0


@dataclass(slots=True)
class _Business:
    """What is under way on one logical channel."""

    answer: _Answer | None = None
    odd: OddExchange = field(default_factory=OddExchange)


class Redactor:
    """Takes the exchanges of one card in their order; GET RESPONSE and fetched blocks belong to what was asked.

    With `sees_inside` it is also given the commands that travel in a protected channel, each before the one that
    carried it, as the card's own trace is. Without, they select files unseen: then nothing is known any more.
    """

    def __init__(self, *, sees_inside: bool = False) -> None:
        self._sees_inside = sees_inside
        self._files = FileTracker()
        self._business: dict[tuple[int, bool], _Business] = {}

    def reset(self) -> None:
        """Forget what was asked and selected: the card was reset."""
        self._files.reset()
        self._business.clear()

    def doubt(self) -> None:
        """Take no file for current any more: somebody else may have selected another one unseen."""
        self._files.doubt_all()

    def exchange(self, command: bytes, response: bytes, *, inside: bool = False, carrier: bool = False) -> Redaction:
        """Return what is secret. `response` is data and status word, empty when none came.

        `inside` says that the command came in a protected channel, `carrier` that it carried one that was given before.
        """
        row = find_secrecy(command[0], command[1]) if len(command) >= HEADER_SIZE else None
        try:
            decoded = CommandApdu.decode(command)
        except DecodeError:
            return self._unreadable(command, response, row)
        channel = 0 if decoded.cla == SIM_CLASS else channel_of(decoded.cla)
        business = self._business.get((channel, inside))
        if business is None:
            business = self._business[channel, inside] = _Business()
        file = addressed(self._files.current(channel), decoded)
        bounds = data_bounds(decoded)
        in_data = _in_command(decoded, row, file, business)
        in_command = tuple((bounds[0] + at, bounds[0] + end) for at, end in in_data) if in_data else ()
        in_response = _in_response(decoded, response, row, file, business)
        if not carrier:
            self._follow(channel, decoded, response, named=row is not None)
        return Redaction(in_command, in_response, self._files.current(channel), bounds)

    def _follow(self, channel: int, command: CommandApdu, response: bytes, *, named: bool) -> None:
        self._files.follow(channel, command, response, named=named)
        if command.ins == INS.TRANSACT_DATA and command.data and not self._sees_inside:
            self._files.doubt_all()

    def _unreadable(self, command: bytes, response: bytes, row: SecrecyRow | None) -> Redaction:
        """Lengths contradict each other: what is not open in every case is hidden."""
        channel = channel_of(command[0]) if command else 0
        if not is_refused(response):
            self._files.doubt(channel)
        shows_command = row is not None and row.command is Secrecy.OPEN
        shows_answer = row is not None and row.answer is Secrecy.OPEN
        body = () if shows_command or len(command) <= HEADER_SIZE else ((HEADER_SIZE, len(command)),)
        answer = () if shows_answer else whole(response[:-2])
        return Redaction(body, answer, self._files.current(channel), (0, len(command)))


def _in_command(
    command: CommandApdu, row: SecrecyRow | None, file: CurrentFile, business: _Business
) -> tuple[Span, ...]:
    """Return the spans in the data of the command."""
    if not command.data or row is None:
        return whole(command.data)
    match row.command:
        case Secrecy.OPEN:
            return ()
        case Secrecy.FILE:
            return whole(command.data) if file.holds_secrets else ()
        case Secrecy.CONTEXT:
            return business.odd.in_command(command)
        case Secrecy.PROACTIVE:
            return () if proactive.is_open(command.ins, command.data) else whole(command.data)
        case _:
            return whole(command.data)


def _in_response(
    command: CommandApdu, response: bytes, row: SecrecyRow | None, file: CurrentFile, business: _Business
) -> tuple[Span, ...]:
    """Return the spans in the response, and remember how what is left of it is to be treated."""
    data = response[:-2]
    if command.ins == INS.AUTHENTICATE_ODD and row is not None:
        business.odd.note(command, response)
        business.answer = _Answer(command, 0)
        return business.odd.in_answer(command, data)
    if row is None or row.answer is not Secrecy.ASKED:
        business.answer = _Answer(command, _shown(row, file))
    answer = business.answer
    if answer is None:
        return whole(data)
    if not data:
        return ()
    if answer.shown is None:
        answer.shown = _shown_of(answer.asked, data)
    start = max(0, answer.shown - answer.given)
    answer.given += len(data)
    return ((start, len(data)),) if start < len(data) else ()


def _shown(row: SecrecyRow | None, file: CurrentFile) -> int | None:
    """Return how many bytes of an answer may be seen; None when only the answer tells."""
    match row.answer if row else Secrecy.SECRET:
        case Secrecy.OPEN:
            return ALL
        case Secrecy.FILE:
            return 0 if file.holds_secrets else ALL
        case Secrecy.CONTEXT | Secrecy.PROACTIVE:
            return None
        case _:
            return 0


def _shown_of(asked: CommandApdu, begin: bytes) -> int:
    if asked.ins == INS.AUTHENTICATE:
        return shown_bytes(asked, begin)
    return ALL if proactive.is_open(asked.ins, begin) else 0
