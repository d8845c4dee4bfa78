"""One service as the BSD/A sends it: where it goes, its stream, its programmes, and its media under traffic keys."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.content.protection import PacketSealer
from host_tools.content.registry import PacketProtection
from host_tools.content.rtp import MARKER, PLAIN, SEQUENCES, write_header
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.frames import FRAME_SAMPLES, FrameSource
from host_tools.headend.bsda.media_stream import MediaStream
from host_tools.headend.bsda.ports import TrafficKeys
from host_tools.headend.bsda.slots import MediaSlot
from host_tools.headend.errors import HeadendError
from host_tools.headend.service_keys import KeyTerm
from host_tools.headend.services import Programme, Service

_TIMESTAMPS = 1 << 32


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
        self._term: KeyTerm | None = None
        self._mtk_id = 0
        self._mki = b""
        self._key: TrafficKey | None = None

    def packet(self, slot: MediaSlot) -> tuple[bytes, bytes]:
        """Return the payload of a slot, and the packet with it under the traffic key of its crypto period.

        Raises `MediaError`.
        """
        if self._key is None or slot.mtk_id != self._mtk_id or slot.key is not self._term:
            self._key = self._keys.traffic_key(slot.key, slot.mtk_id)
            self._term, self._mtk_id = slot.key, slot.mtk_id
            self._mki = tek_name(slot.key.msk_id, slot.mtk_id.to_bytes(2, "big"))
        number, stream = slot.number, self._stream
        index = stream.first_sequence + number
        timestamp = (stream.first_timestamp + number * FRAME_SAMPLES) % _TIMESTAMPS
        kind = self._payload_type if number else self._payload_type | MARKER
        payload = self._frames.frame(number)
        packet = write_header(PLAIN, kind, index % SEQUENCES, timestamp, stream.ssrc) + payload
        return payload, self._sealer.seal(packet, index, self._mki, self._key)
