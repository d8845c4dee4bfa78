"""A link whose commands travel in a secure channel: it opens, keeps, rekeys and closes the channel by itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from card.spec.sac_tables import Kind
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.trace import ExchangeSink
from host_tools.links.base import Link, LinkError, TransmissionProtocol, is_shared, together
from host_tools.terminal.sac.association import Association, Credentials, associate
from host_tools.terminal.sac.channels import Channel, RandomBytes, SecuredApduChannel, TlsChannel
from host_tools.terminal.sac.commands import SacCommands
from host_tools.terminal.sac.errors import AssociationUnknown, ChannelError
from host_tools.terminal.usim import USIM_AID_PREFIX

REKEY_AFTER = 10_000
"""Commands under one Connection SA before the link makes a new one."""

_GOES_ON = frozenset(
    {
        SW.MORE_COMMAND,
        SW.MORE_COMMAND_PROACTIVE,
        SW.MORE_RESPONSE,
        SW.MORE_RESPONSE_PROACTIVE,
        SW.RESPONSE_AVAILABLE,
    }
)

_OPENERS: dict[Kind, Callable[[SacCommands, Association, int, RandomBytes], Channel]] = {
    Kind.SECURED_APDU: SecuredApduChannel.open,
    Kind.TLS: TlsChannel.open,
}


class SacLink:
    """Wraps a link; everything but the channel's own commands goes through the channel, never around it.

    `association` may come from an earlier link to the same card, so that no new Master SA is needed.
    """

    def __init__(
        self,
        link: Link,
        credentials: Credentials,
        *,
        kind: Kind = Kind.SECURED_APDU,
        aid: bytes = USIM_AID_PREFIX,
        rekey_after: int = REKEY_AFTER,
        association: Association | None = None,
        random_bytes: RandomBytes = secrets.token_bytes,
        trace: ExchangeSink | None = None,
    ) -> None:
        self._link = link
        self._commands = SacCommands(ApduClient(link, trace))
        self._credentials = credentials
        self._kind = kind
        self._aid = aid
        self._rekey_after = rekey_after
        self._random_bytes = random_bytes
        self._channel: Channel | None = None
        self._used = 0
        self._unfinished = False
        self.association = association

    @property
    def name(self) -> str:
        """Name of the reader, and how the channel protects it."""
        return f"{self._link.name} ({self._kind.value})"

    @property
    def atr(self) -> bytes:
        """Answer to reset of the card."""
        return self._link.atr

    @property
    def protocol(self) -> TransmissionProtocol:
        """Always direct: what happens to APDUs on the way concerns the containers, not what is in them."""
        return TransmissionProtocol.DIRECT

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU protected and return data and status word.

        A card that does not know the session any more (it was reset) has not run the command, so the link opens a new
        channel and sends it once more. Raises `ChannelError`, `MalformedAnswerError`, `LinkError`.
        """
        try:
            return self._exchange(apdu)
        except AssociationUnknown:
            return self._exchange(apdu)

    def _exchange(self, apdu: bytes) -> bytes:
        channel = self._ready_channel()
        self._channel = None  # it comes back only if all goes well: a channel that failed once is never used again
        try:
            response = channel.exchange(apdu)
        except AssociationUnknown:
            raise
        except (ChannelError, LinkError):
            _give_up(channel)
            raise
        self._channel, self._used = channel, self._used + 1
        self._unfinished = _is_unfinished(response)
        return response

    def _ready_channel(self) -> Channel:
        old = self._channel
        is_due = self._used >= self._rekey_after and not self._unfinished
        if old is not None and not is_due and not old.worn_out:
            return old
        fresh = self._open()
        if old is not None:
            _give_up(old)
        return fresh

    def _open(self) -> Channel:
        """Open a channel, under the Master SA at hand if the card still knows it."""
        self._used = 0
        if self.association is not None:
            try:
                return self._open_under(self.association)
            except AssociationUnknown:
                self.association = None
        self.association = associate(self._commands, self._credentials, self._kind, self._aid)
        return self._open_under(self.association)

    def _open_under(self, association: Association) -> Channel:
        opener = _OPENERS[self._kind]
        return opener(self._commands, association, association.container_size, self._random_bytes)

    def reset(self) -> bytes:
        """Reset the card and return its ATR; the channel is gone with it. Raises `LinkError`."""
        self._channel = None
        return self._link.reset()

    @property
    def shared(self) -> bool:
        """Whether another program can come between two commands."""
        return is_shared(self._link)

    def together(self) -> AbstractContextManager[None]:
        """Keep other programs from coming between the commands of a `with` block. Raises `LinkError`."""
        return together(self._link)

    def close(self) -> None:
        """End the channel and let the card go. Closing twice is harmless."""
        channel, self._channel = self._channel, None
        if channel is not None:
            _give_up(channel)
        self._link.close()


def _is_unfinished(response: bytes) -> bool:
    """Tell whether the next command goes on with this one: new keys would cut a transfer in blocks in two."""
    sw = int.from_bytes(response[-2:], "big")
    return sw >> 8 == 0x61 or sw in _GOES_ON


def _give_up(channel: Channel) -> None:
    """Free the channel's place on the card, unless the card is gone or has ended the channel already."""
    with suppress(ChannelError, LinkError):
        channel.close()
