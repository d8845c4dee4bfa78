"""Names in headers: realms, product tokens, and the client ID of OMA BCAST."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence

from card.errors import DecodeError

TMPI_TOKEN = "3gpp-gba-tmpi"
"""Product token of `User-Agent` and `Server` on Ub: its sender knows the TMPI (TS 24.109 clause 4.2)."""
GBA_TOKEN = "3gpp-gba"
"""Product token of `User-Agent` on Ua: the terminal can use a key that it holds itself (TS 24.109 clause 5.2)."""
_GBA_REALM = "3GPP-bootstrapping@"
_TOKEN = re.compile(rf"(?:^|[\s;,(]){GBA_TOKEN}(?:$|[\s;,)/])")

CLIENT_ID_WANTED = "send_BCAST_Client_ID"
"""Body of the 403 with which a BSM asks for the client ID (OMA BCAST, change request on SPCP, clause 6.9.2)."""
TAKEN_HEADER = "X-Bcast-Uicc-Taken"
"""Header of an authenticated request: LTKMs that credit and that the card took, though no answer may have come; ours.

With no value it says that there are none; without the header nothing is said.
"""
PUSH_PORT_HEADER = "X-Bcast-Uicc-Push-Port"
"""Header of an authenticated request: the port of key messages where terminals share an address; ours."""
_TAKEN = re.compile(r"([!-+\--~]{1,255}) ([0-9]{1,10})")
_MOST_TAKEN = 16
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_CLIENT_ID = re.compile(r"BCAST_Client_ID=([A-Za-z0-9+/]+={0,2})")
_LONGEST_CLIENT_ID = 64

SHOP_PATH = "/shop/"
"""Where the pages of a web shop begin, at a BSM that knows SMK and SRK; ours."""


def gba_realm(fqdn: str) -> str:
    """Return the realm of a key that the terminal has, for a server of this name (TS 24.109 clause 5.2)."""
    return _GBA_REALM + fqdn


def knows_gba(user_agent: str) -> bool:
    """Tell whether a terminal says that it knows GBA.

    One that shows its client ID has no room to say so besides, and counts as one that does (ours).
    """
    return _TOKEN.search(user_agent) is not None or _CLIENT_ID.search(user_agent) is not None


def client_id_agent(client_id: bytes) -> str:
    """Return the `User-Agent` that shows a client ID (same clause)."""
    return f"BCAST_Client_ID={base64.b64encode(client_id).decode()}"


def find_client_id(user_agent: str) -> bytes | None:
    """Return the client ID that stands anywhere in a `User-Agent`, None when there is none. Raises `DecodeError`."""
    found = _CLIENT_ID.search(user_agent)
    if found is None:
        return None
    try:
        client_id = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        raise DecodeError("the client ID is not base64") from None
    if not 0 < len(client_id) <= _LONGEST_CLIENT_ID:
        raise DecodeError(f"a client ID has 1 to {_LONGEST_CLIENT_ID} bytes")
    return client_id


def taken_header(taken: Iterable[tuple[str, int]]) -> str:
    """Return the value of `TAKEN_HEADER` for LTKMs by B-TID (or NAI) and T."""
    return ", ".join(f"{b_tid} {counter}" for b_tid, counter in taken)


def find_taken(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return what the values of `TAKEN_HEADER` name, by B-TID and T. Raises `DecodeError`."""
    entries = [entry.strip() for value in values for entry in value.split(",") if entry.strip()]
    if len(entries) > _MOST_TAKEN:
        raise DecodeError(f"{TAKEN_HEADER} names {_MOST_TAKEN} LTKMs at most")
    found = [_TAKEN.fullmatch(entry) for entry in entries]
    if not all(found):
        raise DecodeError(f"{TAKEN_HEADER} names B-TID and T, with commas between them")
    return tuple((one[1], int(one[2])) for one in found if one is not None)


def find_push_port(values: Sequence[str]) -> int | None:
    """Return the port that the values of `PUSH_PORT_HEADER` name, None for none. Raises `DecodeError`."""
    if not values:
        return None
    if len(values) > 1 or not _PORT.fullmatch(values[0].strip()) or int(values[0]) > 0xFFFF:
        raise DecodeError(f"{PUSH_PORT_HEADER} is one port from 1 to 65535")
    return int(values[0])
