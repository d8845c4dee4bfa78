"""Reads session descriptions as they come from anybody: lines in any order within a section, unknown ones passed over.

Lines that a reader must take stand in TS 26.346 clauses 7.3 and 8.3. Media lines of other transports, such as FLUTE,
are passed over; so is a media line with port 0, which is a stream that is refused (RFC 3264 clause 6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from card.errors import DecodeError
from host_tools.guide.names import KEY_STREAM_FORMAT, KmsType
from host_tools.guide.sdp import MOST_STREAM_ID, KeyStream, MediaStream, Profile, SessionDescription

LARGEST_SDP = 16_384
"""Octets of a session description; ours."""
_MOST_LINES = 512
_MOST_MEDIA = 32
_LONGEST_NAME = 128
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_PROFILES = {profile.value: profile for profile in Profile}
_KMS_TYPES = {kms_type.value: kms_type for kms_type in KmsType}


@dataclass(slots=True)
class _Section:
    """The lines of the session, or of one medium: the text behind `m=`, the address, attributes by name."""

    media: str = ""
    address: str | None = None
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def numbers(self, name: str, most: int) -> tuple[int, ...]:
        return tuple(_number(value.split()[0] if value else "", name, most) for value in self.attributes.get(name, ()))

    def format_parameters(self, wanted: str) -> str:
        """Return what `a=fmtp` says of a format."""
        for value in self.attributes.get("fmtp", ()):
            found, _, rest = value.partition(" ")
            if found == wanted:
                return rest.strip()
        return ""


def decode_sdp(body: bytes) -> SessionDescription:
    """Read a session description. Raises `DecodeError`."""
    if len(body) > LARGEST_SDP:
        raise DecodeError(f"the session description has {len(body)} octets, more than {LARGEST_SDP}")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise DecodeError("the session description is not in UTF-8") from None
    lines = re.split(r"\r\n|\n|\r", text)
    if len(lines) > _MOST_LINES:
        raise DecodeError(f"the session description has more than {_MOST_LINES} lines")
    if lines[0] != "v=0":
        raise DecodeError("a session description begins with v=0")
    return _Reader().read(lines[1:])


class _Reader:
    """Takes the lines one by one."""

    def __init__(self) -> None:
        self._session = _Section()
        self._sections: list[_Section] = []
        self._name = ""
        self._origin = (1, 1, "127.0.0.1")
        self._ttl = 1

    def read(self, lines: list[str]) -> SessionDescription:
        for line in filter(None, lines):
            if line[1:2] != "=":
                raise DecodeError("a line of the session description is not a letter, an equals sign and a value")
            self._line(line[0], line[2:])
        session_id, version, origin = self._origin
        source, bcast = self._session.attributes.get("source-filter"), self._session.attributes.get("bcastversion")
        return SessionDescription(
            name=self._name,
            media=tuple(self._streams()),
            key_streams=tuple(self._key_streams()),
            session_id=session_id,
            version=version,
            origin=origin,
            ttl=self._ttl,
            source=_source(source[0]) if source else None,
            bcast_version=bcast[0][:16] if bcast else None,
        )

    def _line(self, kind: str, value: str) -> None:
        section = self._sections[-1] if self._sections else self._session
        match kind:
            case "o":
                self._origin = _origin(value)
            case "s":
                self._name = "" if value.strip() == "-" else value.strip()[:_LONGEST_NAME]
            case "c":
                section.address, ttl = _connection(value)
                self._ttl = ttl if ttl is not None else self._ttl
            case "a":
                name, _, said = value.partition(":")
                section.attributes.setdefault(name.strip(), []).append(said.strip())
            case "m":
                if len(self._sections) == _MOST_MEDIA:
                    raise DecodeError(f"the session description has more than {_MOST_MEDIA} media")
                self._sections.append(_Section(value))

    def _streams(self) -> Iterator[MediaStream]:
        for section, parts in self._media():
            profile = _PROFILES.get(parts[2])
            port = _number(parts[1].partition("/")[0], "the port of a medium", 65_535)
            if profile is None or port == 0:
                continue
            kind = _number(parts[3], "a payload type", 127)
            named = section.numbers("stkmstream", MOST_STREAM_ID)
            yield MediaStream(
                kind=parts[0],
                address=self._address(section),
                port=port,
                payload_type=kind,
                encoding=_encoding(section, kind),
                profile=profile,
                key_streams=named or self._session.numbers("stkmstream", MOST_STREAM_ID),
                authentication=next(iter(section.numbers("SRTPAuthentication", 0xFFFF)), None),
                roll_over_rate=next(iter(section.numbers("SRTPROCTxRate", 0xFFFF)), None),
                parameters=section.format_parameters(parts[3]),
            )

    def _key_streams(self) -> Iterator[KeyStream]:
        seen: set[int] = set()
        for section, parts in self._media():
            if parts[2].upper() != "UDP" or KEY_STREAM_FORMAT not in (part.lower() for part in parts[3:]):
                continue
            port = _number(parts[1].partition("/")[0], "the port of a key stream", 65_535)
            if port == 0:
                continue
            said = _parameters(section.format_parameters(KEY_STREAM_FORMAT))
            stream_id = _number(said.get("streamid", ""), "streamid of a key stream", MOST_STREAM_ID)
            if stream_id in seen:
                raise DecodeError(f"two key streams have the streamid {stream_id}")
            seen.add(stream_id)
            kms = said.get("kmstype")
            kms_type = None if kms is None else _KMS_TYPES.get(kms.lower(), kms[:64])
            provider = said.get("serviceprovider", "")[:_LONGEST_NAME]
            yield KeyStream(self._address(section), port, stream_id, kms_type, provider)

    def _media(self) -> Iterator[tuple[_Section, list[str]]]:
        for section in self._sections:
            parts = section.media.split()
            if len(parts) < 4:
                raise DecodeError("a media line has a kind, a port, a transport and a format")
            yield section, parts

    def _address(self, section: _Section) -> str:
        found = section.address or self._session.address
        if found is None:
            raise DecodeError("a medium has no address: a line c= is wanted")
        return found


def _origin(value: str) -> tuple[int, int, str]:
    parts = value.split()
    if len(parts) != 6:
        raise DecodeError("the line o= has six parts")
    most = (1 << 63) - 1
    return _long(parts[1], most), _long(parts[2], most), parts[5][:255]


def _long(text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text, re.ASCII) or int(text) > most:
        raise DecodeError("the numbers of the line o= are not decimal numbers of 63 bits")
    return int(text)


def _connection(value: str) -> tuple[str, int | None]:
    """Return address and TTL, None where there is none."""
    parts = value.split()
    if len(parts) != 3 or parts[0] != "IN":
        raise DecodeError("a line c= has the parts IN, IP4 or IP6, and an address")
    address, _, scope = parts[2].partition("/")
    text = _address(address)
    if not scope or ":" in text:
        return text, None
    return text, _number(scope.partition("/")[0], "the TTL of an address", 255)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise DecodeError("an address of the session description is no IP address") from None


def _source(value: str) -> str | None:
    """Return the only source of `incl IN IP4 * SOURCE`, None for a filter of another kind (RFC 4570)."""
    parts = value.split()
    return _address(parts[4]) if len(parts) == 5 and parts[0] == "incl" else None


def _encoding(section: _Section, kind: int) -> str:
    for value in section.attributes.get("rtpmap", ()):
        found, _, name = value.partition(" ")
        if found == str(kind):
            return name.strip()[:_LONGEST_NAME]
    return ""


def _parameters(text: str) -> dict[str, str]:
    """Return `name=value` pairs between semicolons; names in lower case, as their case does not count."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _number(text: str, what: str, most: int) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise DecodeError(f"{what} is no number from 0 to {most}")
    return int(text)
