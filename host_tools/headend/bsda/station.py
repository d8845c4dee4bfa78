"""The BSD/A: makes TEKs and media, has STKMs made or makes them, and says what goes out.

It knows the names of SEKs; the SEKs themselves only when the sealer it was given is its own (`handed_seks`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from card.codec.mikey import MbmsKeyIds
from card.spec.bcast.tables import BcastTables
from host_tools.content.captures.pcap import Datagram, Endpoint
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.channel import Channel, MediaSource
from host_tools.headend.bsda.management import carried_tek, stkm_extension
from host_tools.headend.bsda.ports import TrafficKeys
from host_tools.headend.bsda.slots import MediaSlot, StkmSlot
from host_tools.headend.sealing import StkmOrder, StkmSealer
from host_tools.headend.services import Service
from host_tools.headend.stkm import StkmContent

_SENDER = Endpoint("10.20.30.40", 40_000)


@dataclass(frozen=True, slots=True)
class SentStkm:
    """An STKM as it goes out, the name of the TEK in it, and the TEK."""

    datagram: Datagram
    ids: MbmsKeyIds
    key: TrafficKey


@dataclass(frozen=True, slots=True)
class SentMedia:
    """A packet as it goes out, and its payload before protection."""

    datagram: Datagram
    payload: bytes


class Bsda:
    """Sends the channels that begin at `start`; STKMs go to `stkm_port` of the address of their service."""

    def __init__(
        self,
        channels: Iterable[Channel],
        keys: TrafficKeys,
        sealer: StkmSealer,
        tables: BcastTables,
        start: datetime,
        stkm_port: int,
    ) -> None:
        """Take what is sent, where TEKs come from, who makes STKMs, and the tables their management data follow."""
        self._channels = {channel.service.id: channel for channel in channels}
        self._sources = {name: MediaSource(channel, keys) for name, channel in self._channels.items()}
        self._keys = keys
        self._sealer = sealer
        self._tables = tables
        self._start = start
        self._stkm_port = stkm_port

    def stkm(self, slot: StkmSlot) -> SentStkm:
        """Return the STKM of a slot. Raises `HeadendError` when whoever makes it has no key for it."""
        channel = self._channels[slot.service.id]
        ids, key = slot.key.traffic_key_ids(slot.mtk_id), self._keys.traffic_key(slot.key, slot.mtk_id)
        content = StkmContent(
            key_ids=ids,
            tek=carried_tek(channel, key, self._keys),
            salt=key.salt,
            counter=slot.counter,
            extension=stkm_extension(channel, slot, self._tables),
        )
        message = self._sealer.seal(StkmOrder(slot.service.id, content))
        return SentStkm(self._datagram(slot.at, slot.service, self._stkm_port, message), ids, key)

    def media(self, slot: MediaSlot) -> SentMedia:
        """Return the packet of a slot. Slots of a service come one after the other, none left out."""
        source = self._sources[slot.service.id]
        packet = source.packet(slot.number)
        protected = source.protect(packet, slot)
        return SentMedia(self._datagram(slot.at, slot.service, slot.service.port, protected), packet.payload)

    def _datagram(self, at: int, service: Service, port: int, payload: bytes) -> Datagram:
        moment = self._start.timestamp() + at / 1000
        return Datagram(moment, _SENDER, Endpoint(service.address, port), payload)
