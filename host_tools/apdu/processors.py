"""Processors: each wraps the next and handles one matter of transport (TS 102 221 clauses 7, 11, 14).

The order from the caller to the link is: proactive commands, block retrieval, block sending, GET RESPONSE,
wrong Le, trace, format.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from card.codec.apdu import MAX_SHORT_LC, MAX_SHORT_LE, CommandApdu
from card.codec.redaction import Redactor
from card.spec.cla import ETSI_CLASS, SIM_CLASS
from card.spec.contexts import Step
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.response import GarbledResponse, Response
from host_tools.apdu.trace import Exchange, ExchangeSink
from host_tools.links.base import Link, LinkError, TransmissionProtocol

MAX_RESPONSE = 65536  # bytes collected for one command; a card that offers more is broken
MAX_PROACTIVE = 32  # proactive commands in a row before the terminal gives up

CHAINED_INSTRUCTIONS: frozenset[int] = frozenset({INS.AUTHENTICATE_ODD, INS.OMA_BCAST})

_WARNINGS_OF_SELECT = frozenset({SW.FILE_DEACTIVATED_WARNING, SW.FILE_TERMINATED_WARNING})
_MORE_COMMAND = frozenset({SW.MORE_COMMAND, SW.MORE_COMMAND_PROACTIVE})
_MORE_RESPONSE = frozenset({SW.MORE_RESPONSE, SW.MORE_RESPONSE_PROACTIVE})

ProactiveHandler = Callable[[bytes], bytes]
"""Takes a proactive command (BER-TLV, tag D0) and returns the data of TERMINAL RESPONSE."""


class Processor(Protocol):
    """Takes a command and returns the response to it, having seen to one matter on the way."""

    def transmit(self, command: CommandApdu, /) -> Response:
        """Execute the command. Raises `LinkError`."""


class FormatProcessor:
    """Writes the command as bytes and reads the response; the innermost processor.

    With T=0 a case-4 command travels without Le: the card then announces its response with 61XX.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def transmit(self, command: CommandApdu) -> Response:
        """Send the command over the link. Raises `LinkError`."""
        if self._link.protocol is TransmissionProtocol.T0 and 0 < len(command.data) <= MAX_SHORT_LC:
            command = replace(command, le=None)
        return Response.decode(self._link.transmit(command.encode()))


class TraceProcessor:
    """Shows every exchange to a sink, with PINs and keys left out.

    A shared card may have been used before: no file of it is taken for current until one was selected.
    """

    def __init__(self, following: Processor, sink: ExchangeSink, *, is_shared: bool = False) -> None:
        self._next = following
        self._sink = sink
        self._redactor = Redactor()
        if is_shared:
            self._redactor.doubt()

    def reset(self) -> None:
        """Forget what was selected and asked: the card was reset."""
        self._redactor.reset()

    def transmit(self, command: CommandApdu) -> Response:
        """Execute the command and show it. Raises `LinkError`."""
        started = time.perf_counter()
        try:
            response = self._next.transmit(command)
        except LinkError:
            self._redactor.exchange(command.encode(), b"")
            raise
        seconds = time.perf_counter() - started
        raw = response.data + response.sw.to_bytes(2, "big")
        redacted = self._redactor.exchange(command.encode(), raw)
        self._sink(Exchange.of(command, response, seconds, redacted))
        return response


class WrongLengthProcessor:
    """Repeats a command once with the Le that 6CXX names."""

    def __init__(self, following: Processor) -> None:
        self._next = following

    def transmit(self, command: CommandApdu) -> Response:
        """Execute the command, with a corrected Le if the card asks for it."""
        response = self._next.transmit(command)
        if response.sw >> 8 != 0x6C:
            return response
        return self._next.transmit(replace(command, le=_announced(response.sw)))


