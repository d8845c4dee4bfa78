"""Every server of a head-end, over TLS too, bounds heads and bodies and waits for nobody without end."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from host_tools.exchange.transport import Endpoint
from host_tools.headend.permissions_issuer.certificates import LabCa, server_context
from host_tools.wire.limits import ServerLimits
from tests.support.head_end import HeadEnd, head_end
from tests.unit.host_tools.headend.networks import small_scenario

SITES = ("bsf", "bsm", "metrics", "zn", "bsm-tls", "bsf-tls", "shop", "console")
LIMITS = ServerLimits(body_size=1000, line_size=1000, field_size=1000, idle=20.0, body=20.0)
"""For what is answered however long this end was busy meanwhile."""
QUICK_HEAD, QUICK_BODY = replace(LIMITS, idle=0.5), replace(LIMITS, body=0.5)
"""For what does not come: only that is waited for in vain."""
_MOST_SECONDS = 30.0
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
Served = tuple[HeadEnd, ssl.SSLContext]
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """What a server and a client need for TLS."""
    ca, folder = LabCa(datetime.now(UTC)), tmp_path_factory.mktemp("certificates")
    client = ssl.create_default_context(cadata=ca.certificate.decode())
    client.load_cert_chain(*map(str, ca.certify_terminal("terminal").write(Path(folder) / "terminal")))
    return server_context(ca.certify_server(["everywhere.example"]), ca.certificate), client


@contextmanager
def serving(contexts: Contexts, limits: ServerLimits) -> Iterator[Served]:
    tls, client = contexts
    with head_end(limits=limits, zn_tls=tls, ua_tls=tls, ub_tls=tls, pages=True, scenario=small_scenario()) as found:
        yield found, client
        assert found.defects == 0


@pytest.fixture(scope="module")
def served(contexts: Contexts) -> Iterator[Served]:
    with serving(contexts, LIMITS) as found:
        yield found


@pytest.fixture(scope="module")
def served_with_a_quick_head(contexts: Contexts) -> Iterator[Served]:
    with serving(contexts, QUICK_HEAD) as found:
        yield found


@pytest.fixture(scope="module")
def served_with_a_quick_body(contexts: Contexts) -> Iterator[Served]:
    with serving(contexts, QUICK_BODY) as found:
        yield found


@contextmanager
def connected(served: Served, site: str) -> Iterator[socket.socket]:
    found, client = served
    end = place(found, site)
    with socket.create_connection((end.address, end.port), _MOST_SECONDS) as plain:
        if site not in ("zn", "bsm-tls", "bsf-tls"):
            yield plain
            return
        with client.wrap_socket(plain, server_hostname="everywhere.example") as over_tls:
            yield over_tls


def place(found: HeadEnd, site: str) -> Endpoint:
    network = found.running.network
    if site == "console":
        assert found.running.pages is not None
        parts = urlsplit(found.running.pages.console_url)
        return Endpoint(parts.hostname or "", parts.port or 0)
    known = {"bsf": network.bsf.endpoint, "bsm": network.bsm.endpoint}
    return known[site] if site in known else network.others[site].endpoint


def said(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes, also abruptly."""
    heard = b""
    try:
        while piece := connection.recv(4096):
            heard += piece
    except (ConnectionError, ssl.SSLError):
        pass
    return heard


@pytest.mark.parametrize("site", SITES)
def test_what_is_too_large_is_refused(served: Served, site: str) -> None:
    for octets, status in (
        (HEAD + b"X: " + b"a" * 2000 + b"\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 1001\r\n\r\n", b"413"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"fff\r\n" + b"a" * 4095 + b"\r\n", b"413"),
    ):
        with connected(served, site) as connection:
            connection.sendall(octets)
            assert said(connection).split(b" ", 2)[1] == status, octets[:80]


@pytest.mark.parametrize("site", SITES)
def test_a_body_that_does_not_come_is_not_waited_for(served_with_a_quick_body: Served, site: str) -> None:
    with connected(served_with_a_quick_body, site) as connection:
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\na")
        assert said(connection).split(b" ", 2)[1] == b"408"
    assert served_with_a_quick_body[0].running.traffic[site].cut >= 1


@pytest.mark.parametrize("site", SITES)
def test_a_head_that_does_not_come_is_not_waited_for(served_with_a_quick_head: Served, site: str) -> None:
    with connected(served_with_a_quick_head, site) as connection:
        connection.sendall(HEAD[:10])
        assert said(connection) == b""  # cut
