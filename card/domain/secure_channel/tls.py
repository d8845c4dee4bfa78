"""The TLS channel: a TLS-PSK server (RFC 4279, TLS 1.2) that lives in memory; records are the container's value.

The protocol itself is OpenSSL's, through Python's `ssl`. Its randomness is OpenSSL's too, not the card's port, so a
TLS session is the one thing about this card that a seed does not repeat.
"""

from __future__ import annotations

from card.crypto.secret import Secret
from card.crypto.tls_psk import TlsEnd, TlsFailure, open_server
from card.domain.secure_channel.errors import ContainerRejected
from card.domain.secure_channel.tunnels import Answer, Tunnel


class TlsTunnel:
    """One TLS connection. It changes as it goes, unlike all other state: a failure ends it in any case."""

    def __init__(self, psk: Secret, identity: str) -> None:
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
