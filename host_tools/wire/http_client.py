"""A way to one HTTP server over TCP: blocking, one connection a request, everything bounded."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import suppress
from http import HTTPStatus

from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.transport import Endpoint
from host_tools.wire.limits import ClientLimits

_PIECE = 16_384


class _Line:
    """One connection, which another thread may cut."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.is_over = threading.Event()

    def secure(self, context: ssl.SSLContext, name: str) -> socket.socket:
        """Put TLS on it, and return the socket that stands for it from now on: the one before is none any more."""
        secured = self.socket = context.wrap_socket(self.socket, server_hostname=name, do_handshake_on_connect=False)
        if self.is_over.is_set():  # it may have been cut between the two sockets
            raise ConnectionAbortedError
        secured.do_handshake()
        return secured

    def cut(self) -> None:
        """End it, whatever is on its way."""
        self.is_over.set()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class _FinalResponse(http.client.HTTPResponse):
    """An answer behind interim ones: any 1xx may come first (RFC 7231 clause 6.2), http.client knows 100 alone."""

    def begin(self) -> None:
        """Read the head of the answer."""
        super().begin()
        while self.status // 100 == 1 and self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = None  # type: ignore[assignment]  # that of the interim one; with it nothing more is read
            super().begin()


class HttpTransport:
    """Sends requests to an address and port, whatever name `Host` has: names are resolved by whoever makes this."""

    def __init__(
        self,
        server: Endpoint,
        source: str = "",
        limits: ClientLimits | None = None,
        tls: ssl.SSLContext | None = None,
        tls_name: str = "",
    ) -> None:
        """Take where the server is, the own address ("" for any), the bounds, and for TLS the name to expect."""
        self._server = server
        self._source = source
        self._limits = limits or ClientLimits()
        self._tls = tls
        self._tls_name = tls_name

    def require_reachable(self) -> None:
        """Open a connection and close it. Raises `TransportError`."""
        self._connection().close()

    def exchange(self, request: HttpRequest) -> HttpResponse:
        """Send a request and return the answer. Raises `TransportError`."""
        where, line = self._where, _Line(self._connection())
        is_over = line.is_over
        # A limit for each read would let a server drip for ever: this one is for the whole exchange.
        guard = threading.Timer(self._limits.whole, line.cut)
        guard.daemon = True
        guard.start()
        connection = http.client.HTTPConnection(self._server.address, self._server.port)
        connection.response_class = _FinalResponse
        try:
            connection.sock = line.socket
            if self._tls is not None:
                connection.sock = line.secure(self._tls, self._tls_name)
            answer = self._ask(connection, request)
            if is_over.is_set():
                raise ConnectionAbortedError  # a cut connection can look like an answer that has ended
            return answer
        except (OSError, http.client.HTTPException, ValueError) as error:
            if is_over.is_set() or isinstance(error, TimeoutError):
                raise TransportError(f"{where} did not answer within {self._limits.whole:g} s") from None
            raise TransportError(f"{where} broke off: {_words(error)}") from None
        finally:
            guard.cancel()
            connection.close()
            line.socket.close()

    @property
    def _where(self) -> str:
        return f"{self._server.address}:{self._server.port}"

    def _connection(self) -> socket.socket:
        try:
            return socket.create_connection(
                (self._server.address, self._server.port), self._limits.whole, (self._source, 0)
            )
        except OSError as error:
            raise TransportError(f"no connection to {self._where}: {error.strerror or error}") from None

    def _ask(self, connection: http.client.HTTPConnection, request: HttpRequest) -> HttpResponse:
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value.encode("latin-1"))
        if request.body or request.method == "POST":
            connection.putheader("Content-Length", str(len(request.body)))
        connection.putheader("Connection", "close")
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        headers: Headers = tuple((name, _unfolded(value)) for name, value in answer.getheaders())
        return HttpResponse(answer.status, headers, self._body(answer), answer.reason)

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        body = bytearray()
        while piece := answer.read(_PIECE):
            body += piece
            if len(body) > self._limits.body_size:
                raise ValueError(f"its answer has more than {self._limits.body_size} octets")
        if answer.length:
            raise ValueError(f"its answer lacks {answer.length} octets")
        return bytes(body)


def _unfolded(value: str) -> str:
    return " ".join(value.split("\r\n")).strip() if "\r" in value or "\n" in value else value


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
