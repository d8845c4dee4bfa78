"""What a session does with a container: opens it, has the command answered, closes the answer in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from card.crypto.sac import LAST_COUNTER, ChannelKeys, Direction, open_container, seal_container
from card.domain.secure_channel.errors import ContainerRejected
from card.errors import MacMismatch

Answer = Callable[[bytes], bytes]
"""Answers a command APDU with data and status word."""


class Tunnel(Protocol):
    """One protected way to and from the card."""

    def exchange(self, container: bytes, answer: Answer, /) -> tuple[Tunnel, bytes]:
        """Return the tunnel for the next container, and the answering container.

        Raises `ContainerRejected`: the association is then over.
        """


@dataclass(frozen=True, slots=True)
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
        return (replace(self, last=number) if number < LAST_COUNTER else Closed()), sealed


@dataclass(frozen=True, slots=True)
class Closed:
    """A channel whose last answer waits to be fetched."""

    def exchange(self, _container: bytes, _answer: Answer, /) -> tuple[Tunnel, bytes]:
        """Take nothing any more."""
        raise ContainerRejected
