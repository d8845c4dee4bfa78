"""Orders of LTKMs: what is to be sent to a subscriber, as data, so that it can wait in a store.

An order says everything that its LTKM will say but for the SMK and T: these belong to the moment it is sent.
`OrderMint` makes the LTKM. What OMA BCAST adds (policies, tokens, counters, parental control) is in the extension,
whose octets are written when the order is made, by whoever has the tables.
"""

from __future__ import annotations

import json
from dataclasses import field, replace
from enum import Enum
from typing import Protocol

from card.codec.mikey import Extension, KeyInterval, MbmsKeyIds
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.lean import lean_dataclass
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError
from host_tools.headend.service_keys import NO_KEY_NUMBER, ServiceKey, find_key

_NOTHING = Secret(b"")
_WRITER = json.JSONEncoder(separators=(",", ":"))


class OrderKind(Enum):
    """What an ordered LTKM is."""

    KEY = "key"
    """Brings a SEK or PEK."""
    WITHDRAWAL = "withdrawal"
    """Makes a SEK or PEK invalid."""
    WITHOUT_KEY = "without key"
    """Names Key Number 0 and brings what its extension says: tokens, or parental control."""
    PULL = "pull"
    """Makes the terminal ask (TS 33.246 clause 6.3.2.2.4)."""
    OCTETS = "octets"
    """A message that was made before: it goes out as it is."""


@lean_dataclass(frozen=True, slots=True)
class Order:
    """One LTKM to be sent.

    `key` names the SEK it is about, None for the one in use when it is sent. `validity` replaces the limits of the key;
    `extension` is the OMA BCAST extension, its subtype first; `instead` is what goes in the place of the key with
    `WITHOUT_KEY` (a PINCODE). `octets` is the message itself with `OCTETS`. With `credits` the card must not act on it
    twice: it brings tokens or sets a counter.
    """

    kind: OrderKind
    service: str = ""
    key: MbmsKeyIds | None = None
    validity: KeyInterval | None = None
    extension: bytes = b""
    instead: Secret = _NOTHING
    octets: bytes = field(default=b"", repr=False)
    credits: bool = False

    @classmethod
    def for_key(cls, service: str, key: ServiceKey | None = None) -> Order:
        """Return the order of a plain MSK message; without a key, of the one in use when it is sent."""
        return cls(OrderKind.KEY, service, None if key is None else key.key_ids)

    @classmethod
    def for_withdrawal(cls, key: ServiceKey) -> Order:
        """Return the order of a message that makes a key invalid."""
        return cls(OrderKind.WITHDRAWAL, key.service, key.key_ids)

    @classmethod
    def for_pull(cls, service: str) -> Order:
        """Return the order of a solicited pull."""
        return cls(OrderKind.PULL, service)

    def encode(self) -> bytes:
        """Return the order as it is stored. It may hold a secret."""
        key, validity = self.key, self.validity
        return _WRITER.encode(
            {
                "kind": self.kind.value,
                "service": self.service,
                "key": None if key is None else [key.key_domain_id.hex(), key.msk_id.hex()],
                "validity": None if validity is None else [validity.valid_from.hex(), validity.valid_to.hex()],
                "extension": self.extension.hex(),
                "instead": self.instead.reveal().hex(),
                "octets": self.octets.hex(),
                "credits": self.credits,
            }
        ).encode()

    @classmethod
    def decode(cls, stored: bytes) -> Order:
        """Read a stored order. Raises `DecodeError`."""
        try:
            found = json.loads(stored)
            key, validity = found["key"], found["validity"]
            return cls(
                OrderKind(found["kind"]),
                found["service"],
                None if key is None else MbmsKeyIds(*map(bytes.fromhex, key)),
                None if validity is None else KeyInterval(*map(bytes.fromhex, validity)),
                bytes.fromhex(found["extension"]),
                Secret(bytes.fromhex(found["instead"])),
                bytes.fromhex(found["octets"]),
                found["credits"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DecodeError(f"a stored order cannot be read ({type(error).__name__})") from None


class Mint(Protocol):
    """Makes ordered LTKMs."""

    def mint(self, order: Order, b_tid: str, /) -> bytes:
        """Return the LTKM for the card behind `b_tid` (or NAI), with the next T. Raises `HeadendError`."""


class OrderMint:
    """Makes ordered LTKMs with the keys of a BSM."""

    def __init__(self, bsm: Bsm) -> None:
        """Take the BSM."""
        self._bsm = bsm

    def mint(self, order: Order, b_tid: str) -> bytes:
        """Return the LTKM for the card behind `b_tid` (or NAI), with the next T.

        Raises `HeadendError`, also when there is no such key any more.
        """
        bsm = self._bsm
        match order.kind:
            case OrderKind.KEY:
                return self._with(order, self._key(order), b_tid)
            case OrderKind.WITHDRAWAL:
                return bsm.withdrawal(order.service, b_tid, self._key(order))
            case OrderKind.WITHOUT_KEY:
                return self._with(order, _without_key(self._key(order), order.instead), b_tid)
            case OrderKind.PULL:
                return bsm.pull(order.service, b_tid)
            case OrderKind.OCTETS:
                return order.octets

    def _with(self, order: Order, key: ServiceKey, b_tid: str) -> bytes:
        extension = Extension.of_bcast(order.extension[0], order.extension[1:]) if order.extension else None
        return self._bsm.ltkm(order.service, b_tid, key, validity=order.validity, extension=extension)

    def _key(self, order: Order) -> ServiceKey:
        if order.key is None:
            return self._bsm.current_key(order.service)
        found = find_key(self._bsm.keys(order.service), order.key)
        if found is None:
            raise HeadendError(f"{order.service} has no SEK {order.key.msk_id.hex()}")
        return found


def _without_key(key: ServiceKey, instead: Secret) -> ServiceKey:
    """Return a key that names its group alone and carries `instead`."""
    return replace(key, msk_id=key.msk_id[:2] + NO_KEY_NUMBER, key=instead)
