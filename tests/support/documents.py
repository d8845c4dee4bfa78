"""Every 3GPP document that crosses a wire is held against its schema, written from the texts by another hand."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path

import xmlschema
from lxml import etree

_FOLDER = Path(__file__).parent / "xsd"
_3GPP = ("urn:3GPP:", "urn:3gpp:", "uri:3gpp")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@cache
def _schemas() -> dict[str, xmlschema.XMLSchema]:
    """All schemas by the namespace that they are of."""
    found = (xmlschema.XMLSchema(path) for path in sorted(_FOLDER.glob("*.xsd")))
    return {schema.target_namespace: schema for schema in found}


class Documents:
    """Counts documents by the name of their root; `check` fails for one that its schema refuses, or that has none."""

    def __init__(self) -> None:
        self.seen = Counter[str]()

    def check(self, message: bytes) -> None:
        """Look at one HTTP message: what has no body in XML is passed over, and what is our own document."""
        name = _valid_document(message.partition(b"\r\n\r\n")[2])
        if name is not None:
            self.seen[name] += 1


@lru_cache(maxsize=4096)
def _valid_document(body: bytes) -> str | None:
    """Return the name of the root of a valid document of 3GPP, None for anything else; a body is looked at once."""
    if not body.lstrip().startswith(b"<"):
        return None
    root = etree.fromstring(body)
    name = etree.QName(root)
    if not (name.namespace or "").startswith(_3GPP):
        return None
    assert name.namespace in _schemas(), f"there is no schema for {root.tag}"
    _schemas()[name.namespace].validate(root)
    return str(name.localname)


def is_whole(message: bytes) -> bool:
    """Tell whether an HTTP message has all of the body that its head announces."""
    head, between, body = message.partition(b"\r\n\r\n")
    announced = _LENGTH.search(head)
    return bool(between) and announced is not None and len(body) == int(announced[1])
