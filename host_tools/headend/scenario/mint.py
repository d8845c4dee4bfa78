"""Orders the LTKMs that a scenario plans: policies, tokens, withdrawals, parental control messages.

The OMA BCAST extension follows a set of tables, which are provisional. So are two choices of ours: tokens without a key
name Key Number 0 and carry an empty key, and a parental control message names Key Number 0 and carries its PINCODE as
the key (RFC 5410 puts the PINCODE into the KEMAC).
"""

from __future__ import annotations

from card.codec.bcast import LtkmManagement, ParentalControl
from card.codec.mikey import KeyInterval
from card.crypto.secret import Secret
from card.spec.bcast.tables import BcastTables
from host_tools.headend.bsm.orders import Order, OrderKind, OrderMint
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.policies import DeliveryKind, PlannedDelivery
from host_tools.headend.scenario.timetable import Timetable
from host_tools.headend.service_keys import ServiceKey, find_key

_TIMESTAMP_SIZE = 4
_WITHDRAWN = KeyInterval.between(1, 0, _TIMESTAMP_SIZE)  # a lower bound above the upper one
_ALWAYS = KeyInterval.between(0, 0xFFFF_FFFF, _TIMESTAMP_SIZE)


class BcastMint:
    """Makes orders of LTKMs for one scenario, and the LTKMs themselves with the keys of its BSM."""

    def __init__(self, scenario: Scenario, bsm: Bsm, tables: BcastTables, timetable: Timetable) -> None:
        """Take what is planned, the BSM, the tables of its card, and what is broadcast when."""
        self._scenario = scenario
        self._bsm = bsm
        self._mint = OrderMint(bsm)
        self._tables = tables
        self._timetable = timetable

    def has(self, key: ServiceKey) -> bool:
        """Tell whether the BSM has a SEK, so that an LTKM can bring it."""
        return find_key(self._bsm.keys(key.service), key.key_ids) is not None

    def mint(self, planned: PlannedDelivery, key: ServiceKey, b_tid: str) -> bytes:
        """Return the LTKM that brings `planned` to the card behind `b_tid`. Raises `HeadendError`, `EncodeError`."""
        return self.mint_order(self.order(planned, key), b_tid)

    def mint_order(self, order: Order, b_tid: str) -> bytes:
        """Return the ordered LTKM for the card behind `b_tid`. Raises `HeadendError`, `EncodeError`."""
        return self._mint.mint(order, b_tid)

    def order(self, planned: PlannedDelivery, key: ServiceKey, number: int = 0) -> Order:
        """Return the order of the LTKM that brings `planned` with a key, in the round of this number.

        Raises `EncodeError`.
        """
        service, name = planned.service, key.key_ids
        match planned.kind:
            case DeliveryKind.PARENTAL:
                extension, pincode = self._parental(planned), planned.pincode or Secret(b"")
                return Order(OrderKind.WITHOUT_KEY, service, name, _ALWAYS, extension, pincode)
            case DeliveryKind.TOKENS:
                return Order(OrderKind.WITHOUT_KEY, service, name, _ALWAYS, self._management(planned), credits=True)
            case DeliveryKind.WITHDRAWAL if planned.spe is None:
                return Order.for_withdrawal(key)
            case DeliveryKind.WITHDRAWAL:
                return Order(OrderKind.KEY, service, name, _WITHDRAWN, self._management(planned))
            case DeliveryKind.KEY if planned.spe is None:
                return Order.for_key(service, key)
            case DeliveryKind.KEY:
                validity, extension = self.validity(planned, number), self._management(planned)
                return Order(OrderKind.KEY, service, name, validity, extension, credits=_credits(planned))

    def validity(self, planned: PlannedDelivery, number: int = 0) -> KeyInterval:
        """Return the STKM timestamps (4 bytes each) that a planned policy is good for in the round of this number."""
        term = self._timetable.planned_terms(planned.service, 0)[planned.key_number - 1]
        period = self._scenario.stkm.crypto_period
        begins, ends = (term.first_mtk_id - 1) * period, term.last_mtk_id * period
        begins = begins if planned.begins is None else planned.begins
        ends = ends if planned.ends is None else planned.ends
        return KeyInterval.between(*self._timetable.timestamps(planned.service, begins, ends, number), _TIMESTAMP_SIZE)

    def _management(self, planned: PlannedDelivery) -> bytes:
        policy = self._scenario.service(planned.service).bcast
        management = LtkmManagement(
            spe=planned.spe,
            cost=planned.cost,
            tokens=planned.tokens,
            counter=planned.counter,
            add=planned.add,
            keep_credit=planned.keep_credit,
            consumption_reporting=planned.report,
            terminal_binding_key_id=policy.binding_key_id if policy else None,
        )
        return management.to_extension(self._tables).data

    def _parental(self, planned: PlannedDelivery) -> bytes:
        control = ParentalControl(planned.pincode is not None, planned.level, planned.unblock)
        return control.to_extension(self._tables).data


def _credits(planned: PlannedDelivery) -> bool:
    return planned.tokens is not None or planned.counter is not None
