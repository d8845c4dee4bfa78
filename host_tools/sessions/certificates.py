"""Certificates of a served network: those that are in a folder, or those of a test authority made on the fly."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from card.disk.kinds import CERTIFICATE
from card.disk.reading import read_text
from host_tools.files.writing import told, write_whole
from host_tools.headend.permissions_issuer.certificates import Certified, LabCa
from host_tools.headend.permissions_issuer.service import server_context
from host_tools.headend.scenario.model import Scenario
from host_tools.sessions.errors import SessionError, Trouble

TERMINAL = "bcast-uicc"
"""The name in the certificate of the terminal."""
_AUTHORITY, _CERTIFICATE, _KEY = "ca.pem", "server.pem", "server.key"


@dataclass(frozen=True, slots=True)
class ServerContexts:
    """TLS of the BSF on Zn and of the BSM on Ua, whose clients must show a certificate, and of the BSF on Ub.

    A terminal that bootstraps need show none: its card shows who it is.
    """

    zn: ssl.SSLContext
    ua: ssl.SSLContext
    ub: ssl.SSLContext


def server_contexts(scenario: Scenario, folder: Path) -> ServerContexts:
    """Return the contexts of the servers.

    Where the folder has server.pem and server.key all servers show that certificate, and trust those that ca.pem has
    signed; nothing is written. Otherwise a test authority is made, and written are its certificate, one for a client of
    Zn, and one for a terminal. Raises `SessionError`, `UnusableFile`, `UnwritableFile`.
    """
    given = [name for name in (_CERTIFICATE, _KEY) if (folder / name).exists()]
    if not given:
        return _made(scenario, folder)
    missing = [name for name in (_AUTHORITY, _CERTIFICATE, _KEY) if not (folder / name).exists()]
    if missing:
        words = (
            f"{folder} has {given[0]} and no {missing[0]}: all of {_AUTHORITY}, {_CERTIFICATE} and {_KEY} are wanted"
        )
        raise SessionError(f"{words}, or neither of the server's, and certificates for tests are made", Trouble.INPUT)
    authority, certificate, key = (
        read_text(folder / name, CERTIFICATE).encode() for name in (_AUTHORITY, _CERTIFICATE, _KEY)
    )
    try:
        shown = Certified(certificate, key)
        asking, open_to_all = server_context(shown, authority), server_context(shown, None)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or "no PEM"
        raise SessionError(f"the certificates in {folder} cannot be used: {reason}", Trouble.INPUT) from None
    return ServerContexts(asking, asking, open_to_all)


def _made(scenario: Scenario, folder: Path) -> ServerContexts:
    ca = LabCa(datetime.now(UTC))
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _AUTHORITY, ca.certificate)
    ca.certify_naf(scenario.network.bsm_fqdn).write(folder / "naf")
    ca.certify_terminal(TERMINAL).write(folder / "terminal")
    bsf, bsm = (ca.certify_server([name]) for name in (scenario.network.bsf_name, scenario.network.bsm_fqdn))
    return ServerContexts(
        server_context(bsf, ca.certificate), server_context(bsm, ca.certificate), server_context(bsf, None)
    )
