"""Establishing, starting and ending secure channels (TS 102 221 clause 11.1.20, TS 102 484).

Every step takes the volatile state and returns the next one. A Master SA that nobody proved is volatile; the first
channel started under it makes it lasting, so a stranger cannot push out what a terminal holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from card.codec.local_key import KeyIdentifier
from card.codec.sac import (
    ConnectionRequest,
    ConnectionResponse,
    Endpoint,
    Endpoints,
    MasterRequest,
    MasterResponse,
    StartRequest,
    TerminateRequest,
    TlsStartRequest,
)
from card.crypto.sac import (
    Agreement,
    connection_mac,
    derive_channel_keys,
    derive_master_control,
    derive_tls_psk,
    start_mac,
    termination_mac,
    verify_mac,
)
from card.crypto.secret import Secret
from card.domain.application import Application
from card.domain.errors import KeyNotFound, ServiceNotAvailable
from card.domain.keys.local_key import LocalKeys, LocalKeyUsedUp
from card.domain.secure_channel.errors import (
    AlgorithmRefused,
    AlreadyStarted,
    KindNotOffered,
    MethodRefused,
    NoRoomForChannel,
    NoSharedKey,
    UnknownAssociation,
    UnknownEndpoint,
)
from card.domain.secure_channel.settings import SacSettings
from card.domain.secure_channel.state import ChannelSession, ConnectionSa, MasterSa, SacState
from card.domain.secure_channel.tunnels import SecuredApdu, TlsTunnel
from card.errors import DecodeError
from card.ports import Rng
from card.spec.sac_tables import (
    ALGORITHMS,
    ID_SIZE,
    MAX_SESSIONS,
    NONCE_SIZE,
    SAC_LIMITS,
    ChannelBits,
    EndpointKind,
    Kind,
    Method,
    TekPolicy,
    Transport,
)
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

_CHANNEL_BITS = {Kind.TLS: ChannelBits.TLS, Kind.SECURED_APDU: ChannelBits.SECURED_APDU}
_STRONG = Method.GBA | Method.PSK


class SecureChannels:
    """The card's side of every association. `endpoints` are its applications by AID."""

    def __init__(
        self, nv: NonVolatile, settings: SacSettings, uicc_id: bytes, endpoints: Mapping[bytes, Application], rng: Rng
    ) -> None:
        self.settings = settings
        self._uicc_id = uicc_id
        self._endpoints = endpoints
        self._rng = rng
        self._kept = StoredTable(nv, "sac-master/", MasterSa)

    # --- what there is

    def endpoints(self) -> Endpoints:
        """Describe the card's endpoints: one for each application."""
        return Endpoints(self._uicc_id, tuple(self._describe(aid) for aid in self._endpoints))

    def _local_keys(self, aid: bytes) -> LocalKeys | None:
        """Return the local keys of an endpoint, or None for an application without GBA."""
        try:
            return self._endpoints[aid].local_keys
        except ServiceNotAvailable:
            return None

    def _describe(self, aid: bytes) -> Endpoint:
        settings = self.settings
        bits = ChannelBits(0)
        for kind in settings.kinds & _CHANNEL_BITS.keys():
            bits |= _CHANNEL_BITS[kind]
        if settings.tek is not TekPolicy.CLEAR:
            bits |= ChannelBits.REQUIRED
        at_once = (settings.connections - 1) << 4
        methods = Method.GBA if self._local_keys(aid) is not None else Method(0)
        if settings.has_psk:
            methods |= Method.PSK
        return Endpoint(EndpointKind.APPLICATION, Transport.APDU, bits | at_once, methods, settings.container, aid)

    # --- Master SA

    def agree(self, state: SacState, request: MasterRequest) -> tuple[SacState, MasterResponse]:
        """Choose the strongest offered method for which there is a secret.

        Raises `UnknownEndpoint`, `MethodRefused`, `NoSharedKey`.
        """
        if request.uicc_appli_id not in self._endpoints:
            raise UnknownEndpoint
        if not request.methods & _STRONG:
            raise MethodRefused
        master = self._from_local_key(request) or self._from_psk(request)
        if master is None:
            raise NoSharedKey
        newest = state.masters[-(SAC_LIMITS["masters"].value - 1) :]
        return replace(state, masters=(*newest, master)), MasterResponse(master.method, master.msa_id)

    def _from_local_key(self, request: MasterRequest) -> MasterSa | None:
        local_keys = self._local_keys(request.uicc_appli_id)
        if local_keys is None or not request.methods & Method.GBA:
            return None
        key = local_keys.find(request.terminal_id, request.terminal_appli_id, request.uicc_appli_id)
        if key is None:
            return None
        master = self._master_of(request, Method.GBA, key.key)
        return replace(master, local_key=key.identifier.encode(), uses_left=key.uses_left)

    def _from_psk(self, request: MasterRequest) -> MasterSa | None:
        psk = self.settings.find_psk(request.terminal_id) if request.methods & Method.PSK else None
        return None if psk is None else self._master_of(request, Method.PSK, psk)

    def _master_of(self, request: MasterRequest, method: Method, secret: Secret) -> MasterSa:
        names = (request.terminal_id, request.terminal_appli_id, request.uicc_appli_id)
        made = self._rng.random_bytes(ID_SIZE)
        chosen = method | Method.KEY_EXISTS
        return MasterSa(made, self._uicc_id, *names, request.methods, chosen, secret)

    def _master(self, state: SacState, msa_id: bytes) -> MasterSa:
        for master in state.masters:
            if master.msa_id == msa_id:
                return master
        kept = self._kept.get(msa_id.hex())
        if kept is None:
            raise UnknownAssociation
        return kept

    # --- Connection SA

    def connect(self, state: SacState, request: ConnectionRequest) -> tuple[SacState, ConnectionResponse]:
        """Make the keys of a Connection SA. Raises `UnknownAssociation`, `AlgorithmRefused`, `NoRoomForChannel`."""
        master = self._master(state, request.msa_id)
        if any(not offered & ours for offered, ours in zip(request.offered, ALGORITHMS, strict=True)):
            raise AlgorithmRefused
        agreement = Agreement(
            master.parties,
            self._rng.random_bytes(ID_SIZE),
            request.nonce,
            self._rng.random_bytes(NONCE_SIZE),
            request.offered,
            ALGORITHMS,
        )
        keys = derive_channel_keys(master.secret, agreement)
        made = ConnectionSa(agreement, keys)
        proof = connection_mac(keys, agreement)
        answer = ConnectionResponse(ALGORITHMS, made.csa_id, agreement.card_nonce, proof)
        return self._with_connection(state, made), answer

    def _with_connection(self, state: SacState, made: ConnectionSa) -> SacState:
        """Add a Connection SA; the oldest one that was never started makes room."""
        held = state.connections
        if len(held) >= self.settings.connections:
            idle = next((one for one in held if not one.started), None)
            if idle is None:
                raise NoRoomForChannel
            held = tuple(one for one in held if one is not idle)
        return replace(state, connections=(*held, made))

    # --- start

    def start(self, state: SacState, request: StartRequest | TlsStartRequest) -> tuple[SacState, int]:
        """Start a channel; return its session number.

        Raises `UnknownAssociation`, `AlgorithmRefused`, `AlreadyStarted`, `MacMismatch`, `NoRoomForChannel`,
        `KindNotOffered`, `DecodeError` (container size), `LocalKeyUsedUp`.
        """
        if not SAC_LIMITS["least_container"].value <= request.size <= self.settings.container:
            raise DecodeError(f"secure channel: container size {request.size}")
        if isinstance(request, TlsStartRequest):
            return self._start_tls(state, request)
        return self._start_secured_apdu(state, request)

    def _start_secured_apdu(self, state: SacState, request: StartRequest) -> tuple[SacState, int]:
        self._require(Kind.SECURED_APDU)
        connection = state.connection(request.csa_id)
        if connection.started:
            raise AlreadyStarted
        verify_mac(start_mac(connection.keys, request.csa_id, request.chosen, request.size), request.mac)
        if request.chosen != connection.agreement.chosen:
            raise AlgorithmRefused
        master = self._master(state, connection.msa_id)
        running = replace(connection, started=True)
        state = replace(state, connections=tuple(running if one is connection else one for one in state.connections))
        tunnel = SecuredApdu(connection.keys, connection.csa_id)
        session = ChannelSession(connection.csa_id, master.msa_id, master.uicc_appli_id, request.size, tunnel)
        return _with_new_session(self._keep(state, master), session)

    def _start_tls(self, state: SacState, request: TlsStartRequest) -> tuple[SacState, int]:
        """Open the server; the first command that comes through proves the terminal."""
        self._require(Kind.TLS)
        master = self._master(state, request.msa_id)
        tunnel = TlsTunnel(derive_tls_psk(master.secret, master.parties), master.msa_id.hex())
        made = self._rng.random_bytes(ID_SIZE)
        session = ChannelSession(made, master.msa_id, master.uicc_appli_id, request.size, tunnel, proved=False)
        return _with_new_session(state, session)

    def prove(self, state: SacState, msa_id: bytes) -> SacState:
        """Take note that a terminal showed it has the secret of a Master SA. Raises `LocalKeyUsedUp`."""
        return self._keep(state, self._master(state, msa_id))

    def _require(self, kind: Kind) -> None:
        if kind not in self.settings.kinds:
            raise KindNotOffered

    def _keep(self, state: SacState, master: MasterSa) -> SacState:
        """Count a use of Ks_local and make the association lasting, in place of the oldest if there are too many."""
        master = self._count_use(master)
        kept, name = dict(self._kept.items()), master.msa_id.hex()
        if name not in kept:
            if len(kept) >= SAC_LIMITS["masters"].value:
                self._kept.delete(min(kept, key=lambda other: kept[other].serial))
            master = replace(master, serial=1 + max((one.serial for one in kept.values()), default=0))
        if kept.get(name) != master:
            self._kept.put(name, master)
        return replace(state, masters=tuple(one for one in state.masters if one.msa_id != master.msa_id))

    def _count_use(self, master: MasterSa) -> MasterSa:
        """Take one use off the Ks_local of an association, or off what the association knows of one that is gone."""
        local_keys = self._local_keys(master.uicc_appli_id) if master.local_key else None
        if local_keys is None:
            return master
        try:
            left = local_keys.count_use(KeyIdentifier.decode(master.local_key), master.secret)
        except KeyNotFound:
            if not master.uses_left:
                raise LocalKeyUsedUp from None
            left = master.uses_left - 1
        return replace(master, uses_left=left)

    # --- end

    def terminate(self, state: SacState, request: TerminateRequest) -> SacState:
        """End associations after checking every proof. Raises `UnknownAssociation`, `MacMismatch`."""
        for ended in request.masters:
            master = self._master(state, ended.sa_id)
            control = derive_master_control(master.secret, master.parties)
            verify_mac(termination_mac(control, ended.sa_id), ended.mac)
        for ended in request.connections:
            connection = state.connection(ended.sa_id)
            verify_mac(termination_mac(connection.keys.control, ended.sa_id), ended.mac)
        for ended in (*request.masters, *request.connections):
            self._kept.delete(ended.sa_id.hex())
            state = state.without(ended.sa_id)
        return state


def _with_new_session(state: SacState, session: ChannelSession) -> tuple[SacState, int]:
    """Give a session the lowest free number, or that of the oldest one that nobody proved to be theirs."""
    number = next((one for one in range(MAX_SESSIONS) if one not in state.sessions), None)
    if number is None:
        number = next((taken for taken, one in state.sessions.items() if not one.proved), None)
    if number is None:
        raise NoRoomForChannel
    others = {taken: one for taken, one in state.sessions.items() if taken != number}
    return replace(state, sessions={**others, number: session}), number
