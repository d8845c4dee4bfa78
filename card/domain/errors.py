"""Why a domain rule refuses. The AUTHENTICATE rows say which status word each becomes."""

from __future__ import annotations

from card.errors import CardError


class ServiceNotAvailable(CardError):
    """The service table does not offer the service this context needs."""


class NoBootstrap(CardError):
    """There is no Ks: no GBA bootstrapping has been run since personalisation."""


class KeyNotFound(CardError):
    """No MUK, MSK or key group answers to the identifier."""


class ReplayedMessage(CardError):
    """The message's counter is not above the last one accepted."""


class KeyNotFresh(CardError):
    """A newer MUK exists than the one under which this MSK came."""


class OutsideKeyValidity(CardError):
    """The MTK ID lies outside the validity interval of the MSK."""


class NoRoomForMsk(CardError):
    """Every EF_MSK record holds another key group."""


class NoRoomForMuk(CardError):
    """Every EF_MUK record holds the MUK of another BM-SC."""


class IdentifierTooLong(CardError):
    """An identity does not fit the record of the file it must be written to."""
