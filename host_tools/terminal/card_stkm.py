"""An STKM of the Smartcard Profile as the terminal reads it: MBMS key IDs, and the management data of OMA BCAST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from card.codec.bcast import StkmManagement, Subtype, bcast_extension, ratings_of
from card.codec.mikey import MbmsKeyIds, MikeyMessage
from card.errors import DecodeError
from card.spec.bcast.ratings import rating_words
from card.spec.bcast.tables import BcastTables
from host_tools.content.stkm_name import StkmName
from host_tools.terminal.departure import Service
from host_tools.terminal.key_source import StkmView

_PROTECTION_FIELD: Final = "traffic_protection_protocol"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStkmView(StkmView):
    """What names an STKM to the card: key IDs and T (32 bits, `timestamp`).

    There are no management data in a plain MBMS message, nor where the terminal's tables cannot read them.
    """

    ids: MbmsKeyIds
    management: StkmManagement | None = None

    @property
    def names(self) -> Mapping[str, str]:
        """The key IDs in hex, ready for JSON."""
        ids = self.ids
        mtk_id = (ids.mtk_id or b"").hex()
        return {"key_domain": ids.key_domain_id.hex(), "msk_id": ids.msk_id.hex(), "mtk_id": mtk_id}

    @classmethod
    def decode(cls, raw: bytes, tables: BcastTables) -> CardStkmView:
        """Read an STKM. Raises `DecodeError` for anything that is not one.

        Management data that do not follow the tables are left out: the card has the last word about them.
        """
        message = MikeyMessage.decode(raw)
        name = StkmName.of(message)
        ids = name.ids
        extension = _management_data(message)
        management = _management(extension, tables) if extension is not None else None
        service = Service(ids.key_domain_id, ids.key_group)
        return cls(
            identity=ids.encode(),
            key_name=name.key_name,
            session=ids.key_domain_id + ids.key_group,
            long_term_key=ids.key_domain_id + ids.msk_id,
            label="/".join(part.hex() for part in (ids.key_domain_id, ids.msk_id, ids.mtk_id or b"")),
            timestamp=name.timestamp,
            is_bcast=extension is not None,
            service=service if extension is not None else None,  # a plain MBMS one is none to the card's events
            ratings=_ratings(management, tables) if management is not None else (),
            protection=_protection(management, tables) if management is not None else None,
            bound_to=management.terminal_binding_key_id if management is not None else None,
            ids=ids,
            management=management,
        )


def _management_data(message: MikeyMessage) -> bytes | None:
    try:
        extension = bcast_extension(message)
    except DecodeError:
        return None
    return extension[1] if extension is not None and extension[0] == Subtype.STKM_MANAGEMENT else None


def _management(data: bytes, tables: BcastTables) -> StkmManagement | None:
    try:
        return StkmManagement.decode(data, tables)
    except DecodeError:
        return None


def _protection(management: StkmManagement, tables: BcastTables) -> int | None:
    has_it = any(row.name == _PROTECTION_FIELD for row in tables.stkm)
    return management.traffic_protection_protocol if has_it else None


def _ratings(management: StkmManagement, tables: BcastTables) -> tuple[str, ...]:
    try:
        found = ratings_of(management.access_criteria, tables)
    except DecodeError:
        return ()
    return tuple(rating_words(rating.type, rating.value) for rating in found)
