"""Where the servers of a network are, as a file: `headend serve` writes it, terminals read it.

There is no DNS for the names of a test network, so the file stands in for it. It holds no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from card.disk.kinds import NETWORK
from card.disk.reading import read_text
from card.disk.toml import NotToml, parse_toml
from card.errors import UnusableFile
from host_tools.exchange.transport import Endpoint

_NAME = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_FORMAT = 1
BSM_TLS = "bsm-tls"
"""Role of the BSM over TLS with certificates on both sides."""
BSDA = "bsda"
"""Role of a BSD/A in another process: where the BSM tells it of SEKs out of turn."""
BSF_TLS = "bsf-tls"
"""Role of the BSF (Ub) over TLS with a certificate of its own."""
_NO_PLACES = ("format", "services", "push")


@dataclass(frozen=True, slots=True)
class Place:
    """One server: the name it goes by in realms, `Host` and key material, and where it listens."""

    name: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """BSF (Ub), BSM (Ua), and where LTKMs come from; the serviceIDs that can be registered for.

    `others` are further servers by what they are for: `zn`, `metrics`, `shop`, `console`, `BSM_TLS`, `BSF_TLS`, `BSDA`.
    """

    bsf: Place
    bsm: Place
    push: Endpoint
    service_ids: tuple[str, ...]
    others: Mapping[str, Place]

    def to_toml(self) -> str:
        """Return the text of the file."""
        lines = ["# Written by `bcast-uicc headend serve`, for `bcast-uicc terminal --network`.", f"format = {_FORMAT}"]
        lines += [f"services = [{', '.join(map(json.dumps, self.service_ids))}]", ""]
        for role, place in {"bsf": self.bsf, "bsm": self.bsm, **self.others}.items():
            end = place.endpoint
            lines += [f"[{role}]", f'name = "{place.name}"', f'address = "{end.address}"', f"port = {end.port}", ""]
        lines += ["[push]", f'address = "{self.push.address}"', f"port = {self.push.port}"]
        return "\n".join(lines) + "\n"


def load_network(path: Path) -> NetworkFile:
    """Read a network file. Raises `UnusableFile`, which names the field."""
    return parse_network(read_text(path, NETWORK), str(path))


def parse_network(text: str, name: str) -> NetworkFile:
    """Read the text of a network file that goes by `name`. Raises `UnusableFile`."""
    try:
        found = parse_toml(text)
    except NotToml as error:
        raise UnusableFile(name, error.reason, error.line) from None
    try:
        if found.get("format") != _FORMAT:
            raise _WrongFieldError("format", f"{_FORMAT} is wanted")
        places = {role: _place(role, table) for role, table in found.items() if role not in _NO_PLACES}
        missing = [role for role in ("bsf", "bsm") if role not in places]
        if missing:
            raise _WrongFieldError(missing[0], "a table with name, address and port is wanted")
        return NetworkFile(
            places.pop("bsf"), places.pop("bsm"), _endpoint("push", found.get("push")), _services(found), places
        )
    except _WrongFieldError as error:
        raise UnusableFile(name, f"{error}; `headend serve --network-file` writes such files") from None


class _WrongFieldError(Exception):
    def __init__(self, field: str, wanted: str) -> None:
        super().__init__(f"{field}: {wanted}")


def _services(found: Mapping[str, object]) -> tuple[str, ...]:
    services = found.get("services")
    if not isinstance(services, list) or not all(isinstance(one, str) for one in services):
        raise _WrongFieldError("services", "a list of serviceIDs is wanted")
    return tuple(services)


def _place(role: str, table: object) -> Place:
    endpoint = _endpoint(role, table)
    assert isinstance(table, dict), "or there would be no endpoint in it"
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _WrongFieldError(f"{role}.name", "the FQDN of a server is wanted")
    return Place(name, endpoint)


def _endpoint(role: str, table: object) -> Endpoint:
    if not isinstance(table, dict):
        raise _WrongFieldError(role, "a table with address and port is wanted")
    address, port = table.get("address"), table.get("port")
    if not isinstance(address, str) or not is_address(address):
        raise _WrongFieldError(f"{role}.address", "an IPv4 address is wanted")
    if type(port) is not int or not 0 < port < 65_536:
        raise _WrongFieldError(f"{role}.port", "a port from 1 to 65535 is wanted")
    return Endpoint(address, port)


def is_address(text: str) -> bool:
    """Tell whether a text is an IPv4 address."""
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
