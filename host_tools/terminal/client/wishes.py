"""What can be wanted of the BSM: registration, deregistration, keys, and the orders of service provisioning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.procedures import Procedure
from host_tools.terminal.client.journal import Pending


class OrderMessage(Protocol):
    """A request of service provisioning; sent twice under one `request_id`, it acts once."""

    @property
    def request_id(self) -> str:
        """Its identity."""

    @property
    def procedure(self) -> Procedure:
        """Which request it is."""

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""


@dataclass(frozen=True, slots=True)
class Register:
    """Register for all items in force and these serviceIDs; with `only` for these: the others stay as they are."""

    service_ids: tuple[str, ...] = ()
    only: bool = False


@dataclass(frozen=True, slots=True)
class Deregister:
    """Leave these serviceIDs; without one, all."""

    service_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestKeys:
    """Ask for these keys, at once: whoever wants it has waited where that is due.

    `awaited`: they are waited for already, and the answer begins no new wait.
    """

    names: tuple[MskName, ...]
    awaited: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Order:
    """Send a request of service provisioning."""

    message: OrderMessage


@dataclass(frozen=True, slots=True)
class Resume:
    """Send a request again that an earlier run has no answer to: the same octets, so that it acts once."""

    pending: Pending


@dataclass(frozen=True, slots=True)
class TakeStock:
    """Ask what the account has, around an order that went past the client, as in a web shop in a browser.

    `before` the order it is noted; after it, what has come since is in force and what has gone is not.
    """

    request_id: str
    before: bool


Wish = Register | Deregister | RequestKeys | Order | Resume | TakeStock
