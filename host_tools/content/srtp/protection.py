"""SRTP as a packet protection: the answers of a receiver as the port has them."""

from __future__ import annotations

from host_tools.content.captures.datagrams import Datagram
from host_tools.content.errors import RtpError, UnusableKeyError
from host_tools.content.protection import REPEATED, Failed, NeedsKey, Opened, Opening
from host_tools.content.rtp import RtpPacket
from host_tools.content.srtp.errors import ReplayedPacket, SrtpError, UnknownTrafficKey
from host_tools.content.srtp.format import SrtpFormat
from host_tools.content.srtp.keys import TEK_SIZE
from host_tools.content.srtp.receiver import SrtpReceiver, SrtpSender
from host_tools.content.traffic_key import TrafficKey

_OTHER_INSIDE = Failed("authentic, but no RTP inside")


class SrtpOpener:
    """Opens SRTP packets of one layout, of any number of sources."""

    def __init__(self, packet_format: SrtpFormat) -> None:
        self._receiver = SrtpReceiver(packet_format)

    def add_key(self, name: bytes, key: TrafficKey) -> None:
        """Take a key and its MKI (6 bytes). Raises `UnusableKeyError`."""
        if len(key.tek) != TEK_SIZE:
            raise UnusableKeyError("SRTP here plays traffic keys of 16 bytes only, not the 24 or 32 that the card gave")
        try:
            self._receiver.add_key(name, key)
        except SrtpError as error:
            raise UnusableKeyError(str(error)) from None

    def forget_key(self, name: bytes) -> None:
        """Drop a key and what came from it."""
        self._receiver.forget_key(name)

    def open_next(self, unit: Datagram) -> RtpPacket | None:
        """Return the RTP packet inside the very next packet of a known source; None leaves the others to `open`."""
        return self._receiver.open_next(unit.payload)

    def open(self, unit: Datagram, newest: bytes | None = None) -> Opening:
        """Return the RTP packet inside, or why there is none."""
        try:
            plain = self._receiver.unprotect(unit.payload, newest)
        except UnknownTrafficKey as unknown:
            return NeedsKey(unknown.mki)
        except ReplayedPacket:
            return REPEATED
        except SrtpError as error:
            return Failed(str(error))
        try:
            return Opened((RtpPacket.decode(plain),))
        except RtpError:
            return _OTHER_INSIDE


class SrtpSealer:
    """Protects the packets of one source with SRTP of one layout; the name of a key is its MKI."""

    def __init__(self, packet_format: SrtpFormat) -> None:
        self._sender = SrtpSender(packet_format)
        self._key: TrafficKey | None = None  # the last one that fitted

    def seal(self, packet: bytes, index: int, name: bytes, key: TrafficKey) -> bytes:
        """Return the SRTP packet. Raises `UnusableKeyError` for a key of a wrong size, `SrtpError`."""
        if key is not self._key:
            if len(key.tek) != TEK_SIZE:
                raise UnusableKeyError(f"SRTP here needs traffic keys of {TEK_SIZE} bytes, not {len(key.tek)}")
            self._key = key
        return self._sender.protect_at(index, packet, name, key)
