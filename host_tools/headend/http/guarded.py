"""The last line of defence of every HTTP server: whatever happens inside, nothing of it goes out."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from http import HTTPStatus
from typing import ClassVar

from card.errors import DecodeError
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.transport import Peer
from host_tools.headend.bsm.books import Transactions
from host_tools.headend.http.answers import failure, out_of_order

_log = logging.getLogger(__name__)


class GuardedServer(ABC):
    """A server whose `handle` always answers. `defects` counts exceptions that nobody expected.

    With `transactions` each request is one of them; without, the server opens its own where it needs one.
    """

    reference_point: ClassVar[str]
    """How the log names it: Ub, Ua, Zn."""
    every_answer: ClassVar[Headers] = ()
    """Headers that every answer has."""

    def __init__(self, transactions: Transactions | None = None) -> None:
        self.defects = 0
        self._transactions = transactions

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer a request: 400 for one that cannot be read, 503 where the server itself is at fault."""
        try:
            if self._transactions is None:
                return self._answer(request, peer)
            with self._transactions.transaction():
                return self._answer(request, peer)
        except DecodeError as error:
            return failure(HTTPStatus.BAD_REQUEST, str(error), self.every_answer)
        except Exception as error:  # whoever asks must not be able to end the server
            return self._at_fault(error)

    @abstractmethod
    def _answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer a request. May raise `DecodeError`."""

    def _at_fault(self, error: Exception) -> HttpResponse:
        """Count an exception that nobody expected, and log its type alone: its text may hold anything."""
        self.defects += 1
        _log.error("%s met an unexpected %s", self.reference_point, type(error).__name__)
        return out_of_order(self.every_answer)