class GetResponseProcessor:
    """Fetches what 61XX announces and joins the pieces, and what waits behind a warning of SELECT on T=0."""

    def __init__(self, following: Processor) -> None:
        self._next = following

    def transmit(self, command: CommandApdu) -> Response:
        """Execute the command and return the whole response. Raises `GarbledResponse` for one without end."""
        response = self._next.transmit(command)
        if response.sw in _WARNINGS_OF_SELECT and command.ins == INS.SELECT and command.le and not response.data:
            # TS 102 221 annex C: the warning comes first and is the status word of the whole.
            fetched = self._next.transmit(_get_response(command.cla, response.sw & 0xFF00))
            return replace(fetched, sw=response.sw) if fetched.sw == SW.OK else response
        if response.sw >> 8 != 0x61:
            return response
        collected = bytearray(response.data)
        while True:
            response = self._next.transmit(_get_response(command.cla, response.sw))
            collected += response.data
            if response.sw >> 8 != 0x61:
                return Response(bytes(collected), response.sw)
            _check_progress(response, len(collected))


class BlockSender:
    """Cuts the data of an odd-INS command into blocks of at most 255 bytes."""

    def __init__(self, following: Processor) -> None:
        self._next = following

    def transmit(self, command: CommandApdu) -> Response:
        """Execute the command block by block; a status word other than 63F1 or 63F2 ends it early."""
        if command.ins not in CHAINED_INSTRUCTIONS or command.p1 != Step.FIRST_COMMAND:
            return self._next.transmit(command)
        response = Response(b"", SW.OK)
        for block in _blocks(command):
            response = self._next.transmit(block)
            if response.sw not in _MORE_COMMAND:
                break
        return response


class BlockFetcher:
    """Fetches the response object of an odd-INS command when 62F3 announces one."""

    def __init__(self, following: Processor) -> None:
        self._next = following

    def transmit(self, command: CommandApdu) -> Response:
        """Execute the command and return the whole response. Raises `GarbledResponse` for one without end."""
        response = self._next.transmit(command)
        if response.sw != SW.RESPONSE_AVAILABLE or command.ins not in CHAINED_INSTRUCTIONS:
            return response
        fetch = replace(command, p1=Step.FIRST_RESPONSE, data=b"", le=MAX_SHORT_LE)
        collected = bytearray()
        while True:
            response = self._next.transmit(fetch)
            collected += response.data
            if response.sw not in _MORE_RESPONSE:
                return Response(bytes(collected), response.sw)
            _check_progress(response, len(collected))
            fetch = replace(fetch, p1=Step.NEXT_RESPONSE)


class FetchProcessor:
    """Serves proactive commands: on 91XX fetches them, has them handled and sends the terminal response."""

    def __init__(self, following: Processor, handler: ProactiveHandler) -> None:
        self._next = following
        self._handler = handler

    def transmit(self, command: CommandApdu) -> Response:
        """Execute the command and serve what the card asks for meanwhile; 91XX becomes 9000."""
        response = self._next.transmit(command)
        pending = response.sw
        for _ in range(MAX_PROACTIVE):
            if pending >> 8 != 0x91:
                break
            pending = self._serve(_announced(pending))
        return Response(response.data, SW.OK) if response.sw >> 8 == 0x91 else response

    def _serve(self, length: int) -> int:
        fetched = self._next.transmit(CommandApdu(ETSI_CLASS, INS.FETCH, 0, 0, le=length))
        if not fetched.ok:
            return fetched.sw
        answer = self._handler(fetched.data)
        return self._next.transmit(CommandApdu(ETSI_CLASS, INS.TERMINAL_RESPONSE, 0, 0, answer)).sw


def _announced(sw: int) -> int:
    """Return the number of bytes in the low byte of 61XX, 6CXX or 91XX; 00 means 256."""
    return sw & 0xFF or MAX_SHORT_LE


def _get_response(cla: int, sw: int) -> CommandApdu:
    """Return the GET RESPONSE for a command of class `cla`: the interindustry class on the same channel."""
    return CommandApdu(cla if cla == SIM_CLASS else cla & 0x7F, INS.GET_RESPONSE, 0, 0, le=_announced(sw))


def _blocks(command: CommandApdu) -> Iterator[CommandApdu]:
    data = command.data
    for offset in range(0, max(len(data), 1), MAX_SHORT_LC):
        p1 = Step.NEXT_COMMAND if offset else Step.FIRST_COMMAND
        yield replace(command, p1=p1, data=data[offset : offset + MAX_SHORT_LC], le=None)


def _check_progress(response: Response, total: int) -> None:
    """Raise `GarbledResponse` when a card says "more" without giving anything, or gives too much."""
    if not response.data or total > MAX_RESPONSE:
        raise GarbledResponse("The card announces response data without end.")
