"""Mints the LTKMs that a scenario plans: policies, tokens, withdrawals, parental control messages.

The OMA BCAST extension follows a set of tables, which are provisional. So are two choices of ours: tokens without a key
name Key Number 0 and carry an empty key, and a parental control message names Key Number 0 and carries its PINCODE as
the key (RFC 5410 puts the PINCODE into the KEMAC).
"""

from __future__ import annotations

from dataclasses import replace

from card.codec.bcast import LtkmManagement, ParentalControl
from card.codec.mikey import KeyInterval
from card.crypto.secret import Secret
from card.spec.bcast.tables import BcastTables
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.policies import DeliveryKind, PlannedDelivery
from host_tools.headend.scenario.schedule import timestamps
from host_tools.headend.service_keys import NO_KEY_NUMBER, ServiceKey

_TIMESTAMP_SIZE = 4
_WITHDRAWN = KeyInterval.between(1, 0, _TIMESTAMP_SIZE)  # a lower bound above the upper one
_ALWAYS = KeyInterval.between(0, 0xFFFF_FFFF, _TIMESTAMP_SIZE)


class BcastMint:
    """Makes LTKMs for one scenario with the keys of its BSM."""

    def __init__(self, scenario: Scenario, bsm: Bsm, tables: BcastTables) -> None:
        self._scenario = scenario
        self._bsm = bsm
        self._tables = tables

    def mint(self, planned: PlannedDelivery, key: ServiceKey, b_tid: str) -> bytes:
        """Return the LTKM that brings `planned` to the card behind `b_tid`. Raises `HeadendError`, `EncodeError`."""
        match planned.kind:
            case DeliveryKind.PARENTAL:
                return self._parental(planned, key, b_tid)
            case DeliveryKind.TOKENS:
                return self._send(planned, _without_key(key, Secret(b"")), b_tid, _ALWAYS)
            case DeliveryKind.WITHDRAWAL if planned.spe is None:
                return self._bsm.withdrawal(planned.service, b_tid, key)
            case DeliveryKind.WITHDRAWAL:
                return self._send(planned, key, b_tid, _WITHDRAWN)
            case DeliveryKind.KEY if planned.spe is None:
                return self._bsm.ltkm(planned.service, b_tid, key)
            case DeliveryKind.KEY:
                return self._send(planned, key, b_tid, self.validity(planned, key))

    def validity(self, planned: PlannedDelivery, key: ServiceKey) -> KeyInterval:
        """Return the STKM timestamps a planned policy is good for (4 bytes each)."""
        period = self._scenario.stkm.crypto_period
        begins, ends = (key.first_mtk_id - 1) * period, key.last_mtk_id * period
        begins = begins if planned.begins is None else planned.begins
        ends = ends if planned.ends is None else planned.ends
        return KeyInterval.between(*timestamps(self._scenario, planned.service, begins, ends), _TIMESTAMP_SIZE)

    def _send(self, planned: PlannedDelivery, key: ServiceKey, b_tid: str, validity: KeyInterval) -> bytes:
        extension = self._management(planned).to_extension(self._tables)
        return self._bsm.ltkm(planned.service, b_tid, key, validity=validity, extension=extension)

    def _management(self, planned: PlannedDelivery) -> LtkmManagement:
        policy = self._scenario.service(planned.service).bcast
        return LtkmManagement(
            spe=planned.spe,
            cost=planned.cost,
            tokens=planned.tokens,
            counter=planned.counter,
            add=planned.add,
            keep_credit=planned.keep_credit,
            consumption_reporting=planned.report,
            terminal_binding_key_id=policy.binding_key_id if policy else None,
        )

    def _parental(self, planned: PlannedDelivery, key: ServiceKey, b_tid: str) -> bytes:
        control = ParentalControl(planned.pincode is not None, planned.level, planned.unblock)
        carrier = _without_key(key, planned.pincode or Secret(b""))
        extension = control.to_extension(self._tables)
        return self._bsm.ltkm(planned.service, b_tid, carrier, validity=_ALWAYS, extension=extension)


def _without_key(key: ServiceKey, instead: Secret) -> ServiceKey:
    """Return a key that names its group alone and carries `instead`."""
    return replace(key, msk_id=key.msk_id[:2] + NO_KEY_NUMBER, key=instead)
