"""The APDU client: a stack of processors over a link."""

from __future__ import annotations

from card.codec.apdu import CommandApdu
from host_tools.apdu.processors import (
    BlockFetcher,
    BlockSender,
    FetchProcessor,
    FormatProcessor,
    GetResponseProcessor,
    ProactiveHandler,
    Processor,
    TraceProcessor,
    WrongLengthProcessor,
)
from host_tools.apdu.response import Response, StatusError
from host_tools.apdu.trace import ExchangeSink
from host_tools.links.base import Link, is_shared

Command = CommandApdu


def build_stack(wire: Processor, on_proactive: ProactiveHandler | None = None) -> Processor:
    """Return the processors over `wire`, the outermost first."""
    stack: Processor = BlockFetcher(BlockSender(GetResponseProcessor(WrongLengthProcessor(wire))))
    return stack if on_proactive is None else FetchProcessor(stack, on_proactive)


class ApduClient:
    """Sends commands and returns whole responses, whatever the transport needs for that.

    `trace` sees every exchange with secrets left out. `on_proactive` handles proactive commands; without it
    91XX is returned as it came.
    """

    def __init__(
        self, link: Link, trace: ExchangeSink | None = None, on_proactive: ProactiveHandler | None = None
    ) -> None:
        self._link = link
        wire = FormatProcessor(link)
        self._trace = None if trace is None else TraceProcessor(wire, trace, is_shared=is_shared(link))
        self._stack = build_stack(self._trace or wire, on_proactive)

    @property
    def name(self) -> str:
        """Name of the reader."""
        return self._link.name

    @property
    def atr(self) -> bytes:
        """Answer to reset of the last power-on or reset."""
        return self._link.atr

    def transmit(self, command: CommandApdu) -> Response:
        """Send a command and return its response, whatever the status word. Raises `LinkError`."""
        return self._stack.transmit(command)

    def expect(self, command: CommandApdu, what: str) -> bytes:
        """Send a command and return the response data.

        Raises `LinkError`, and `StatusError`, whose message begins with `what`, when the card refuses.
        """
        response = self._stack.transmit(command)
        if not response.ok:
            raise StatusError(response.sw, what)
        return response.data

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `LinkError`."""
        if self._trace is not None:
            self._trace.reset()
        return self._link.reset()

    def close(self) -> None:
        """Let the card go."""
        self._link.close()
