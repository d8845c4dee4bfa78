"""Open channels as the terminal holds them: `x-sac-1`, and TLS-PSK."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from card.codec.sac import ConnectionRequest, StartRequest, TerminateRequest, Termination, TlsStartRequest
from card.crypto.sac import (
    LAST_COUNTER,
    Agreement,
    ChannelKeys,
    Direction,
    connection_mac,
    derive_channel_keys,
    derive_tls_psk,
    open_container,
    seal_container,
    start_mac,
    termination_mac,
    verify_mac,
)
from card.crypto.tls_psk import TlsEnd, open_client
from card.errors import MacMismatch, TlsFailure, TlsUnavailable
from card.spec.sac_tables import ALGORITHMS, NONCE_SIZE
from host_tools.terminal.sac.association import Association
from host_tools.terminal.sac.commands import SacCommands
from host_tools.terminal.sac.errors import CardNotGenuine, ChannelBroken, ChannelError

RandomBytes = Callable[[int], bytes]


class Channel(Protocol):
    """One open channel."""

    @property
    def worn_out(self) -> bool:
        """True when the next command needs a new channel."""

    def exchange(self, apdu: bytes, /) -> bytes:
        """Send a command APDU protected; return data and status word. Raises `ChannelError`, `LinkError`."""

    def close(self) -> None:
        """End the channel on both sides."""


class SecuredApduChannel:
    """A channel of the kind `x-sac-1`."""

    def __init__(self, commands: SacCommands, keys: ChannelKeys, csa_id: bytes, session: int, size: int) -> None:
        self._commands = commands
        self._keys = keys
        self._csa_id = csa_id
        self._session = session
        self._size = size
        self._sent = 0

    @classmethod
    def open(
        cls, commands: SacCommands, association: Association, size: int, random_bytes: RandomBytes
    ) -> SecuredApduChannel:
        """Make a Connection SA and start it. Raises `CardNotGenuine` when the card's proof is wrong."""
        nonce = random_bytes(NONCE_SIZE)
        offer = ConnectionRequest(association.parties.msa_id, ALGORITHMS, nonce)
        answer = commands.connect(offer)
        agreement = Agreement(association.parties, answer.csa_id, nonce, answer.nonce, ALGORITHMS, answer.chosen)
        keys = derive_channel_keys(association.secret, agreement)
        try:
            verify_mac(connection_mac(keys, agreement), answer.mac)
        except MacMismatch:
            raise CardNotGenuine("The card did not prove that it shares the secret.") from None
        if answer.chosen != ALGORITHMS:
            raise CardNotGenuine("The card chose algorithms that were not offered.")
        proof = start_mac(keys, answer.csa_id, answer.chosen, size)
        session = commands.start(StartRequest(answer.chosen, answer.csa_id, proof, size))
        return cls(commands, keys, answer.csa_id, session, size)

    @property
    def worn_out(self) -> bool:
        """True when all container numbers are used."""
        return self._sent >= LAST_COUNTER

    def exchange(self, apdu: bytes) -> bytes:
        """Send one command. A number is never used twice, whatever becomes of the command."""
        self._sent += 1
        sealed = seal_container(self._keys, self._csa_id, Direction.TO_CARD, self._sent, apdu)
        answer = self._commands.transact(self._session, self._size, sealed)
        try:
            response = open_container(self._keys, self._csa_id, Direction.TO_TERMINAL, self._sent, answer)
        except MacMismatch:
            raise ChannelBroken("The card's protected answer is not genuine.") from None
        if len(response) < 2:
            raise ChannelBroken("The card's protected answer holds no status word.")
        return response

    def close(self) -> None:
        """Terminate the Connection SA."""
        ended = Termination(self._csa_id, termination_mac(self._keys.control, self._csa_id))
        self._commands.terminate(TerminateRequest(connections=(ended,)))


class TlsChannel:
    """A TLS-PSK connection whose records are the containers."""

    def __init__(self, commands: SacCommands, end: TlsEnd, session: int, size: int) -> None:
        self._commands = commands
        self._end = end
        self._session = session
        self._size = size

    @classmethod
    def open(cls, commands: SacCommands, association: Association, size: int, _random: RandomBytes) -> TlsChannel:
        """Start a session and run the handshake. Raises `CardNotGenuine`, `ChannelError` (no TLS-PSK here)."""
        parties = association.parties
        try:
            end = open_client(derive_tls_psk(association.secret, parties), parties.msa_id.hex())
        except TlsUnavailable as error:
            raise ChannelError(f"{error}.") from None
        channel = cls(commands, end, commands.start(TlsStartRequest(parties.msa_id, size)), size)
        try:
            flight = end.begin()
            while not end.established:
                end.receive(channel._transact(flight))
                flight = end.flight()
        except (TlsFailure, ChannelError):
            raise CardNotGenuine("The TLS handshake with the card failed.") from None
        return channel

    @property
    def worn_out(self) -> bool:
        """TLS counts its records by itself, further than a card lives."""
        return False

    def exchange(self, apdu: bytes) -> bytes:
        """Send one command in TLS records."""
        try:
            response = self._end.receive(self._transact(self._end.send(apdu)))
        except TlsFailure:
            raise ChannelBroken("The card's protected answer is not genuine.") from None
        if len(response) < 2:
            raise ChannelBroken("The card's protected answer holds no status word.")
        return response

    def close(self) -> None:
        """Say goodbye in TLS; the card drops the session, which it shows by refusing the container."""
        self._commands.abort(self._session)
        with suppress(ChannelError):
            self._transact(self._end.goodbye())

    def _transact(self, records: bytes) -> bytes:
        return self._commands.transact(self._session, self._size, records)
