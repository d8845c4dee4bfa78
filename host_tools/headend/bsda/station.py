"""The BSD/A: makes TEKs and media, has STKMs made or makes them, and says what goes out.

It knows the names of SEKs; the SEKs themselves only when the sealer it was given is its own (`handed_seks`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from card.codec.mikey import MbmsKeyIds
from card.lean import lean_dataclass
from card.spec.bcast.tables import BcastTables
from host_tools.content.captures.pcap import Datagram, Endpoint
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.channel import Channel, MediaSource
from host_tools.headend.bsda.frames import FrameSource, tone_frames
from host_tools.headend.bsda.management import carried_tek, stkm_extension
from host_tools.headend.bsda.ports import TrafficKeys
from host_tools.headend.bsda.slots import MediaSlot, StkmSlot
from host_tools.headend.sealing import StkmOrder, StkmSealer
from host_tools.headend.stkm import StkmContent

_SENDER = Endpoint("10.20.30.40", 40_000)


@lean_dataclass(frozen=True, slots=True)
class SentStkm:
    """An STKM as it goes out, the name of the TEK in it, and the TEK."""

    datagram: Datagram
    ids: MbmsKeyIds
    key: TrafficKey


@lean_dataclass(frozen=True, slots=True)
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
        frames: Mapping[str, FrameSource],
    ) -> None:
        """Take what is sent, where TEKs come from, who makes STKMs, and the tables their management data follow.

        `frames` is what services play; one that is not in it plays its melody. Raises `HeadendError` for a protection
        that nothing here makes.
        """
        self._channels = {channel.service.id: channel for channel in channels}
        self._sources = {
            name: MediaSource(channel, keys, frames.get(name) or tone_frames(name))
            for name, channel in self._channels.items()
        }
        self._media_places = {
            name: Endpoint(channel.service.address, channel.service.port) for name, channel in self._channels.items()
        }
        self._last_stkms: dict[str, tuple[StkmSlot, SentStkm]] = {}  # by service, to be sent again
        self._keys = keys
        self._sealer = sealer
        self._tables = tables
        self._start = start.timestamp()
        self._stkm_port = stkm_port

    def order(self, slot: StkmSlot) -> StkmOrder:
        """Return the order for the STKM of a slot."""
        return self._order(slot, self._keys.traffic_key(slot.key, slot.mtk_id))

    def _order(self, slot: StkmSlot, key: TrafficKey) -> StkmOrder:
        channel = self._channels[slot.service.id]
        content = StkmContent(
            key_ids=slot.key.traffic_key_ids(slot.mtk_id),
            tek=carried_tek(channel, key, self._keys),
            salt=key.salt,
            counter=slot.counter,
            extension=stkm_extension(channel, slot, self._tables),
        )
        return StkmOrder(slot.service.id, content)

    def stkm(self, slot: StkmSlot) -> SentStkm:
        """Return the STKM of a slot. Raises `HeadendError` when whoever makes it has no key for it."""
        moment = self._start + slot.at / 1000
        last = self._last_stkms.get(slot.service.id)
        if slot.copy and last is not None and _is_same(slot, last[0]):
            return replace(last[1], datagram=replace(last[1].datagram, timestamp=moment))
        key = self._keys.traffic_key(slot.key, slot.mtk_id)
        order = self._order(slot, key)
        message = self._sealer.seal(order)
        place = Endpoint(slot.service.address, self._stkm_port)
        datagram = Datagram(moment, _SENDER, place, message)
        made = SentStkm(datagram, order.content.key_ids, key)
        self._last_stkms[slot.service.id] = slot, made
        return made

    def media(self, slot: MediaSlot) -> SentMedia:
        """Return the packet of a slot. Slots of a service come one after the other."""
        name = slot.service.id
        payload, packet = self._sources[name].packet(slot)
        moment = self._start + slot.at / 1000
        return SentMedia(Datagram(moment, _SENDER, self._media_places[name], packet), payload)


def _is_same(slot: StkmSlot, before: StkmSlot) -> bool:
    """Tell whether the STKM of a slot says what the one before said."""
    return (slot.mtk_id, slot.counter, slot.key) == (before.mtk_id, before.counter, before.key)
