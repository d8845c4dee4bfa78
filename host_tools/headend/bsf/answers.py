"""What the BSF says to terminals and to servers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from card.crypto.secret import Secret
from host_tools.exchange.messages.zn import KeyChoice


@dataclass(frozen=True, slots=True)
class Challenge:
    """RAND and AUTN* (16 bytes each): in GBA_U the MAC of AUTN is masked, in GBA_ME it is AUTN as it was."""

    rand: bytes
    autn_star: bytes


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """B-TID, and when the key expires as XML dateTime text in UTC."""

    b_tid: str
    lifetime: str


@dataclass(frozen=True, slots=True)
class NafKeys:
    """What a server gets over Zn (TS 33.220 clause 4.5.3).

    `me_key` is Ks_ext_NAF, with GBA_ME Ks_NAF; `uicc_key` is Ks_int_NAF, which the card keeps, or None (32 bytes each).
    MBMS needs `impi`, to know whose the B-TID is (TS 33.246 clause 6.1). `created` is when the Ks was made.
    """

    impi: str
    me_key: Secret
    uicc_key: Secret | None
    expires: datetime
    key_choice: KeyChoice
    created: datetime


@dataclass(frozen=True, slots=True)
class Push:
    """What a server gets that wants to push: the message for the terminal, the keys it sets up, and their name.

    `downlink_id` names them in what the server sends, in the place of a B-TID: RAND in base64, "@naf" (TS 33.223 clause
    5.2.2; the base64 is our reading). In what the terminal sends, the P-TID does.
    """

    gpi: bytes
    keys: NafKeys
    downlink_id: str
