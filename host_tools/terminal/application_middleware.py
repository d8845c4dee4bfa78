"""What the middleware for a USIM and that for a CSIM have in common: an application, its identity, keys and events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from card.crypto.secret import Secret
from card.spec.bcast.tables import BcastTables
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.terminal.bcast import StkmOutcome, feed_stkm
from host_tools.terminal.card_application import CardApplication
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.departure import Departure, Service, signal_departure
from host_tools.terminal.errors import PinNeededError, TerminalError
from host_tools.terminal.ltkm_delivery import KeepAll, LtkmDelivery, NafKeys, NoNafKeys, SpareKeys
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.mtk_gate import MtkGate

App = TypeVar("App", bound=CardApplication, covariant=True)
Who = TypeVar("Who", covariant=True)  # the subscriber


class ApplicationMiddleware(Generic[App, Who]):
    """Signs in to one application of a card, delivers LTKMs, feeds STKMs and signals events: the card as `KeySource`.

    `gate` tells which plain MTK messages the card need not see; `feed` gives it any. `on_ltkm` hears of every LTKM and
    its result.
    """

    def __init__(self, client: ApduClient, application: App) -> None:
        self._client = client
        self._application = application
        self._identity: Who | None = None
        self.gate = MtkGate(application)
        self.on_ltkm: Callable[[bytes, LtkmReceipt], None] = lambda _ltkm, _receipt: None

    @property
    def application(self) -> App:
        """The typed calls below this object."""
        return self._application

    @property
    def tables(self) -> BcastTables:
        """The card's tables for what is provisional about OMA BCAST."""
        return self._application.tables

    @property
    def reader(self) -> str:
        """Name of the reader."""
        return self._client.name

    @property
    def atr(self) -> bytes:
        """Answer to reset of the card."""
        return self._client.atr

    @property
    def identity(self) -> Who:
        """Who the subscriber is. Raises `TerminalError` before `connect`."""
        if self._identity is None:
            raise TerminalError("The terminal is not connected to the card yet.")
        return self._identity

    def _sign_in(self, pin: Secret | None, read_identity: Callable[[], Who]) -> Who:
        """Give the PIN, if any, and read who the subscriber is. Raises `PinNeededError`, `StatusError`, `LinkError`."""
        if pin is not None:
            self._application.verify_pin(pin)
        try:
            self._identity = read_identity()
        except StatusError as error:
            if pin is None and error.sw == SW.SECURITY_NOT_SATISFIED:
                raise PinNeededError from None
            raise
        return self._identity

    def deliver(self, ltkm: bytes, *, spare: SpareKeys | None = None) -> LtkmReceipt:
        """Give an LTKM to the card; return the result, what to send back and what to ask for.

        `spare` says which keys a full card may lose; without it, none. Raises `MalformedAnswerError`, `LinkError`.
        """
        return self._deliver(ltkm, NoNafKeys(), spare)

    def _deliver(self, ltkm: bytes, naf_keys: NafKeys, spare: SpareKeys | None) -> LtkmReceipt:
        try:
            receipt = LtkmDelivery(self._application, naf_keys, spare or KeepAll()).deliver(ltkm)
        finally:
            self.gate.keys_changed()
        self.on_ltkm(ltkm, receipt)
        return receipt

    def read(self, stkm: bytes) -> CardStkmView:
        """Return what an STKM says, by the card's tables. Raises `DecodeError` for anything that is not one."""
        return CardStkmView.decode(stkm, self.tables)

    def feed(self, stkm: bytes) -> StkmOutcome:
        """Give an STKM to the card and return the TEK or the reason why there is none. Raises `LinkError`."""
        return feed_stkm(self._application, stkm)

    def leave(self, service: Service) -> Departure:
        """Tell the card that a service was left: a parental PIN given for it counts no longer. Raises `LinkError`."""
        return signal_departure(self._application, service)

    def close(self) -> None:
        """Let the card go."""
        self._client.close()


CardMiddleware = ApplicationMiddleware[CardApplication, object]
"""That of any application: all that playing and listening need."""
