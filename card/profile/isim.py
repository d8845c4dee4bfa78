"""The ISIM part of a card profile: the identities for IMS. Without values of its own it follows the USIM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from card.crypto.secret import Secret
from card.profile.fields import ListOf, Table, parse_hex
from card.profile.pins import PinProfile
from card.profile.usim import IMPI, KEY, LABEL, ServicesProfile
from card.tables.kinds import matching, parsed

# provisional: a complete AID in the usual style; its country and provider codes are the issuer's to choose.
DEFAULT_AID = bytes.fromhex("A0000000871004FFFFFFFF8907090000")
_AID_PREFIX = DEFAULT_AID[:7]


def _parse_aid(text: str) -> bytes:
    aid = parse_hex(text)
    if not aid.startswith(_AID_PREFIX) or len(aid) > 16:
        raise ValueError("not an ISIM AID")
    return aid


AID = parsed("hex digits for 7 to 16 bytes beginning A0000000871004", _parse_aid)
DOMAIN = matching(r"[A-Za-z0-9.-]{1,200}", "a domain name")
IMPU = matching(r"(sips?|tel):[!-~]{1,200}", 'a URI such as "sip:user@realm"')
_NO_CHANGES = ServicesProfile()
SERVER = matching(r"[A-Za-z0-9.:-]{1,200}", "a domain name or an IP address")


@dataclass(frozen=True, slots=True)
class IsimProfile:
    """The ISIM application. Empty fields follow from the USIM (TS 23.003 clause 13); `k` and `opc` do so too.

    With a `pin1` of its own the card is multi-verification capable.
    """

    aid: Annotated[bytes, AID] = DEFAULT_AID
    label: Annotated[str, LABEL] = "ISIM"
    impi: Annotated[str, IMPI] = ""
    impu: Annotated[tuple[str, ...], ListOf(IMPU, 16)] = ()
    domain: Annotated[str, DOMAIN] = ""
    pcscf: Annotated[tuple[str, ...], ListOf(SERVER, 8)] = ()
    k: Annotated[Secret | None, KEY] = None
    opc: Annotated[Secret | None, KEY] = None
    services: Annotated[ServicesProfile, Table(ServicesProfile)] = _NO_CHANGES
    pin1: Annotated[PinProfile | None, Table(PinProfile)] = None
    pin2: Annotated[PinProfile | None, Table(PinProfile)] = None
