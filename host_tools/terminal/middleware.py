"""The terminal middleware: one object that takes a card from power-on to traffic keys."""

from __future__ import annotations

from datetime import datetime

from card.crypto.secret import Secret
from card.spec.bcast.tables import BcastTables
from host_tools.apdu.client import ApduClient
from host_tools.apdu.trace import ExchangeSink
from host_tools.links.base import Link
from host_tools.terminal.application_middleware import ApplicationMiddleware
from host_tools.terminal.gba import Bootstrapped, Bsf, bootstrap, derive_naf_key
from host_tools.terminal.identity import Identity, read_identity
from host_tools.terminal.ltkm_delivery import GbaNafKeys, SpareKeys
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.usim import Usim


class TerminalMiddleware(ApplicationMiddleware[Usim, Identity]):
    """Selects the USIM, runs GBA, delivers LTKMs and feeds STKMs.

    Calls come in this order: `connect`, then for a fresh subscription `bootstrap` and `establish`, then
    `deliver` and `feed` as messages arrive. A card that holds its keys needs `connect` and `feed` only.
    `tables` are those of the card for what is provisional about OMA BCAST.
    """

    def __init__(self, link: Link, trace: ExchangeSink | None = None, *, tables: BcastTables) -> None:
        client = ApduClient(link, trace)
        super().__init__(client, Usim(client, tables))

    @property
    def usim(self) -> Usim:
        """The typed calls below this object."""
        return self._application

    def connect(self, pin: Secret | None = None) -> Identity:
        """Select the USIM, give the PIN (4 to 8 ASCII digits) and read who the subscriber is.

        Without `pin` the card must have its PIN disabled. Raises `PinNeededError`, `PinWrongError`,
        `PinBlockedError`, `NoUsimError`, `StatusError`, `LinkError`.
        """
        self.usim.select_usim()
        return self._sign_in(pin, lambda: read_identity(self.usim))

    def bootstrap(self, bsf: Bsf) -> Bootstrapped:
        """Run GBA_U bootstrapping with a BSF. Raises `NetworkRefusedError`, `StatusError`, `LinkError`."""
        return bootstrap(self.usim, bsf, self.identity.impi)

    def establish(self, naf_id: bytes, *, now: datetime | None = None, bsf: Bsf | None = None) -> Secret:
        """Derive the keys shared with a NAF (the BSM): the card keeps SMK, the terminal gets SRK (32 bytes).

        EF_GBABP is read first: a Ks must be there and, with `now` (an aware time), its lifetime not over. Else the
        terminal bootstraps with `bsf`. Raises `NoUsableKsError` where there is none, `NetworkRefusedError`,
        `StatusError`, `LinkError`.
        """
        return derive_naf_key(self.usim, naf_id, self.identity.impi, now=now, bsf=bsf)

    def deliver(
        self, ltkm: bytes, *, spare: SpareKeys | None = None, now: datetime | None = None, bsf: Bsf | None = None
    ) -> LtkmReceipt:
        """Give an LTKM to the card; return the result, what to send back and what to ask for.

        A NAF key that the card has lost is derived again while its Ks is there; with `bsf` the terminal bootstraps
        where a new B-TID is needed. `spare` says which keys a full card may lose; without it, none. Raises
        `MalformedAnswerError`, `LinkError` and what the BSF raises.
        """
        return self._deliver(ltkm, GbaNafKeys(self.usim, self.identity.impi, bsf, now), spare)
