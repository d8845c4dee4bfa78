"""One service as the BSD/A sends it: where it goes, its stream, its programmes, and its media under traffic keys."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.content.protection import PacketSealer
from host_tools.content.registry import PacketProtection
from host_tools.content.rtp import RtpPacket
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.frames import FRAME_SAMPLES, FrameSource
from host_tools.headend.bsda.media_stream import MediaStream
from host_tools.headend.bsda.ports import TrafficKeys
from host_tools.headend.bsda.slots import MediaSlot
from host_tools.headend.errors import HeadendError
from host_tools.headend.services import Programme, Service


@dataclass(frozen=True, slots=True)
class Channel:
    """A service, its RTP stream, its rated programmes, and the length of its crypto periods in milliseconds.

    `protection` is how its packets are protected, `round_periods` after how many crypto periods the programmes begin
    anew.
    """

    service: Service
    stream: MediaStream
    programmes: tuple[Programme, ...]
    crypto_period: int
    protection: PacketProtection
    round_periods: int

    def sealer(self) -> PacketSealer:
        """Return what protects its packets. Raises `HeadendError` where nothing here can."""
        if self.protection.make_sealer is None:
            raise HeadendError(f"{self.protection.kind} can be opened here, but nothing makes it")
        return self.protection.make_sealer()


class MediaSource:
    """The media of one channel as RTP packets under changing traffic keys."""

    def __init__(self, channel: Channel, keys: TrafficKeys, frames: FrameSource) -> None:
        """Take the channel, where its traffic keys come from, and what is played."""
        self._keys = keys
        self._payload_type = channel.service.payload_type
        self._stream = channel.stream
        self._frames = frames
        self._sealer = channel.sealer()
        self._mki = b""
        self._key: TrafficKey | None = None

    def packet(self, number: int) -> RtpPacket:
        """Return the packet whose number is `number`."""
        return RtpPacket(
            payload_type=self._payload_type,
            sequence=self._stream.sequence(number),
            timestamp=(self._stream.first_timestamp + number * FRAME_SAMPLES) % (1 << 32),
            ssrc=self._stream.ssrc,
            payload=self._frames.frame(number),
            marker=number == 0,
        )

    def protect(self, packet: RtpPacket, slot: MediaSlot) -> bytes:
        """Return the packet under the traffic key of its crypto period. Raises `MediaError`."""
        mki = tek_name(slot.key.msk_id, slot.mtk_id.to_bytes(2, "big"))
        if self._key is None or mki != self._mki:
            self._key, self._mki = self._keys.traffic_key(slot.key, slot.mtk_id), mki
        return self._sealer.seal(packet, self._stream.wraps_before(slot.number), mki, self._key)
