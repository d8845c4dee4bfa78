"""The ledger: subscriptions, money, tokens and what is owed, by the identity of the subscriber.

It stands on the small records that the BSM's books keep, so it is in memory or in the database as they are, and changes
with the transaction of the request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import TypeVar

from card.errors import DecodeError
from card.lean import lean_dataclass
from host_tools.exchange.messages.provisioning import Price
from host_tools.exchange.messages.tokens import Purse, PurseKind
from host_tools.headend.bsm.books import Records
from host_tools.headend.bsm.orders import Order
from host_tools.headend.catalogue.items import most_tokens
from host_tools.headend.errors import HeadendError

MOST_SUBSCRIPTIONS = 256
MOST_DEBTS = 256
MOST_CHARGES = 64
"""How many charges of a subscriber can be listed; the sums have all of them. These three are ours."""
_SUBSCRIPTION, _CHARGE, _SPENT, _PURSE, _DEBT = "subscription", "charge", "spent", "purse", "debt"
_T = TypeVar("_T")


@lean_dataclass(frozen=True, slots=True)
class Subscription:
    """The right to an item (its serviceID) from `start` on; without an `end` for good."""

    service_id: str
    start: datetime
    end: datetime | None = None

    def in_force(self, now: datetime) -> bool:
        """Tell whether it counts at a moment."""
        return self.start <= now and (self.end is None or now < self.end)


@dataclass(frozen=True, slots=True)
class Charge:
    """Money for something: under which order, for what (a serviceID, or words), how much and when."""

    order: str
    what: str
    price: Price
    at: datetime


@dataclass(frozen=True, slots=True)
class Debt:
    """An LTKM that an order still has to bring, with the next registration for `what`, a serviceID.

    `number` tells the debts of a subscriber apart.
    """

    order: str
    what: str
    ltkm: Order
    number: int = 0


class Ledger:
    """The books of what was sold."""

    def __init__(self, records: Records) -> None:
        """Take where records are kept."""
        self._records = records

    def subscriptions(self, identity: str) -> tuple[Subscription, ...]:
        """Return what a subscriber has, also what is over and not purged; the oldest first."""
        found = self._records.of(_SUBSCRIPTION, identity).values()
        return tuple(sorted((_read(_subscription, one) for one in found), key=lambda one: (one.start, one.service_id)))

    def subscription(self, identity: str, service_id: str) -> Subscription | None:
        """Return what a subscriber has of one item."""
        found = self._records.find(_SUBSCRIPTION, identity, _named(service_id))
        return None if found is None else _read(_subscription, found)

    def subscribe(self, identity: str, subscription: Subscription) -> None:
        """Note a subscription in place of one for the same item. Raises `HeadendError` when there are too many."""
        name = _named(subscription.service_id)
        mine = self._records.of(_SUBSCRIPTION, identity)
        if name not in mine and len(mine) >= MOST_SUBSCRIPTIONS:
            raise HeadendError(f"a subscriber has at most {MOST_SUBSCRIPTIONS} items")
        end = subscription.end
        self._records.put(
            _SUBSCRIPTION,
            identity,
            name,
            _json([subscription.service_id, subscription.start.isoformat(), None if end is None else end.isoformat()]),
        )

    def unsubscribe(self, identity: str, service_id: str) -> None:
        """Take a subscription away."""
        self._records.drop(_SUBSCRIPTION, identity, _named(service_id))

    def charge(self, identity: str, charge: Charge) -> None:
        """Note money."""
        price = charge.price
        listed = sorted(self._records.of(_CHARGE, identity))
        for name in listed[: max(len(listed) - MOST_CHARGES + 1, 0)]:
            self._records.drop(_CHARGE, identity, name)
        value = _json([charge.order, charge.what, str(price.amount), price.currency, charge.at.isoformat()])
        self._records.put(_CHARGE, identity, _next(listed), value)
        before = self._records.find(_SPENT, identity, price.currency)
        total = price.amount + (Decimal(0) if before is None else _read(_amount, before))
        self._records.put(_SPENT, identity, price.currency, _json(str(total)))

    def charges(self, identity: str) -> tuple[Charge, ...]:
        """Return the newest charges of a subscriber, the oldest first."""
        return tuple(_read(_charge, value) for _, value in sorted(self._records.of(_CHARGE, identity).items()))

    def spent(self, identity: str) -> tuple[Price, ...]:
        """Return all that was ever charged, a sum for each currency."""
        found = sorted(self._records.of(_SPENT, identity).items())
        return tuple(Price(_read(_amount, total), currency) for currency, total in found)

    def credit(self, identity: str, purse: PurseKind, key_domain_id: bytes, quantity: int) -> None:
        """Note tokens that were granted to a purse of a key domain (3 bytes)."""
        name = f"{purse.value} {key_domain_id.hex()}"
        before = self._records.find(_PURSE, identity, name)
        total = most_tokens(0 if before is None else _read(_whole, before), quantity)
        self._records.put(_PURSE, identity, name, _json(total))

    def purses(self, identity: str) -> tuple[Purse, ...]:
        """Return all tokens that were ever granted."""
        made: list[Purse] = []
        for name, value in sorted(self._records.of(_PURSE, identity).items()):
            kind, _, domain = name.partition(" ")
            made.append(Purse(PurseKind(kind), _read(_whole, value), bytes.fromhex(domain)))
        return tuple(made)

    def owe(self, identity: str, debt: Debt) -> None:
        """Note what is still to be brought. Raises `HeadendError` when there is too much."""
        names = sorted(self._records.of(_DEBT, identity))
        if len(names) >= MOST_DEBTS:
            raise HeadendError(f"{MOST_DEBTS} LTKMs wait for this subscriber to register")
        value = _json([debt.order, debt.what, debt.ltkm.encode().decode()])
        self._records.put(_DEBT, identity, _next(names), value)

    def owed(self, identity: str) -> tuple[Debt, ...]:
        """Return what is still to be brought, the oldest first."""
        found = sorted(self._records.of(_DEBT, identity).items())
        return tuple(replace(_read(_debt, stored), number=int(name)) for name, stored in found)

    def settle(self, identity: str, debt: Debt) -> None:
        """Note that something was handed over for delivery."""
        self._records.drop(_DEBT, identity, _number(debt.number))


def _named(service_id: str) -> str:
    """Return the name of a record: a serviceID may be longer than one."""
    return sha256(service_id.encode()).hexdigest()


def _number(number: int) -> str:
    return f"{number:010d}"


def _next(names: list[str]) -> str:
    """Return a name behind all the others."""
    return _number(int(names[-1]) + 1 if names else 1)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _read(take: Callable[[list[str]], _T], stored: bytes) -> _T:
    """Read a record. Raises `HeadendError`: it was written by this module, so it was tampered with."""
    try:
        return take(json.loads(stored))
    except (ValueError, TypeError, LookupError, ArithmeticError, DecodeError) as error:
        raise HeadendError(f"a record of the ledger cannot be read ({type(error).__name__})") from None


def _subscription(value: list[str]) -> Subscription:
    name, start, end = value
    return Subscription(name, datetime.fromisoformat(start), datetime.fromisoformat(end) if end else None)


def _charge(value: list[str]) -> Charge:
    order, what, amount, currency, at = value
    return Charge(order, what, Price(Decimal(amount), currency), datetime.fromisoformat(at))


def _amount(value: object) -> Decimal:
    return Decimal(str(value))


def _whole(value: object) -> int:
    return int(str(value))


def _debt(value: list[str]) -> Debt:
    order, what, ltkm = value
    return Debt(order, what, Order.decode(ltkm.encode()))
