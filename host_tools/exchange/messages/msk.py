"""The MSK request of a terminal, which OMA BCAST calls LTKM request (TS 33.246 clause 6.3.2.2; TS 26.346 11.7, 11.8).

The keys themselves come as datagrams afterwards (`ltkm_push`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from host_tools.exchange.messages.fields import from_base64, to_base64
from host_tools.exchange.messages.registration import METADATA, bounded, note_namespace
from host_tools.exchange.procedures import MSK_REQUEST, Procedure
from host_tools.exchange.status import item_text, parse_item
from host_tools.exchange.xml_text import Node, leaves, parse_document, write_document

_REQUEST, _REQUEST_NAMESPACE = "mbmsMSKRequest", METADATA + "mskRequest"
_ANSWER, _ANSWER_NAMESPACE = "mbmsMSKResponse", METADATA + "mskResponse"
_MSK, _DOMAIN, _ID, _RESPONSE, _CODE = "MSK", "keyDomainID", "MSKID", "Response", "ResponseCode"
_DOMAIN_SIZE, _ID_SIZE = 3, 4


@dataclass(frozen=True, slots=True)
class MskName:
    """Key domain (3 bytes) and MSK ID (4 bytes: key group and Key Number; 0 asks for the current key)."""

    key_domain_id: bytes
    msk_id: bytes

    @property
    def key_group(self) -> bytes:
        """The key group (2 bytes)."""
        return self.msk_id[:2]

    @property
    def key_number(self) -> int:
        """The Key Number; 0 stands for the current key (TS 33.246 clause 6.3.2.1)."""
        return int.from_bytes(self.msk_id[2:], "big")


@dataclass(frozen=True, slots=True)
class MskRequest:
    """Which keys a terminal asks for."""

    names: tuple[MskName, ...]
    procedure: ClassVar[Procedure] = MSK_REQUEST

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        names = tuple(_write(name, _REQUEST_NAMESPACE) for name in self.names)
        return write_document(Node(_REQUEST, _REQUEST_NAMESPACE, names))

    @classmethod
    def decode(cls, body: bytes) -> MskRequest:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, _REQUEST)
        note_namespace(root, _REQUEST_NAMESPACE)
        return cls(tuple(_read(found) for found in bounded(root.all(_MSK), root)))


@dataclass(frozen=True, slots=True)
class MskCode:
    """What came of the request for one key: an HTTP status."""

    name: MskName
    status: int


@dataclass(frozen=True, slots=True)
class MskAnswer:
    """The answer to an MSK request: a code for each key."""

    codes: tuple[MskCode, ...]

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        return write_document(Node(_ANSWER, _ANSWER_NAMESPACE, tuple(_response(code) for code in self.codes)))

    @classmethod
    def decode(cls, body: bytes) -> MskAnswer:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, _ANSWER)
        note_namespace(root, _ANSWER_NAMESPACE)
        found = bounded(root.all(_RESPONSE), root)
        return cls(tuple(MskCode(_read(item.one(_MSK)), parse_item(item.one(_CODE).text)) for item in found))


def _response(code: MskCode) -> Node:
    written = Node(_CODE, _ANSWER_NAMESPACE, text=item_text(code.status))
    return Node(_RESPONSE, _ANSWER_NAMESPACE, (_write(code.name, _ANSWER_NAMESPACE), written))


def _write(name: MskName, namespace: str) -> Node:
    values = {_DOMAIN: to_base64(name.key_domain_id), _ID: to_base64(name.msk_id)}
    return Node(_MSK, namespace, tuple(leaves(namespace, values)))


def _read(found: Node) -> MskName:
    domain = from_base64(found.one(_DOMAIN).text, _DOMAIN, _DOMAIN_SIZE)
    return MskName(domain, from_base64(found.one(_ID).text, _ID, _ID_SIZE))
