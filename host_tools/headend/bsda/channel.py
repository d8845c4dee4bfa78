"""One service as the BSD/A sends it: where it goes, its stream, its programmes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.tone import SAMPLE_RATE, mulaw_frames
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.content.srtp.receiver import SrtpSender
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.media_stream import MediaStream
from host_tools.headend.bsda.ports import TrafficKeys
from host_tools.headend.bsda.slots import FRAME_MILLISECONDS, MediaSlot
from host_tools.headend.services import Programme, Service

_FRAME_SAMPLES = SAMPLE_RATE * FRAME_MILLISECONDS // 1000


@dataclass(frozen=True, slots=True)
class Channel:
    """A service, its RTP stream, its rated programmes, and the length of its crypto periods in milliseconds."""

    service: Service
    stream: MediaStream
    programmes: tuple[Programme, ...]
    crypto_period: int


class MediaSource:
    """The melody of one channel as RTP packets under changing traffic keys."""

    def __init__(self, channel: Channel, keys: TrafficKeys) -> None:
        self._keys = keys
        self._payload_type = channel.service.payload_type
        self._stream = channel.stream
        self._frames: Iterator[bytes] = mulaw_frames(channel.service.id, _FRAME_SAMPLES)
        self._sender = SrtpSender(HEADEND_FORMAT)
        self._mki = b""
        self._key: TrafficKey | None = None

    def packet(self, number: int) -> RtpPacket:
        """Return the next packet, whose number is `number`."""
        return RtpPacket(
            payload_type=self._payload_type,
            sequence=self._stream.sequence(number),
            timestamp=(self._stream.first_timestamp + number * _FRAME_SAMPLES) % (1 << 32),
            ssrc=self._stream.ssrc,
            payload=next(self._frames),
            marker=number == 0,
        )

    def protect(self, packet: RtpPacket, slot: MediaSlot) -> bytes:
        """Return the packet under the traffic key of its crypto period."""
        mki = tek_name(slot.key.msk_id, slot.mtk_id.to_bytes(2, "big"))
        if self._key is None or mki != self._mki:
            self._key, self._mki = self._keys.traffic_key(slot.key, slot.mtk_id), mki
        return self._sender.protect(packet.encode(), mki, self._key)
