"""What names an STKM of the Smartcard Profile, and the traffic key in it, whatever a card's tables are."""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.mikey import MbmsKeyIds, MikeyMessage, Timestamp
from card.errors import DecodeError


@dataclass(frozen=True, slots=True)
class StkmName:
    """Key IDs and T (32 bits) of an STKM."""

    ids: MbmsKeyIds
    timestamp: int

    @classmethod
    def decode(cls, raw: bytes) -> StkmName:
        """Read an STKM. Raises `DecodeError` for anything that is not one."""
        return cls.of(MikeyMessage.decode(raw))

    @classmethod
    def of(cls, message: MikeyMessage) -> StkmName:
        """Read a decoded message. Raises `DecodeError` when it is no STKM."""
        ids = message.key_ids()
        if ids.mtk_id is None:
            raise DecodeError("the message names no traffic key: it is no STKM")
        return cls(ids, message.one(Timestamp).value)

    @property
    def key_name(self) -> bytes:
        """The name that protected content has for the traffic key."""
        return tek_name(self.ids.msk_id, self.ids.mtk_id or b"")


def tek_name(msk_id: bytes, mtk_id: bytes) -> bytes:
    """Return the name of a traffic key in protected content: MSK ID (4 bytes) and MTK ID (2).

    TS 33.246 clause 6.6.2.1 says so for the MKI of SRTP. It leaves the key domain out, which the announcement tells a
    terminal.
    """
    return msk_id + mtk_id
