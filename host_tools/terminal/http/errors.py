"""What can go wrong between a terminal and the servers of the network."""

from __future__ import annotations

from host_tools.exchange.status import Reaction
from host_tools.terminal.errors import TerminalError


class ServerRefusedError(TerminalError):
    """A server refused a request; `status` is that of HTTP, `reaction` what to do about it.

    `retry_after` is in seconds, where it may be tried again later; `besides` is what else there is to say.
    """

    def __init__(
        self, what: str, status: int, reaction: Reaction, retry_after: int | None = None, besides: str = ""
    ) -> None:
        later = f"; try again in {retry_after} s" if retry_after is not None else ""
        super().__init__(f"The server refused the {what} with status {status}{later}{besides}.")
        self.status = status
        self.reaction = reaction
        self.retry_after = retry_after


class NotAdmittedError(TerminalError):
    """The terminal could not authenticate: the challenge is none it may answer, or its credentials are refused."""


class AnswerRefusedError(TerminalError):
    """An answer of a server is malformed or not authentic, and was thrown away."""
