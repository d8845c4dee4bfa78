"""Where a terminal's BSM and BSF are, and the ways to them: from a network file, or from the URL of the BSM."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from host_tools.exchange.ports import Rng
from host_tools.exchange.transport import Endpoint
from host_tools.terminal.client.way import Bsm
from host_tools.terminal.http.ub import HttpBsf
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.network_file import BSF_TLS, BSM_TLS, NetworkFile, Place

_HTTP, _HTTPS = "http", "https"
_PORTS = {_HTTP: 80, _HTTPS: 443}
_NAME = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


class WrongUrl(ValueError):
    """A URL is none of a BSM, or a network has no such BSM; the message says what is wanted."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The BSM and the BSF, and the terminal's own address ("" for any).

    Without `bsf_name` the BSF is that of the subscriber's home network. A server without an entry in `places` is looked
    up by its name. `tls` is the context for a BSM behind https, `bsf_tls` that for a BSF behind https, whose port is
    `bsf_port` unless `places` has it.
    """

    bsm: Bsm
    bsm_port: int
    address: str
    places: Mapping[str, Endpoint]
    bsf_name: str = ""
    tls: ssl.SSLContext | None = None
    bsf_tls: ssl.SSLContext | None = None
    bsf_port: int = _PORTS[_HTTP]

    def to_bsm(self) -> HttpTransport:
        """Return the way to the BSM."""
        name = self.bsm.fqdn
        place = self.places.get(name, Endpoint(name, self.bsm_port))
        return HttpTransport(place, self.address, tls=self.tls if self.bsm.tls else None, tls_name=name)

    def to_bsf(self, home_domain: str, rng: Rng) -> HttpBsf:
        """Return the BSF as the terminal uses it; `home_domain` is that of the subscriber (TS 23.003 clause 16.2)."""
        name = self.bsf_name or f"bsf.{home_domain}.pub.3gppnetwork.org"
        place = self.places.get(name, Endpoint(name, self.bsf_port))
        return HttpBsf(HttpTransport(place, self.address, tls=self.bsf_tls, tls_name=name), name, rng)

    def with_bsf(self, place: Place, tls: ssl.SSLContext | None) -> Reach:
        """Return the same with another BSF, which is behind https where a context is given."""
        places = {**self.places, place.name: place.endpoint}
        return replace(self, places=places, bsf_name=place.name, bsf_tls=tls)

    def with_bsf_url(self, text: str, tls: ssl.SSLContext) -> Reach:
        """Return the same with the BSF of a name, or of an http or https URL without a path; `tls` is for https.

        Raises `WrongUrl`.
        """
        scheme, slashes, rest = text.partition("://")
        if not slashes and _NAME.fullmatch(text) is not None:
            return replace(self, bsf_name=text, bsf_tls=None)
        name, colon, port = rest.rstrip("/").partition(":")
        usable = scheme in _PORTS and _NAME.fullmatch(name) is not None and (port.isdecimal() if colon else True)
        if not usable or (colon and not 0 < int(port[:6]) < 65_536):
            raise WrongUrl("the FQDN of a BSF is wanted, or http:// or https:// before it and perhaps a port behind")
        secured, number = scheme == _HTTPS, int(port) if colon else _PORTS[scheme]
        # What a network file says of this name is where it listens in the clear.
        places = {other: end for other, end in self.places.items() if other != name}
        return replace(self, places=places, bsf_name=name, bsf_tls=tls if secured else None, bsf_port=number)


def reach_network(network: NetworkFile, address: str, tls: ssl.SSLContext | None = None) -> Reach:
    """Return how to reach the servers of a network file, over TLS where a context is given.

    A file without a BSF behind https has it in the clear. Raises `WrongUrl` where it has no BSM over TLS.
    """
    bsm = network.bsm if tls is None else network.others.get(BSM_TLS)
    if bsm is None:
        raise WrongUrl("the network file has no BSM behind https")
    found = Reach(Bsm(bsm.name, tls=tls is not None), bsm.endpoint.port, address, {bsm.name: bsm.endpoint}, tls=tls)
    return found.with_bsf(*bsf_of(network, tls))


def bsf_of(network: NetworkFile, tls: ssl.SSLContext | None) -> tuple[Place, ssl.SSLContext | None]:
    """Return the BSF of a network file, behind https where it is there and a context is given."""
    secured = None if tls is None else network.others.get(BSF_TLS)
    return (network.bsf, None) if secured is None else (secured, tls)


def reach_url(
    url: str, address: str, places: Mapping[str, Endpoint], bsf_name: str, tls: ssl.SSLContext | None
) -> Reach:
    """Return how to reach a BSM by the URL of its key management, as an announcement has it. Raises `WrongUrl`."""
    try:
        found = urlsplit(url)
        port, host = found.port, found.hostname or ""
    except ValueError:
        raise WrongUrl("the port is none") from None
    if found.scheme not in _PORTS or _NAME.fullmatch(host) is None or found.query or found.fragment or found.username:
        raise WrongUrl("http or https, the FQDN of a BSM and perhaps a path are wanted")
    if host.replace(".", "").isdigit():
        raise WrongUrl("the name of the BSM is part of its keys: name it, and say with --resolve where it is")
    usual = _PORTS[found.scheme]
    bsm = Bsm(host, found.path.rstrip("/"), found.scheme == _HTTPS, port=None if port == usual else port)
    return Reach(bsm, usual if port is None else port, address, places, bsf_name, tls)
