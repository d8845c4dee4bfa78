"""Why a domain rule refuses. The AUTHENTICATE rows say which status word each becomes."""

from __future__ import annotations

from card.errors import CardError


class ServiceNotAvailable(CardError):
    """The service table does not offer the service this context needs."""


class NoBootstrap(CardError):
    """There is no Ks: no GBA bootstrapping has been run since personalisation."""


class NoImpi(CardError):
    """EF_IMPI of the ISIM holds no private identity."""


class KeyNotFound(CardError):
    """No MUK, MSK or key group answers to the identifier."""


class NafKeyOverwritten(CardError):
    """The Ks_int_NAF that should be the MUK is not there: it gave way to another, or was never derived."""


class ReplayedMessage(CardError):
    """The message's counter is not newer than that of the last one accepted."""


class KeyNotFresh(CardError):
    """The message is authentic, but came under the MUK that was used last and not the one generated last."""


class MskInvalidated(CardError):
    """The BM-SC invalidated the MSK: its lower limit is above the upper one."""


class MtkIdOutside(CardError):
    """The MTK ID is not above the last one, or above the upper limit of the MSK."""


class NoRoomForMsk(CardError):
    """Every EF_MSK record holds another key group."""


class NoRoomForMuk(CardError):
    """Every EF_MUK record holds the MUK of another BM-SC."""


class IdentifierTooLong(CardError):
    """An identity does not fit the record of the file it must be written to."""
