"""The file that says where the servers of a network are."""

from __future__ import annotations

import pytest

from card.errors import UnusableFile
from host_tools.exchange.transport import Endpoint
from host_tools.wire.network_file import NetworkFile, Place, parse_network

NETWORK = NetworkFile(
    Place("bsf.example.org", Endpoint("127.0.0.1", 1)),
    Place("bsm.example.org", Endpoint("127.0.0.1", 65_535)),
    Endpoint("127.0.0.1", 3),
    ("urn:a", 'urn:"b\\'),
    {"zn": Place("bsf.example.org", Endpoint("127.0.0.1", 4))},
)


def test_what_is_written_is_read() -> None:
    assert parse_network(NETWORK.to_toml(), "net.toml") == NETWORK


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("format = 1", "format = 2", "format: 1 is wanted"),
        ("[bsf]", "[other]", "bsf: a table with name, address and port is wanted"),
        ("[push]", "[pull]", "pull.name: the FQDN of a server is wanted"),
        ("port = 65535", "port = 65536", "bsm.port: a port from 1 to 65535 is wanted"),
        ("port = 65535", "port = true", "bsm.port: a port from 1 to 65535 is wanted"),
        ("port = 65535", 'port = "1"', "bsm.port: a port from 1 to 65535 is wanted"),
        ('"127.0.0.1"\nport = 4', '"::1"\nport = 4', "zn.address: an IPv4 address is wanted"),
        ('"bsm.example.org"', '"bsm..org"', "bsm.name: the FQDN of a server is wanted"),
        ('"bsm.example.org"', "1", "bsm.name: the FQDN of a server is wanted"),
        ('services = ["urn:a"', "services = [1", "services: a list of serviceIDs is wanted"),
        ("services", "more", "a table with address and port is wanted"),
        ("[bsm]", "[bsm", "net.toml:10: "),
    ],
)
def test_what_cannot_be_used(old: str, new: str, complaint: str) -> None:
    text = NETWORK.to_toml()
    assert old in text
    with pytest.raises(UnusableFile, match=r"net\.toml") as caught:
        parse_network(text.replace(old, new, 1), "net.toml")
    assert complaint in str(caught.value)
