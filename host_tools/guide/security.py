"""Security descriptions (TS 26.346 clause 11.3): who has the keys of a service, and which flow is under which.

OMA BCAST calls it the service protection description.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from card.errors import DecodeError
from host_tools.exchange.messages.fields import boolean, from_base64, number, to_base64, uri
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.registration import bounded, note_namespace
from host_tools.exchange.xml_text import Node, leaves, parse_document, write_document
from host_tools.guide.names import SECURITY_NAMESPACE

_ROOT, _MANAGEMENT, _SERVER, _KEY, _FLOW = "securityDescription", "keyManagement", "serverURI", "keyId", "mediaFlow"
_OFFSET, _RANDOM, _UICC, _FLOW_ID = "offsetTime", "randomTimePeriod", "uiccKeyManagement", "flowID"
_MSK, _DOMAIN, _ID = "MSK", "keyDomainID", "MSKID"
_CURRENT = bytes(2)
_LONGEST_WAIT = 7 * 86_400
_LONGEST_FLOW = 80


@dataclass(frozen=True, slots=True)
class KeyManagement:
    """Who is asked for keys, and how long a terminal waits before it asks, in seconds.

    `uicc` says that only a card may hold them; otherwise the terminal may, where no card can.
    """

    servers: tuple[str, ...]
    offset_time: int = 0
    random_time_period: int = 0
    uicc: bool = True

    def wait(self, uniform: Callable[[float, float], float]) -> float:
        """Return how long (seconds) to wait before a request (TS 26.346 clause 9.3.4); `uniform` draws in between."""
        return self.offset_time + uniform(0.0, float(self.random_time_period))


@dataclass(frozen=True, slots=True)
class ProtectedFlow:
    """A flow, named by address and port, and the key group of its keys: an MSK name with Key Number 0, the current."""

    flow_id: str
    msk: MskName


@dataclass(frozen=True, slots=True)
class SecurityDescription:
    """What is protected, and who has the keys; without `management` they come in another way."""

    flows: tuple[ProtectedFlow, ...]
    management: KeyManagement | None = None

    def msk_of(self, flow_id: str) -> MskName | None:
        """Return the key group of a flow, None for one that is not protected."""
        return next((flow.msk for flow in self.flows if flow.flow_id.lower() == flow_id.lower()), None)

    def encode(self) -> bytes:
        """Return the document; flows that share a key stand together. Raises `EncodeError`."""
        by_key: dict[MskName, list[str]] = {}
        for flow in self.flows:
            by_key.setdefault(_group(flow.msk), []).append(flow.flow_id)
        keys = tuple(
            Node(_KEY, SECURITY_NAMESPACE, tuple(_flow(flow_id, msk) for flow_id in flow_ids))
            for msk, flow_ids in by_key.items()
        )
        managed = () if self.management is None else (_management(self.management),)
        return write_document(Node(_ROOT, SECURITY_NAMESPACE, (*managed, *keys)))

    @classmethod
    def decode(cls, body: bytes) -> SecurityDescription:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, _ROOT)
        note_namespace(root, SECURITY_NAMESPACE)
        managed = root.maybe(_MANAGEMENT)
        flows: list[ProtectedFlow] = []
        for key in bounded(root.all(_KEY), root):
            flows += [_read_flow(found) for found in bounded(key.all(_FLOW), key)]
        if len({flow.flow_id.lower() for flow in flows}) < len(flows):
            raise DecodeError("a flow stands twice in the security description")
        return cls(tuple(flows), None if managed is None else _read_management(managed))


def _group(msk: MskName) -> MskName:
    return MskName(msk.key_domain_id, msk.key_group + _CURRENT)


def _management(management: KeyManagement) -> Node:
    servers = tuple(Node(_SERVER, SECURITY_NAMESPACE, text=server) for server in management.servers)
    said = {
        _OFFSET: str(management.offset_time),
        _RANDOM: str(management.random_time_period),
        _UICC: "true" if management.uicc else "false",
    }
    return Node(_MANAGEMENT, SECURITY_NAMESPACE, servers, attributes=said)


def _read_management(found: Node) -> KeyManagement:
    servers = tuple(uri(server.text, _SERVER) for server in bounded(found.all(_SERVER), found))
    said = found.attributes
    return KeyManagement(
        servers,
        number(said.get(_OFFSET, "0"), _OFFSET, _LONGEST_WAIT),
        number(said.get(_RANDOM, "0"), _RANDOM, _LONGEST_WAIT),
        boolean(said.get(_UICC, "true"), _UICC),
    )


def _flow(flow_id: str, msk: MskName) -> Node:
    values = {_DOMAIN: to_base64(msk.key_domain_id), _ID: to_base64(msk.msk_id)}
    named = Node(_MSK, SECURITY_NAMESPACE, tuple(leaves(SECURITY_NAMESPACE, values)))
    return Node(_FLOW, SECURITY_NAMESPACE, (named,), attributes={_FLOW_ID: flow_id})


def _read_flow(found: Node) -> ProtectedFlow:
    flow_id, msk = found.attribute(_FLOW_ID), found.one(_MSK)
    address, slash, port = flow_id.rpartition("/")
    if not slash or not address or len(flow_id) > _LONGEST_FLOW:
        raise DecodeError(f"{_FLOW_ID} is no address and port with a slash between them")
    number(port, f"the port of {_FLOW_ID}", 65_535)
    # Octets 3 and 4 are 0, and ignored where they are not: the description names the group.
    named = MskName(from_base64(msk.one(_DOMAIN).text, _DOMAIN, 3), from_base64(msk.one(_ID).text, _ID, 4))
    return ProtectedFlow(flow_id, _group(named))
