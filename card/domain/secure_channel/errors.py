"""Why a secure channel is not established or does not go on."""

from __future__ import annotations

from card.errors import CardError


class UnknownEndpoint(CardError):
    """No endpoint of the card has this identifier."""


class NoSharedKey(CardError):
    """Terminal and card share no secret by a method the terminal offers."""


class MethodRefused(CardError):
    """Only weak secrets or certificates were offered."""


class AlgorithmRefused(CardError):
    """AES-128 in CBC mode with AES-CMAC was not offered, or something else was chosen."""


class UnknownAssociation(CardError):
    """The Master SA, Connection SA or session named does not exist, or no longer."""


class AlreadyStarted(CardError):
    """A channel runs under the Connection SA."""


class NoRoomForChannel(CardError):
    """As many Connection SAs or sessions as the card can hold are in use."""


class KindNotOffered(CardError):
    """The card's profile does not offer this kind of channel."""


class ContainerRejected(CardError):
    """A container is not genuine, or not the next one: the association ends."""
