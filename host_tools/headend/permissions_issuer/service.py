"""The HTTPS service that gives a binding key (16 bytes) to a terminal that may have it.

Mutual TLS: a terminal without a certificate of our authority gets no connection, one whose name is not on the list gets
403. It listens on the loopback interface only. provisional: the exchange is ours (`host_tools.exchange.messages.tbk`).
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.x509.oid import NameOID

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.messages.tbk import TbkRequest
from host_tools.exchange.procedures import TBK_REQUEST
from host_tools.headend.permissions_issuer.certificates import Certified, LabCa, server_context

LOOPBACK = "127.0.0.1"
_PATIENCE = 10.0  # seconds a client may take for each step
_MOST_CLIENTS = 32
_MOST_NOTED = 1024


class PermissionsIssuer:
    """Serves binding keys (16 bytes) by ID to the terminals named in `terminals`, while its `with` block runs.

    `served` notes who asked for which key and the status of the answer, the last ones only.
    """

    def __init__(
        self,
        certificate: Certified,
        ca: bytes,
        keys: Mapping[int, Secret],
        terminals: frozenset[str],
        port: int = 0,
    ) -> None:
        """Take the server's certificate, whom terminals must be certified by (PEM), and the port (0: any)."""
        self.keys = dict(keys)
        self.terminals = terminals
        self.served: list[tuple[str, int, HTTPStatus]] = []
        self._server = _Server((LOOPBACK, port), server_context(certificate, ca), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @classmethod
    def with_test_ca(
        cls, ca: LabCa, host: str, keys: Mapping[int, Secret], terminals: frozenset[str], port: int = 0
    ) -> Self:
        """Return an issuer for `host` that the authority certifies."""
        return cls(ca.certify_server([host]), ca.certificate, keys, terminals, port)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        return LOOPBACK, int(self._server.server_address[1])

    def answer(self, terminal: str, key_id: int) -> tuple[HTTPStatus, bytes]:
        """Return status and body for a terminal that asks for a key."""
        if terminal not in self.terminals:
            status, body = HTTPStatus.FORBIDDEN, b""
        elif key_id not in self.keys:
            status, body = HTTPStatus.NOT_FOUND, b""
        else:
            status, body = HTTPStatus.OK, self.keys[key_id].reveal()
        self.served.append((terminal, key_id, status))
        del self.served[:-_MOST_NOTED]
        return status, body

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingMixIn, HTTPServer):
    """One thread for each client; the TLS handshake is done there, so that a silent client holds up nobody."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, issuer: PermissionsIssuer) -> None:
        self.issuer = issuer
        self._context = context
        self._places = threading.BoundedSemaphore(_MOST_CLIENTS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        assert isinstance(request, socket.socket)
        request.settimeout(_PATIENCE)
        with self._context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that fails the handshake or goes away is no event of ours."""


class _Handler(BaseHTTPRequestHandler):
    """One request of one terminal."""

    server_version = "bcast-uicc"
    sys_version = ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Answer a request for a binding key."""
        assert isinstance(self.server, _Server)
        assert isinstance(self.connection, ssl.SSLSocket)
        try:
            key_id = TbkRequest.parse(self.path).key_id
        except DecodeError:
            self._reply(HTTPStatus.NOT_FOUND, b"")
            return
        terminal = _common_name(self.connection)
        self._reply(*self.server.issuer.answer(terminal, key_id))

    def log_message(self, format: str, *arguments: object) -> None:
        """Write nothing."""

    def _reply(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", TBK_REQUEST.answer)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _common_name(connection: ssl.SSLSocket) -> str:
    shown = connection.getpeercert(binary_form=True)
    names = x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME) if shown else []
    return str(names[0].value) if names else ""
