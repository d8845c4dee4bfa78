"""A terminal on real wires: it asks BSF and BSM over HTTP, and takes the keys that come as datagrams.

It waits for keys in the open, as a person or a script does: until none has come for a while. A solicited pull among
them is answered at once (TS 33.246 clause 6.3.2.2.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Generic, Self, TypeVar

from host_tools.exchange.messages.msk import MskCode, MskName
from host_tools.exchange.messages.registration import ServiceCode
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.ports import Clock, Rng
from host_tools.terminal.http.key_port import KeyPort
from host_tools.terminal.http.session import GbaSession
from host_tools.terminal.http.ua import UaClient
from host_tools.terminal.http.ub import HttpBsf
from host_tools.terminal.ltkm_receipt import LtkmReceipt, MskRequest
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.network_file import NetworkFile

_MOST_PULLS = 8
_Code = TypeVar("_Code", ServiceCode, MskCode)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for keys, in seconds: for the first one, and for another one after it."""

    first: float = 5.0
    quiet: float = 0.5


@dataclass(frozen=True, slots=True)
class Asked(Generic[_Code]):
    """What came of a request: the B-TID it went out under, a code for each item, and the LTKMs that came after it."""

    b_tid: str
    codes: tuple[_Code, ...]
    receipts: tuple[LtkmReceipt, ...]

    @property
    def granted(self) -> bool:
        """Whether the BSM granted every item and the card took every key."""
        return all(code.status == 200 for code in self.codes) and all(receipt.taken for receipt in self.receipts)


@dataclass(slots=True)
class _Heard:
    """What came since the last request."""

    receipts: list[LtkmReceipt] = field(default_factory=list)
    pulls: list[MskRequest] = field(default_factory=list)

    def note(self, receipt: LtkmReceipt) -> None:
        if receipt.request is not None and not receipt.request.back_off:
            self.pulls.append(receipt.request)
        else:
            self.receipts.append(receipt)


class OnlineTerminal:
    """One terminal with a USIM at one BSM; its UDP ports are open for the length of a `with` block."""

    def __init__(
        self,
        middleware: TerminalMiddleware,
        network: NetworkFile,
        address: str,
        clock: Clock,
        rng: Rng,
        patience: Patience | None = None,
        on_trigger: Callable[[Trigger], None] = lambda _: None,
    ) -> None:
        """Take the connected card, where the servers are, the terminal's own address, time and randomness.

        `on_trigger` hears of triggers, to which nothing is answered.
        """
        self._middleware = middleware
        self._patience = patience or Patience()
        self._sockets = KeySockets(address)
        self._heard = _Heard()
        self._port = KeyPort(middleware, self._heard.note, on_trigger)
        bsf = HttpBsf(HttpTransport(network.bsf.endpoint, address), network.bsf.name, rng)
        self._session = GbaSession(middleware, bsf, network.bsm.name, clock.now)
        self._bsm = UaClient(HttpTransport(network.bsm.endpoint, address), network.bsm.name, self._session, rng)

    def __enter__(self) -> Self:
        """Open the ports. Raises `TransportError`."""
        self._sockets.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the ports."""
        self._sockets.__exit__(kind, error, trace)

    def register(self, service_ids: Iterable[str]) -> Asked[ServiceCode]:
        """Register for these services, in place of those before, and take their keys. Raises as `UaClient.ask`."""
        return self._asked(self._bsm.register(service_ids))

    def deregister(self, service_ids: Iterable[str]) -> Asked[ServiceCode]:
        """Leave these services and take the LTKMs that make their keys invalid. Raises as `UaClient.ask`."""
        return self._asked(self._bsm.deregister(service_ids))

    def request_keys(self, names: Iterable[MskName]) -> Asked[MskCode]:
        """Ask for these keys and take them. Raises as `UaClient.ask`."""
        return self._asked(self._bsm.request_keys(names))

    def groups_held(self) -> tuple[MskName, ...]:
        """Return the current key of each key group that the card has a key of. Raises `StatusError`, `LinkError`."""
        held = (
            MskName(entry.key_domain_id, entry.msk_id[:2] + bytes(2)) for entry in self._middleware.usim.read_msks()
        )
        return tuple(dict.fromkeys(held))

    def listen(self, patience: Patience) -> tuple[LtkmReceipt, ...]:
        """Take the LTKMs that come, and answer pulls; return what came of them. Raises as `UaClient.ask`."""
        self._heard.receipts.clear()
        pulls = 0
        until = monotonic() + patience.first
        while (left := until - monotonic()) > 0:
            for datagram in self._sockets.wait(left):
                for answer in self._port.received(datagram):
                    self._sockets.send(answer)
                until = monotonic() + patience.quiet
            while self._heard.pulls:
                pull = self._heard.pulls.pop(0)
                pulls += 1
                if pulls <= _MOST_PULLS:
                    self._bsm.request_keys([MskName(pull.key_domain_id, pull.msk_id)])
                    until = monotonic() + patience.first
        return tuple(self._heard.receipts)

    def _asked(self, codes: tuple[_Code, ...]) -> Asked[_Code]:
        expects_keys = any(code.status == 200 for code in codes)
        receipts = self.listen(self._patience) if expects_keys else ()
        return Asked(self._session.current().username, codes, receipts)
