"""Session descriptions (RFC 4566) of a service: its media streams, and the streams of STKMs beside them.

A key stream has a media line of its own, `m=data PORT UDP vnd.oma.bcast.stkm`, and a media stream says with
`a=stkmstream` by which of them its keys come (RFC 5159, TS 26.234 annex R). Of the parameters of a key stream only
`streamid` is read in a text; `kmstype` and `serviceprovider` are recalled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address

from card.errors import EncodeError
from host_tools.guide.names import KEY_STREAM_FORMAT, KmsType

_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z/-]+")
MOST_STREAM_ID = 0xFFFF
"""Of a key stream; ours."""


class Profile(Enum):
    """How RTP travels (TS 26.346 clause 7.3)."""

    AVP = "RTP/AVP"
    SAVP = "RTP/SAVP"
    FEC_AVP = "UDP/MBMS-FEC/RTP/AVP"
    FEC_SAVP = "UDP/MBMS-FEC/RTP/SAVP"


@dataclass(frozen=True, slots=True)
class MediaStream:
    """An RTP stream: kind of media, where it goes, payload type and its name, such as `PCMU/8000`.

    `key_streams` are the IDs of the key streams with its keys. `authentication` and `roll_over_rate` are those of
    RFC 4771, None where the stream does not carry its roll-over counter. `parameters` is what `a=fmtp` says of the
    payload type.
    """

    kind: str
    address: str
    port: int
    payload_type: int
    encoding: str = ""
    profile: Profile = Profile.AVP
    key_streams: tuple[int, ...] = ()
    authentication: int | None = None
    roll_over_rate: int | None = None
    parameters: str = ""

    @property
    def flow_id(self) -> str:
        """The name of the stream in a security description (TS 26.346 clause 11.3)."""
        return flow_id(self.address, self.port)


@dataclass(frozen=True, slots=True)
class KeyStream:
    """A stream of STKMs: where it goes, its ID, whose keys it carries. `kms_type` is a text where it is unknown."""

    address: str
    port: int
    stream_id: int
    kms_type: KmsType | str | None = KmsType.GBA_U
    service_provider: str = ""


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """What an SDP says. `ttl` goes with IPv4 multicast; `source` is the only sender that is listened to, if named."""

    name: str
    media: tuple[MediaStream, ...]
    key_streams: tuple[KeyStream, ...] = ()
    session_id: int = 1
    version: int = 1
    origin: str = "127.0.0.1"
    ttl: int = 1
    source: str | None = None
    bcast_version: str | None = "1.0"

    def keys_of(self, stream: MediaStream) -> tuple[KeyStream, ...]:
        """Return the key streams of a media stream; one that names none may have its keys in any (same annex)."""
        if not stream.key_streams:
            return self.key_streams
        return tuple(found for found in self.key_streams if found.stream_id in stream.key_streams)

    def encode(self) -> bytes:
        """Return the description, lines ending in CR LF. Raises `EncodeError` for what does not fit a line."""
        try:
            return "".join(f"{_checked(line)}\r\n" for line in self._lines()).encode()
        except ValueError as error:
            raise EncodeError(f"no session description: {error}") from None

    def _lines(self) -> Iterator[str]:
        yield "v=0"
        yield f"o=- {self.session_id} {self.version} {_network(self.origin)}"
        yield f"s={self.name or '-'}"
        yield "t=0 0"
        if self.source is not None:
            # One for all addresses, at session level (TS 26.346 clause 7.3).
            yield f"a=source-filter: incl IN {_family(self.source)} * {self.source}"
        if self.bcast_version is not None:
            yield f"a=bcastversion:{self.bcast_version}"
        for stream in self.media:
            yield from self._media(stream)
        for key_stream in self.key_streams:
            yield from self._key_stream(key_stream)

    def _media(self, stream: MediaStream) -> Iterator[str]:
        kind = stream.payload_type
        if not _TOKEN.fullmatch(stream.kind) or not 0 <= kind < 128:
            raise ValueError("a media line has a kind of media and a payload type from 0 to 127")
        yield f"m={stream.kind} {_port(stream.port)} {stream.profile.value} {kind}"
        yield self._connection(stream.address)
        if stream.encoding:
            yield f"a=rtpmap:{kind} {stream.encoding}"
        if stream.parameters:
            yield f"a=fmtp:{kind} {stream.parameters}"
        for stream_id in stream.key_streams:
            yield f"a=stkmstream:{stream_id}"
        if stream.authentication is not None:
            yield f"a=SRTPAuthentication:{stream.authentication}"
        if stream.roll_over_rate is not None:
            yield f"a=SRTPROCTxRate:{stream.roll_over_rate}"

    def _key_stream(self, stream: KeyStream) -> Iterator[str]:
        if not 0 <= stream.stream_id <= MOST_STREAM_ID:
            raise ValueError(f"a key stream has an ID from 0 to {MOST_STREAM_ID}")
        yield f"m=data {_port(stream.port)} UDP {KEY_STREAM_FORMAT}"
        yield self._connection(stream.address)
        said = [f"streamid={stream.stream_id}"]
        if stream.kms_type is not None:
            kms_type = stream.kms_type
            said.append(f"kmstype={kms_type.value if isinstance(kms_type, KmsType) else kms_type}")
        if stream.service_provider:
            said.append(f"serviceprovider={stream.service_provider}")
        yield f"a=fmtp:{KEY_STREAM_FORMAT} {'; '.join(said)}"

    def _connection(self, address: str) -> str:
        found = ip_address(address)
        scope = f"/{self.ttl}" if found.is_multicast and found.version == 4 else ""
        return f"c={_network(address)}{scope}"


def flow_id(address: str, port: int) -> str:
    """Return the name of a flow: address, slash, port; IPv6 without brackets (TS 26.346 clause 11.3)."""
    return f"{address}/{port}"


def _network(address: str) -> str:
    return f"IN {_family(address)} {address}"


def _family(address: str) -> str:
    return f"IP{ip_address(address).version}"


def _port(port: int) -> int:
    if not 0 < port < 65_536:
        raise ValueError("a port is a number from 1 to 65535")
    return port


def _checked(line: str) -> str:
    if not _ONE_LINE.fullmatch(line):
        raise ValueError("a text of it holds a control character")
    return line
