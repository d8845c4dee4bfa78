"""The BSM as a BSD/A in another process has it: everything is fetched some crypto periods ahead.

So a BSM that stops for a moment is not heard. What is fetched is kept until newer things need its place; what cannot be
fetched is tried again by whoever calls `offer`, `fetch_sek` and `hand_over`, which wait. `seal` and `sek` never wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

from card.codec.mikey import MbmsKeyIds
from card.errors import DecodeError
from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.back_end import (
    MAC_HEADER,
    MOST_STKMS,
    KeyGrant,
    KeyWish,
    SekRolls,
    Stkms,
    TekOffer,
    TransportKey,
)
from host_tools.exchange.procedures import KEY_GRANT, SEK_ROLLS, STKM_HANDOVER, TEK_OFFER, Procedure
from host_tools.exchange.transport import Transport
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.errors import HeadendError
from host_tools.headend.granting import as_key
from host_tools.headend.on_air.told_rolls import as_roll
from host_tools.headend.scenario.rolls import Roll
from host_tools.headend.sealing import StkmOrder
from host_tools.headend.service_keys import ServiceKey

_STKMS_OF_A_SERVICE, _STKMS = 2048, 65_536
_KEYS_OF_A_SERVICE, _KEYS = 8, 4096
_Name = tuple[str, bytes, bytes]
_T = TypeVar("_T")
_Decode = Callable[[bytes], _T]


class RemoteBsm:
    """A BSM over HTTP. `failures` counts requests that came to nothing."""

    def __init__(self, transport: Transport, host: str, keys: TransportKey) -> None:
        """Take the way to the BSM, its name, and the transport key."""
        self._transport = transport
        self._host = host
        self._keys = keys
        self._stkms: BoundedTable[tuple[str, MbmsKeyIds, int], bytes] = BoundedTable(_STKMS_OF_A_SERVICE, _STKMS)
        self._seks: BoundedTable[_Name, ServiceKey] = BoundedTable(_KEYS_OF_A_SERVICE, _KEYS)
        self.failures = 0

    def seal(self, order: StkmOrder) -> bytes:
        """Return an STKM that was fetched. Raises `HeadendError` when it was not."""
        content = order.content
        found = self._stkms.get((order.service, content.key_ids, content.counter))
        if found is None:
            raise HeadendError("the BSM has not sent this STKM")
        return found

    def sek(self, service: str, key_ids: MbmsKeyIds) -> ServiceKey:
        """Return a key that was handed over. Raises `HeadendError` when it was not."""
        found = self._seks.get((service, key_ids.key_domain_id, key_ids.msk_id))
        if found is None:
            raise HeadendError("the BSM has not handed this key over")
        return found

    def offer(self, orders: Iterable[tuple[datetime, StkmOrder]]) -> None:
        """Have STKMs made that are not here yet, each with when it may be heard. Raises `HeadendError`."""
        wanted: dict[tuple[str, MbmsKeyIds], list[tuple[datetime, StkmOrder]]] = {}
        for begins, order in orders:
            content = order.content
            if self._stkms.get((order.service, content.key_ids, content.counter)) is None:
                wanted.setdefault((order.service, content.key_ids), []).append((begins, order))
        for (service, key_ids), found in wanted.items():
            self._offer(service, key_ids, found[:MOST_STKMS])

    def fetch_sek(self, service: str, key_ids: MbmsKeyIds) -> None:
        """Have a SEK handed over that is not here yet. Raises `HeadendError`."""
        name = service, key_ids.key_domain_id, key_ids.msk_id
        if self._seks.get(name) is not None:
            return
        wish = KeyWish(service, MbmsKeyIds(key_ids.key_domain_id, key_ids.msk_id))
        self.take(as_key(self._read(KEY_GRANT, wish.encode(), lambda body: KeyGrant.decode(body, self._keys))))

    def take(self, key: ServiceKey) -> None:
        """Keep a SEK that was handed over."""
        self._seks.put(key.service, (key.service, key.key_domain_id, key.msk_id), key)

    def rolls(self) -> tuple[Roll, ...]:
        """Return the SEKs that are taken up out of turn. Raises `HeadendError`."""
        return tuple(map(as_roll, self._read(SEK_ROLLS, b"{}", SekRolls.decode).rolls))

    def hand_over(self, stkms: Stkms) -> None:
        """Give the BSM STKMs that were made here, for the interaction channel. Raises `HeadendError`."""
        self._ask(STKM_HANDOVER, stkms.encode())

    def _offer(self, service: str, key_ids: MbmsKeyIds, found: list[tuple[datetime, StkmOrder]]) -> None:
        begins, first = found[0]
        extension = first.content.extension
        offer = TekOffer(
            service,
            key_ids,
            first.content.tek,
            first.content.salt,
            tuple(dict.fromkeys(order.content.counter for _, order in found)),
            begins,
            None if extension is None else extension.data,
        )
        for stkm in self._read(TEK_OFFER, offer.encode(self._keys), Stkms.decode).stkms:
            self._stkms.put(service, (service, key_ids, stkm.counter), stkm.octets)

    def _read(self, procedure: Procedure, body: bytes, decode: _Decode[_T]) -> _T:
        try:
            return decode(self._ask(procedure, body))
        except DecodeError as error:
            self.failures += 1
            raise HeadendError(f"the BSM answers what cannot be read: {error}") from None

    def _ask(self, procedure: Procedure, body: bytes) -> bytes:
        """Return the body of the answer. Raises `HeadendError`."""
        mac = self._keys.sign(procedure.method, procedure.target, body)
        try:
            answer = self._transport.exchange(procedure.build(self._host, body, ((MAC_HEADER, mac),)))
        except TransportError as error:
            self.failures += 1
            raise HeadendError(str(error)) from None
        if answer.status != HTTPStatus.OK:
            self.failures += 1
            words = answer.body[:200].decode(errors="replace").strip()
            raise HeadendError(f"the BSM refuses this ({procedure.name}): {answer.status} {words}")
        return answer.body
