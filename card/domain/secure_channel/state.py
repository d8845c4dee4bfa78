"""The volatile state of secure channels: frozen values, so that a refused command leaves the old ones in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from card.crypto.sac import Agreement, ChannelKeys, Parties
from card.crypto.secret import Secret
from card.domain.secure_channel.errors import UnknownAssociation
from card.domain.secure_channel.tunnels import Tunnel
from card.lean import lean_dataclass
from card.state.session import Unfinished


@lean_dataclass(frozen=True, slots=True)
class MasterSa:
    """A Master SA: its name, the parties, the secret (32 bytes) and, when that is a Ks_local, the key's identifier.

    The secret is a copy: an association goes on when its Ks_local made room for another (TS 31.102 clause 7.1.1.11),
    and then counts its uses by itself, from the `uses_left` it knew last. `serial` grows with each one kept, so that
    the oldest can be told.
    """

    msa_id: bytes
    uicc_id: bytes
    terminal_id: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    methods: int
    method: int
    secret: Secret
    local_key: bytes = b""
    uses_left: int = 0
    serial: int = 0

    @property
    def parties(self) -> Parties:
        """What enters every key under this association."""
        return Parties(
            self.msa_id,
            self.uicc_id,
            self.terminal_id,
            self.terminal_appli_id,
            self.uicc_appli_id,
            self.methods,
            self.method,
        )


@lean_dataclass(frozen=True, slots=True)
class ConnectionSa:
    """A Connection SA that waits for its start or runs."""

    agreement: Agreement
    keys: ChannelKeys
    started: bool = False

    @property
    def csa_id(self) -> bytes:
        """Its name, 16 bytes."""
        return self.agreement.csa_id

    @property
    def msa_id(self) -> bytes:
        """The Master SA it was made under."""
        return self.agreement.parties.msa_id


@lean_dataclass(frozen=True, slots=True)
class ChannelSession:
    """A started channel and the transfer of blocks on it.

    `sa_id` is the CSA_ID, or a name of its own for a TLS channel; `proved` says that the other side is known to hold
    the secret. `received` gathers a container, `blocks_left` are to come (None: none on the way); `waiting` is the
    part of the answer that was not fetched, `last_block` what was sent last.
    `unfinished` keeps the half-done business of each logical channel begun in here, out of reach from outside.
    """

    sa_id: bytes
    msa_id: bytes
    uicc_appli_id: bytes
    size: int
    tunnel: Tunnel
    proved: bool = True
    received: bytes = b""
    blocks_left: int | None = None
    answered: bool = False
    waiting: bytes = field(default=b"", repr=False)
    last_block: bytes = field(default=b"", repr=False)
    unfinished: Mapping[int, Unfinished] = field(default_factory=dict, repr=False)


@lean_dataclass(frozen=True, slots=True)
class SacState:
    """All associations that end with power: Master SAs not proved yet, Connection SAs, sessions by number."""

    masters: tuple[MasterSa, ...] = ()
    connections: tuple[ConnectionSa, ...] = ()
    sessions: Mapping[int, ChannelSession] = field(default_factory=dict)

    def connection(self, csa_id: bytes) -> ConnectionSa:
        """Return a Connection SA. Raises `UnknownAssociation`."""
        for connection in self.connections:
            if connection.csa_id == csa_id:
                return connection
        raise UnknownAssociation

    def session(self, number: int) -> ChannelSession:
        """Return a session. Raises `UnknownAssociation`."""
        try:
            return self.sessions[number]
        except KeyError:
            raise UnknownAssociation from None

    def with_session(self, number: int, session: ChannelSession) -> SacState:
        """Return the state with a session put in place."""
        return SacState(self.masters, self.connections, {**self.sessions, number: session})

    def without(self, sa_id: bytes) -> SacState:
        """Return the state without an association and everything made under it."""
        return SacState(
            tuple(master for master in self.masters if master.msa_id != sa_id),
            tuple(one for one in self.connections if sa_id not in (one.csa_id, one.msa_id)),
            {n: one for n, one in self.sessions.items() if sa_id not in (one.sa_id, one.msa_id)},
        )


NO_CHANNELS = SacState()
