"""TLS-PSK in memory on either side, by Python's `ssl` (RFC 4279, TLS 1.2).

Python 3.13 and later can do it alone; before that the package `sslpsk3` lends `ssl` the two missing callbacks.
"""

from __future__ import annotations

import contextlib
import importlib
import ssl
import sys
from typing import Any

from card.crypto.secret import Secret
from card.errors import TlsFailure, TlsUnavailable

CIPHERS = "ECDHE-PSK-CHACHA20-POLY1305:PSK-AES128-GCM-SHA256"
"""AEAD suites only; the first gives forward secrecy."""
_LARGEST_READ = 1 << 14

WHAT_IS_MISSING = "TLS-PSK needs Python 3.13 or later, or on older ones the package sslpsk3 (the extra “tls”)"


def has_tls_psk() -> bool:
    """Tell whether this Python can do TLS-PSK."""
    try:
        _context_class()
    except TlsUnavailable:
        return False
    return True


class TlsEnd:
    """One end of a TLS connection: bytes that came in, bytes to go out, nothing in between but OpenSSL."""

    def __init__(self, context: Any, *, server: bool) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._connection: ssl.SSLObject = context.wrap_bio(self._incoming, self._outgoing, server_side=server)
        if hasattr(context, "setup_psk_callbacks"):
            # sslpsk3 would do this again at every step of the handshake, which begins it anew.
            context.setup_psk_callbacks(self._connection)
        self.established = False

    def begin(self) -> bytes:
        """Return the first flight of a client."""
        self._handshake()
        return self.flight()

    def receive(self, records: bytes) -> bytes:
        """Take records in; return the text in them, nothing while the handshake goes on. Raises `TlsFailure`."""
        self._incoming.write(records)
        if not self.established:
            self._handshake()
            return b""
        return self._read()

    def send(self, text: bytes) -> bytes:
        """Return the records that carry `text`. Raises `TlsFailure`."""
        try:
            self._connection.write(text)
        except ssl.SSLError:
            raise TlsFailure from None
        return self.flight()

    def goodbye(self) -> bytes:
        """Return the record that closes the connection."""
        with contextlib.suppress(ssl.SSLError):  # the other side has not said goodbye yet, and need not
            self._connection.unwrap()
        return self.flight()

    def flight(self) -> bytes:
        """Return the records that wait to go out."""
        return self._outgoing.read()

    def _handshake(self) -> None:
        try:
            ssl.SSLObject.do_handshake(self._connection)
            self.established = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            raise TlsFailure from None

    def _read(self) -> bytes:
        text = b""
        try:
            while part := self._connection.read(_LARGEST_READ):
                text += part
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            raise TlsFailure from None
        if not text:
            raise TlsFailure("records without text")
        return text


def open_server(psk: Secret, identity: str) -> TlsEnd:
    """Return the server end for the one client that has this identity and key. Raises `TlsUnavailable`."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    context.set_psk_server_callback(lambda name: psk.reveal() if name == identity else b"")
    return TlsEnd(context, server=True)


def open_client(psk: Secret, identity: str) -> TlsEnd:
    """Return the client end. Raises `TlsUnavailable`."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.set_psk_client_callback(lambda _hint: (identity, psk.reveal()))
    return TlsEnd(context, server=False)


def _context(side: int) -> Any:
    context = _context_class()(side)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the shared key is the authentication; there are no certificates
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(CIPHERS)
    return context


def _context_class() -> Any:
    if sys.version_info >= (3, 13) and ssl.HAS_PSK:
        return ssl.SSLContext
    try:
        return importlib.import_module("sslpsk3").SSLPSKContext
    except ImportError:
        raise TlsUnavailable(WHAT_IS_MISSING) from None
