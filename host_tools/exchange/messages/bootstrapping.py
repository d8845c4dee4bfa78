"""Ub: what a BSF answers (TS 24.109 clause 4.2 and annex C)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from card.errors import DecodeError, EncodeError
from host_tools.exchange.messages.fields import from_date_time, to_date_time
from host_tools.exchange.xml_text import Node, parse_document, write_document

NAMESPACE = "uri:3gpp-gba"
_ROOT, _B_TID, _LIFETIME, _EXTENSION, _NOW = "BootstrappingInfo", "btid", "lifetime", "Extension", "currenttime"
_LONGEST_B_TID = 255  # it must fit a length byte of EF_GBABP (TS 31.102 clause 4.2.79)


@dataclass(frozen=True, slots=True)
class BootstrappingInfo:
    """B-TID, when the key expires, and what time it is at the server (annex C; the time in `Extension`).

    `lifetime` is the text as it came, for EF_GBABP.
    """

    b_tid: str
    lifetime: str
    server_time: datetime | None = None

    @property
    def expires(self) -> datetime:
        """When the key expires. Raises `DecodeError` where the text is no dateTime."""
        return to_date_time(self.lifetime)

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        if not 0 < len(self.b_tid.encode()) <= _LONGEST_B_TID:
            raise EncodeError(f"a B-TID has 1 to {_LONGEST_B_TID} octets")
        children = [Node(_B_TID, NAMESPACE, text=self.b_tid), Node(_LIFETIME, NAMESPACE, text=self.lifetime)]
        if self.server_time is not None:
            now = Node(_NOW, NAMESPACE, text=from_date_time(self.server_time.astimezone(UTC)))
            children.append(Node(_EXTENSION, NAMESPACE, (now,)))
        return write_document(Node(_ROOT, NAMESPACE, tuple(children)))

    @classmethod
    def decode(cls, body: bytes) -> BootstrappingInfo:
        """Read the document; what is unknown in it is passed over (annex C). Raises `DecodeError`."""
        root = parse_document(body, _ROOT)
        b_tid = root.one(_B_TID).text
        if not 0 < len(b_tid.encode()) <= _LONGEST_B_TID:
            raise DecodeError(f"a B-TID has 1 to {_LONGEST_B_TID} octets")
        extension = root.maybe(_EXTENSION)
        now = extension.maybe(_NOW) if extension else None
        info = cls(b_tid, root.one(_LIFETIME).text, to_date_time(now.text) if now else None)
        to_date_time(info.lifetime)
        return info
