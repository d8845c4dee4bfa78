"""How the packets of an SRTP stream are laid out: suite, size of the authentication tag, size of the MKI.

The packets do not say it. SDP or a service guide would; whoever has only a capture says it on the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self, cast

from host_tools.content.rtp import looks_like_rtp, why_no_media
from host_tools.content.srtp.errors import SrtpError

if TYPE_CHECKING:
    from host_tools.content.captures.datagrams import Datagram
    from host_tools.content.protection import PacketOpener

KIND: Final = "srtp"

# MSK ID || MTK ID (TS 33.246 clause 6.6.2.1). It leaves the key domain out, which the announcement tells a terminal, so
# two domains must not use the same MSK IDs for media that one terminal receives.
MKI_SIZE = 6

MOST_MKI = 128  # libsrtp's own limit
_RTP_HEADER = 12


class SrtpSuite(Enum):
    """Cipher and authentication (RFC 4568 clause 6.2), as far as a TEK of 16 and a salt of 14 bytes fit."""

    AES_CM_128_HMAC_SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    AES_CM_128_HMAC_SHA1_32 = "AES_CM_128_HMAC_SHA1_32"

    @property
    def tag_size(self) -> int:
        """Size of the authentication tag in bytes."""
        return _TAG_SIZES[self]


_TAG_SIZES = MappingProxyType({SrtpSuite.AES_CM_128_HMAC_SHA1_80: 10, SrtpSuite.AES_CM_128_HMAC_SHA1_32: 4})


@dataclass(frozen=True, slots=True)
class SrtpFormat:
    """The suite of a stream, and the size of the MKI in its packets: 0 to 128 bytes, 0 for none."""

    suite: SrtpSuite = SrtpSuite.AES_CM_128_HMAC_SHA1_80
    mki_size: int = MKI_SIZE
    _tag_size: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tag_size", self.suite.tag_size)  # asked for at every packet

    @classmethod
    def parse(cls, item: Mapping[str, object]) -> Self:
        """Read what `as_dict` gives. Raises `KeyError`, `TypeError`, `ValueError`."""
        suite, mki_size = str(item["suite"]), int(cast("int", item["mki_length"]))
        if suite not in SrtpSuite.__members__ or not 0 <= mki_size <= MOST_MKI:
            raise ValueError("its media have a layout that does not exist")
        return cls(SrtpSuite[suite], mki_size)

    def as_dict(self) -> dict[str, object]:
        """Return suite and size of the MKI, ready for the index of a recording."""
        return {"suite": self.suite.name, "mki_length": self.mki_size}

    @property
    def kind(self) -> str:
        """The name of the protection, as a recording has it."""
        return KIND

    @property
    def names_key(self) -> bool:
        """Whether a packet says which TEK it needs: its MKI is MSK ID and MTK ID."""
        return self.mki_size == MKI_SIZE

    def key_name(self, unit: Datagram) -> bytes | None:
        """Return the MKI of a packet, None where it is too short."""
        try:
            return self.split(unit.payload)[0]
        except SrtpError:
            return None

    def why_not(self, unit: Datagram) -> str | None:
        """Return why a datagram is no SRTP packet, None where it may be one."""
        return why_no_media(unit.payload)

    def belongs(self, unit: Datagram) -> bool:
        """Tell whether a datagram is SRTP, or SRTCP on the same port."""
        return looks_like_rtp(unit.payload)

    def opener(self) -> PacketOpener:
        """Return an opener without keys. libsrtp is loaded here and not before."""
        from host_tools.content.srtp.protection import SrtpOpener

        return SrtpOpener(self)

    def split(self, packet: bytes) -> tuple[bytes, bytes]:
        """Return the MKI of a packet, and the packet without it. Raises `SrtpError` when it is too short.

        The MKI stands between the encrypted payload and the tag, which does not cover it (RFC 3711 clause 3.1).
        """
        end = len(packet) - self._tag_size
        start = end - self.mki_size
        if start < _RTP_HEADER:
            raise SrtpError(f"too short for an SRTP packet with {self._parts}")
        return packet[start:end], packet[:start] + packet[end:]

    def join(self, bare: bytes, mki: bytes) -> bytes:
        """Put the MKI into a packet that has none. Raises `SrtpError` for one of another size."""
        if len(mki) != self.mki_size:
            raise SrtpError(f"an MKI has {self.mki_size} bytes here, not {len(mki)}")
        end = len(bare) - self._tag_size
        return bare[:end] + mki + bare[end:]

    @property
    def _parts(self) -> str:
        tag = f"a tag of {self.suite.tag_size} bytes"
        return f"an MKI of {self.mki_size} and {tag}" if self.mki_size else tag


HEADEND_FORMAT = SrtpFormat()
"""What our head-end makes."""
