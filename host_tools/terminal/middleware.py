"""The terminal middleware: one object that takes a card from power-on to traffic keys."""

from __future__ import annotations

from card.crypto.secret import Secret
from card.spec.bcast_p1 import P1
from card.spec.bcast_tables import BcastTables
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.apdu.trace import ExchangeSink
from host_tools.links.base import Link
from host_tools.terminal.bcast import LtkmReceipt, StkmOutcome, deliver_ltkm, feed_stkm
from host_tools.terminal.errors import PinNeededError, TerminalError
from host_tools.terminal.gba import Bootstrapped, Bsf, bootstrap, derive_naf_key
from host_tools.terminal.identity import Identity, read_identity
from host_tools.terminal.usim import Usim


class TerminalMiddleware:
    """Selects the USIM, runs GBA, delivers LTKMs and feeds STKMs.

    Calls come in this order: `connect`, then for a fresh subscription `bootstrap` and `establish`, then
    `deliver` and `feed` as messages arrive. A card that holds its keys needs `connect` and `feed` only.
    `tables` are those of the card for what is provisional about OMA BCAST.
    """

    def __init__(self, link: Link, trace: ExchangeSink | None = None, tables: BcastTables = P1) -> None:
        self._client = ApduClient(link, trace)
        self._usim = Usim(self._client, tables)
        self._identity: Identity | None = None

    @property
    def usim(self) -> Usim:
        """The typed calls below this object."""
        return self._usim

    @property
    def reader(self) -> str:
        """Name of the reader."""
        return self._client.name

    @property
    def atr(self) -> bytes:
        """Answer to reset of the card."""
        return self._client.atr

    @property
    def identity(self) -> Identity:
        """Who the subscriber is. Raises `TerminalError` before `connect`."""
        if self._identity is None:
            raise TerminalError("The terminal is not connected to the card yet.")
        return self._identity

    def connect(self, pin: Secret | None = None) -> Identity:
        """Select the USIM, give the PIN (4 to 8 ASCII digits) and read who the subscriber is.

        Without `pin` the card must have its PIN disabled. Raises `PinNeededError`, `PinWrongError`,
        `PinBlockedError`, `NoUsimError`, `StatusError`, `LinkError`.
        """
        self._usim.select_usim()
        if pin is not None:
            self._usim.verify_pin(pin)
        try:
            self._identity = read_identity(self._usim)
        except StatusError as error:
            if pin is None and error.sw == SW.SECURITY_NOT_SATISFIED:
                raise PinNeededError from None
            raise
        return self._identity

    def bootstrap(self, bsf: Bsf) -> Bootstrapped:
        """Run GBA_U bootstrapping with a BSF. Raises `NetworkRefusedError`, `StatusError`, `LinkError`."""
        return bootstrap(self._usim, bsf, self.identity.impi)

    def establish(self, naf_id: bytes) -> Secret:
        """Derive the keys shared with a NAF (the BSM): the card keeps SMK, the terminal gets SRK (32 bytes).

        Raises `StatusError` (6985 before any bootstrapping), `LinkError`.
        """
        return derive_naf_key(self._usim, naf_id, self.identity.impi)

    def deliver(self, ltkm: bytes) -> LtkmReceipt:
        """Give an LTKM to the card and return what to send back. Raises `StatusError`, `LinkError`."""
        return deliver_ltkm(self._usim, ltkm)

    def feed(self, stkm: bytes) -> StkmOutcome:
        """Give an STKM to the card and return the TEK or the reason why there is none. Raises `LinkError`."""
        return feed_stkm(self._usim, stkm)

    def close(self) -> None:
        """Let the card go."""
        self._client.close()
