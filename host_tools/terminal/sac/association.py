"""A Master SA as the terminal holds it: with which card, under which secret."""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.sac import Endpoint, Endpoints, MasterRequest
from card.crypto.sac import Parties
from card.crypto.secret import Secret
from card.spec.sac_tables import ChannelBits, EndpointKind, Kind, Method
from host_tools.terminal.sac.commands import SacCommands
from host_tools.terminal.sac.errors import CardNotGenuine, ChannelError

_BITS = {Kind.SECURED_APDU: ChannelBits.SECURED_APDU, Kind.TLS: ChannelBits.TLS}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the terminal is, and the secrets (32 bytes) it shares with the card, one at least.

    `terminal_id` has 1 to 10 bytes, `terminal_appli_id` 1 to 32 (TS 33.110 clause A.2).
    """

    terminal_id: bytes
    terminal_appli_id: bytes
    psk: Secret | None = None
    ks_local: Secret | None = None

    @property
    def methods(self) -> Method:
        """What the terminal offers; weak secrets and certificates never."""
        gba = Method.GBA if self.ks_local is not None else Method(0)
        return gba | (Method.PSK if self.psk is not None else Method(0))

    def secret_for(self, method: int) -> Secret:
        """Return the secret of the method the card chose. Raises `CardNotGenuine` for one that was not offered."""
        chosen = {Method.GBA | Method.KEY_EXISTS: self.ks_local, Method.PSK | Method.KEY_EXISTS: self.psk}
        secret = chosen.get(Method(method))
        if secret is None:
            raise CardNotGenuine("The card chose a way to agree on keys that was not offered.")
        return secret


@dataclass(frozen=True, slots=True)
class Association:
    """A Master SA: the parties and the secret (32 bytes), and the largest container block the card takes.

    It outlives the channels made under it, and resets of the card.
    """

    parties: Parties
    secret: Secret
    container_size: int


def associate(commands: SacCommands, credentials: Credentials, kind: Kind, aid: bytes) -> Association:
    """Agree on a Master SA with the endpoint whose AID begins with `aid`.

    Nothing in it is proved yet: all of it enters the keys, so the first channel shows whether it was true. Raises
    `ChannelError`, `MalformedAnswerError`, `LinkError`.
    """
    described = commands.endpoints()
    endpoint = _choose(described, kind, aid)
    names = (credentials.terminal_id, credentials.terminal_appli_id, endpoint.identifier)
    agreed = commands.agree(MasterRequest(credentials.methods, *names))
    secret = credentials.secret_for(agreed.method)
    parties = Parties(agreed.msa_id, described.uicc_id, *names, int(credentials.methods), agreed.method)
    return Association(parties, secret, endpoint.container_size)


def _choose(described: Endpoints, kind: Kind, aid: bytes) -> Endpoint:
    for endpoint in described.endpoints:
        is_application = endpoint.kind == EndpointKind.APPLICATION and endpoint.identifier.startswith(aid)
        if is_application and endpoint.channels & _BITS[kind]:
            return endpoint
    raise ChannelError(f"The card has no endpoint for a channel of the kind {kind.value}.")
