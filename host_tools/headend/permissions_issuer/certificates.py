"""A certificate authority for tests, made on the fly: it certifies servers and any number of terminals.

Nothing of it is meant to outlive a test: keys are P-256, certificates run for a day.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host_tools.files.temporary import temporary_folder
from host_tools.files.writing import write_whole

_LIFETIME = timedelta(days=1)
_CLOCK_SKEW = timedelta(minutes=5)

_LONGEST_COMMON_NAME = 64  # X.520


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)

    def write(self, stem: Path) -> tuple[Path, Path]:
        """Write `stem`.pem and `stem`.key (mode 0600); return both paths. Raises `UnwritableFile`."""
        certificate, key = stem.with_name(stem.name + ".pem"), stem.with_name(stem.name + ".key")
        write_whole(certificate, self.certificate)
        write_whole(key, self.key, private=True)
        return certificate, key


class LabCa:
    """The authority. Its own certificate is what both sides must trust."""

    def __init__(self, now: datetime) -> None:
        """Make a key and a certificate valid from `now` (with its zone) for a day."""
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("bcast-uicc test CA")
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> bytes:
        """The authority's certificate (PEM)."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def certify_server(self, hosts: Sequence[str]) -> Certified:
        """Return certificate and key for a server of these names; the common name is the first, cut where needed."""
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        return self._certify(hosts[0][:_LONGEST_COMMON_NAME], names, ExtendedKeyUsageOID.SERVER_AUTH)

    def certify_both(self, fqdn: str) -> Certified:
        """Return certificate and key for a server of this name that is a client of others, too."""
        names = x509.SubjectAlternativeName([x509.DNSName(fqdn)])
        usages = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
        return self._certify(fqdn[:_LONGEST_COMMON_NAME], names, *usages)

    def certify_terminal(self, terminal: str) -> Certified:
        """Return certificate and key for a terminal of this name (up to 64 characters)."""
        return self._certify(terminal, None, ExtendedKeyUsageOID.CLIENT_AUTH)

    def certify_naf(self, fqdn: str) -> Certified:
        """Return certificate and key for a server that is a client of Zn; a longer FQDN fits no common name."""
        return self._certify("NAF", x509.SubjectAlternativeName([x509.DNSName(fqdn)]), ExtendedKeyUsageOID.CLIENT_AUTH)

    def _certify(
        self, name: str, names: x509.SubjectAlternativeName | None, *usages: x509.ObjectIdentifier
    ) -> Certified:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer_key, critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Certified(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _CLOCK_SKEW)
            .not_valid_after(self._now + _LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def server_context(certificate: Certified, ca: bytes | None) -> ssl.SSLContext:
    """Return a context for servers whose clients must show a certificate of this authority (PEM); with None, none.

    Raises `ssl.SSLError`, `ValueError`.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=None if ca is None else ca.decode())
    context.verify_mode = ssl.CERT_NONE if ca is None else ssl.CERT_REQUIRED
    return _showing(context, certificate)


def client_context(certificate: Certified, ca: bytes) -> ssl.SSLContext:
    """Return a context for clients that show a certificate, and want one of this authority (PEM) for the server's name.

    Raises `ssl.SSLError`, `ValueError`.
    """
    return _showing(ssl.create_default_context(cadata=ca.decode()), certificate)


def _showing(context: ssl.SSLContext, certificate: Certified) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # ssl reads a private key from a file only.
    with temporary_folder("tls") as folder:
        shown, key = map(str, certificate.write(folder / "shown"))
        context.load_cert_chain(shown, key, password=_no_password)
    return context


def _no_password() -> str:
    """Stand for a person who would be asked: a key that is locked is no use here."""
    return ""


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
