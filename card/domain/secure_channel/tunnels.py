"""What a session does with a container: opens it, has the command answered, closes the answer in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from card.crypto.sac import LAST_COUNTER, ChannelKeys, Direction, open_container, seal_container
from card.crypto.secret import Secret
from card.domain.secure_channel.errors import ContainerRejected
from card.errors import MacMismatch, TlsFailure
from card.lean import lean_dataclass

if TYPE_CHECKING:
    from card.crypto.tls_psk import TlsEnd

Answer = Callable[[bytes], bytes]
"""Answers a command APDU with data and status word."""


class Tunnel(Protocol):
    """One protected way to and from the card."""

    def exchange(self, container: bytes, answer: Answer, /) -> tuple[Tunnel, bytes]:
        """Return the tunnel for the next container, and the answering container.

        Raises `ContainerRejected`: the association is then over.
        """


@lean_dataclass(frozen=True, slots=True)
class SecuredApdu:
    """The channel `x-sac-1`. `last` is the number of the last container taken (0: none yet).

    The answer bears the number of the command it belongs to, in the other direction.
    """

    keys: ChannelKeys
    csa_id: bytes
    last: int = 0

    def exchange(self, container: bytes, answer: Answer) -> tuple[Tunnel, bytes]:
        """Take the container with the next number and no other."""
        number = self.last + 1
        try:
            command = open_container(self.keys, self.csa_id, Direction.TO_CARD, number, container)
        except MacMismatch:
            raise ContainerRejected from None
        sealed = seal_container(self.keys, self.csa_id, Direction.TO_TERMINAL, number, answer(command))
        return (replace(self, last=number) if number < LAST_COUNTER else ClosedTunnel()), sealed


@lean_dataclass(frozen=True, slots=True)
class ClosedTunnel:
    """A channel whose last answer waits to be fetched."""

    def exchange(self, _container: bytes, _answer: Answer, /) -> tuple[Tunnel, bytes]:
        """Take nothing any more."""
        raise ContainerRejected


class TlsTunnel:
    """One TLS connection. It changes as it goes, unlike all other state: a failure ends it in any case."""

    def __init__(self, psk: Secret, identity: str) -> None:
        from card.crypto.tls_psk import open_server  # with Python's ssl, which few cards ever need

        self._end: TlsEnd = open_server(psk, identity)

    def exchange(self, container: bytes, answer: Answer) -> tuple[Tunnel, bytes]:
        """Take records: of the handshake, answered by the next flight, or of one command APDU."""
        try:
            command = self._end.receive(container)
            if not command:
                return self, self._end.flight()
            return self, self._end.send(answer(command))
        except TlsFailure:
            raise ContainerRejected from None
