"""TLS with certificates on both sides for tests: an authority, a server's context, a terminal's."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

from host_tools.headend.permissions_issuer.certificates import LabCa, server_context


class LabTls:
    """An authority that certifies servers and terminals."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = LabCa(datetime.now(UTC))

    @property
    def ca(self) -> bytes:
        """The certificate to trust, in PEM."""
        return self._ca.certificate

    def server(self, name: str) -> ssl.SSLContext:
        return server_context(self._ca.certify_server([name]), self._ca.certificate)

    def terminal(self, name: str) -> ssl.SSLContext:
        """Return the context of a terminal with a certificate for this name."""
        context = ssl.create_default_context(cadata=self._ca.certificate.decode())
        context.load_cert_chain(*map(str, self._ca.certify_terminal(name).write(self._folder / name)))
        return context
