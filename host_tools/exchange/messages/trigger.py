"""The Smartcard Profile trigger: a shop that knows no SRK has sold something, and the terminal is to register for it.

provisional: OMA registered a media type for it, and a binary one; what is inside and how it travels is ours. Nobody
signs a trigger, so it may lead to a registration at a BSM that the terminal knows already and to nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from card.errors import DecodeError
from host_tools.exchange.messages.fields import uri
from host_tools.exchange.messages.provisioning import PurchaseItem, few, ours
from host_tools.exchange.xml_text import parse_document, write_document

FIRST_OCTET = b"<"
"""How a trigger begins on the port of key messages; a MIKEY message begins with its version, 01."""
_IDENTITY = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class Trigger:
    """Its name, the BSM to register at, and the items that were bought."""

    trigger_id: str
    bsm_uri: str
    items: tuple[PurchaseItem, ...]
    root: ClassVar[str] = "SmartcardProfileTrigger"

    def encode(self) -> bytes:
        """Return the document without its declaration, as one datagram carries it. Raises `EncodeError`."""
        attributes = {"triggerID": self.trigger_id, "bsmURI": self.bsm_uri}
        document = write_document(ours(self.root, tuple(item.node() for item in self.items), attributes=attributes))
        return document.partition(b"\n")[2]

    @classmethod
    def decode(cls, body: bytes) -> Trigger:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        identity, items = root.attribute("triggerID"), few(root.all("PurchaseItem"), "items")
        if _IDENTITY.fullmatch(identity) is None or not items:
            raise DecodeError("a trigger has a name of 1 to 64 visible characters and one item at least")
        return cls(identity, uri(root.attribute("bsmURI"), "bsmURI"), tuple(map(PurchaseItem.read, items)))
