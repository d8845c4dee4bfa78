"""Finds what can be tuned to: in an announcement at a URL, in files, or at the BSM of a network by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from card.disk import kinds
from card.disk.reading import read_bytes
from card.errors import DecodeError, UnusableFile
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest
from host_tools.exchange.procedures import ANNOUNCEMENT
from host_tools.exchange.transport import Endpoint
from host_tools.guide.entry import Library, by_usd
from host_tools.guide.sdp_reading import decode_sdp
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.terminal.programme import Programme
from host_tools.wire.http_client import HttpTransport

_HTTP_PORT = 80
_OK = 200
_LOOPBACK = "127."
_SDP_START = b"v=0"


class _UnreachableError(LookupError):
    """A document could not be had because its server is not there."""


class WebLibrary:
    """Documents behind http URLs; `places` says where servers are, by name.

    They are asked for from the own `address`, by which a server may choose the documents that fit it. One of this
    computer alone does not lead to servers elsewhere and is not used there.
    """

    def __init__(self, places: Mapping[str, Endpoint], address: str) -> None:
        self._places = places
        self._address = address

    def document(self, uri: str) -> bytes:
        """Fetch a document. Raises `LookupError` with the reason."""
        try:
            found = urlsplit(uri)
            host, port = found.hostname or "", found.port or _HTTP_PORT
        except ValueError:
            raise LookupError(f"{uri}: no URL") from None
        if found.scheme != "http" or not host:
            raise LookupError(f"{uri}: an http URL is wanted")
        place = self._places.get(host, Endpoint(host, port))
        target = (found.path or "/") + (f"?{found.query}" if found.query else "")
        request = HttpRequest(ANNOUNCEMENT.method, target, (("Host", found.netloc),))
        try:
            answer = HttpTransport(place, self._source(place)).exchange(request)
        except TransportError as error:
            raise _UnreachableError(str(error)) from None
        if answer.status != _OK:
            raise LookupError(f"{uri}: the server answered {answer.status}")
        return answer.body

    def _source(self, place: Endpoint) -> str:
        is_near = place.address.startswith(_LOOPBACK)
        return self._address if is_near == self._address.startswith(_LOOPBACK) else ""


class FileLibrary:
    """Documents in files, by their paths."""

    def document(self, uri: str) -> bytes:
        """Read a document. Raises `LookupError` with the reason."""
        try:
            return read_bytes(Path(uri), kinds.ANNOUNCEMENT)
        except UnusableFile as error:
            raise LookupError(str(error)) from None


def programmes_at(target: str, library: Library) -> tuple[Programme, ...]:
    """Return the services that a session description or a user service description announces. Raises `SessionError`."""
    try:
        body = library.document(target)
        if body.lstrip()[:3] == _SDP_START:
            session = decode_sdp(body)
            return (Programme(session.name, session),)
        return tuple(Programme.of_entry(entry) for entry in by_usd(body, target, library) if entry.session.media)
    except (LookupError, DecodeError) as error:
        reason = error.args[0] if error.args else error
        trouble = Trouble.ENVIRONMENT if isinstance(error, _UnreachableError) else Trouble.INPUT
        raise SessionError(f"{target}: no service to tune to: {reason}.", trouble) from None


def guide_of(place: Endpoint) -> str:
    """Return the URL of the announcement at a server."""
    return urljoin(f"http://{place.address}:{place.port}", ANNOUNCEMENT.target)
