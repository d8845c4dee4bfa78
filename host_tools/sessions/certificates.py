"""Certificates of a served network: those that are in a folder, or those of a test authority made on the fly."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from card.disk.kinds import CERTIFICATE
from card.disk.reading import read_text
from host_tools.files.writing import told, write_whole
from host_tools.headend.permissions_issuer.certificates import Certified, LabCa, client_context, server_context
from host_tools.headend.scenario.model import Scenario
from host_tools.sessions.errors import SessionError, Trouble

TERMINAL = "bcast-uicc"
"""The name in the certificate of the terminal."""
_AUTHORITY, _SERVER, _BSDA = "ca.pem", "server", "bsda"


@dataclass(frozen=True, slots=True)
class NetworkTls:
    """TLS of the BSF on Zn and of the BSM on Ua, whose clients must show a certificate, and of the BSF on Ub.

    A terminal that bootstraps need show none: its card shows who it is. With `to_bsda` the BSM is a client itself.
    """

    zn: ssl.SSLContext
    ua: ssl.SSLContext
    ub: ssl.SSLContext
    to_bsda: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class BsdaTls:
    """TLS of a BSD/A with certificates on both sides: as a client of the BSM, and as a server."""

    to_bsm: ssl.SSLContext
    own: ssl.SSLContext


def bsda_name(scenario: Scenario) -> str:
    """Return the name that the certificate of a BSD/A has; it is ours."""
    return f"bsda.{scenario.network.bsm_fqdn}"


def network_tls(scenario: Scenario, folder: Path) -> NetworkTls:
    """Return the TLS of a network.

    Where the folder has server.pem and server.key that certificate is shown everywhere, and whom ca.pem has signed is
    trusted; nothing is written. Otherwise a test authority is made, and written are its certificate, one for a client
    of Zn, one for a terminal, and one for a BSD/A. Raises `SessionError`, `UnusableFile`, `UnwritableFile`.
    """
    if not any(path.exists() for path in _pair(folder, _SERVER)):
        return _made(scenario, folder)
    otherwise = ", or neither of the server's, and certificates for tests are made"
    authority, shown = _given(folder, _SERVER, otherwise)
    asking, client = _contexts(folder, authority, shown)
    return NetworkTls(asking, asking, server_context(shown, None), client)


def bsda_tls(folder: Path) -> BsdaTls:
    """Return the TLS of a BSD/A from ca.pem, bsda.pem and bsda.key. Raises `SessionError`, `UnusableFile`."""
    server, client = _contexts(folder, *_given(folder, _BSDA))
    return BsdaTls(client, server)


def _pair(folder: Path, stem: str) -> tuple[Path, Path]:
    return folder / f"{stem}.pem", folder / f"{stem}.key"


def _given(folder: Path, stem: str, otherwise: str = "") -> tuple[bytes, Certified]:
    """Return the authority's certificate and the certificate with its key. Raises `SessionError`, `UnusableFile`."""
    paths = (folder / _AUTHORITY, *_pair(folder, stem))
    there = [path.name for path in paths[1:] if path.exists()]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        names = f"{paths[0].name}, {paths[1].name} and {paths[2].name}"
        has = f"has {there[0]} and no" if there else "has no"
        words = f"{folder} {has} {missing[0]}: all of {names} are wanted{otherwise}"
        raise SessionError(words, Trouble.INPUT)
    authority, certificate, key = (read_text(path, CERTIFICATE).encode() for path in paths)
    return authority, Certified(certificate, key)


def _contexts(folder: Path, authority: bytes, certificate: Certified) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server and of a client. Raises `SessionError`."""
    try:
        return server_context(certificate, authority), client_context(certificate, authority)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or "no PEM"
        raise SessionError(f"the certificates in {folder} cannot be used: {reason}", Trouble.INPUT) from None


def _made(scenario: Scenario, folder: Path) -> NetworkTls:
    ca = LabCa(datetime.now(UTC))
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _AUTHORITY, ca.certificate)
    names = scenario.network
    ca.certify_naf(names.bsm_fqdn).write(folder / "naf")
    ca.certify_terminal(TERMINAL).write(folder / "terminal")
    ca.certify_both(bsda_name(scenario)).write(folder / _BSDA)
    bsf, bsm = ca.certify_server([names.bsf_name]), ca.certify_both(names.bsm_fqdn)
    return NetworkTls(
        server_context(bsf, ca.certificate),
        server_context(bsm, ca.certificate),
        server_context(bsf, None),
        client_context(bsm, ca.certificate),
    )
