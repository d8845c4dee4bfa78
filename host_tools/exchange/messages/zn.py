"""Zn: a server asks the BSF for the keys behind a B-TID (TS 33.220 clause 4.5.3, TS 29.109 clause 5).

One question and one answer, in two writings: `zn_json` and `zn_soap`. What goes wrong has the numbers of TS 29.109.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum

from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.gba import UA_PROTOCOL_SIZE

KEY_SIZE = 32
MBMS_SERVICE = 4
"""GAA service type of MBMS in user security settings (TS 29.109 annex B)."""
_LONGEST_FQDN = 255
_LONGEST_B_TID = 255


class KeyChoice(Enum):
    """Which NAF key a server is to use. Values: `keyChoice` of TS 29.109 annex A.

    For MBMS it tells a GBA_U card that manages MBMS keys itself from one that leaves them to the terminal: Zn has
    nothing else that says so.
    """

    ME_BASED = "ME-based-key"
    UICC_BASED = "UICC-based-key"
    BOTH = "ME-UICC-based-keys"


class ZnError(IntEnum):
    """Why there are no keys (TS 29.109 clause 6.3)."""

    IDENTITY_UNKNOWN = 5401
    NOT_AUTHORISED = 5402
    TRANSACTION_IDENTIFIER_INVALID = 5403


@dataclass(frozen=True, slots=True)
class ZnRequest:
    """Which keys a server wants. `naf_id` is the FQDN that the terminal used and the 5 bytes of the Ua protocol."""

    b_tid: str
    naf_id: bytes
    gba_u_aware: bool = False
    gaa_services: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        # JSON can hold halves of characters and NUL, which no database takes.
        if not 0 < len(self.b_tid) <= _LONGEST_B_TID or not self.b_tid.isprintable():
            raise DecodeError(f"a B-TID has 1 to {_LONGEST_B_TID} characters that can be printed")
        fqdn_size = len(self.naf_id) - UA_PROTOCOL_SIZE
        if not 0 < fqdn_size <= _LONGEST_FQDN:
            raise DecodeError("a NAF_ID is an FQDN of at most 255 octets and 5 octets")

    @property
    def fqdn(self) -> bytes:
        """The name that the terminal used (UTF-8)."""
        return self.naf_id[:-UA_PROTOCOL_SIZE]

    @property
    def ua_protocol(self) -> bytes:
        """The Ua security protocol identifier (5 bytes)."""
        return self.naf_id[-UA_PROTOCOL_SIZE:]


@dataclass(frozen=True, slots=True)
class ZnAnswer:
    """The keys (32 bytes each), how long they are good, since when, whose they are, and which of them to use.

    A BSF gives MBMS the IMPI in any case (TS 33.246 clause 6.1). `key_choice` is None where the settings say
    nothing.
    """

    me_key: Secret
    uicc_key: Secret | None
    expires: datetime
    created: datetime
    impi: str | None = None
    gba_type: str = "3G_GBA"
    key_choice: KeyChoice | None = None


@dataclass(frozen=True, slots=True)
class ZnFault:
    """There are no keys, and why; `text` is for a person."""

    error: ZnError
    text: str = ""
