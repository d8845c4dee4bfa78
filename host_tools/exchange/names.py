"""Names in headers: realms, product tokens, and the client ID of OMA BCAST."""

from __future__ import annotations

import base64
import binascii
import re

from card.errors import DecodeError

TMPI_TOKEN = "3gpp-gba-tmpi"
"""Product token of `User-Agent` and `Server` on Ub: its sender knows the TMPI (TS 24.109 clause 4.2)."""
GBA_TOKEN = "3gpp-gba"
"""Product token of `User-Agent` on Ua: the terminal can use a key that it holds itself (TS 24.109 clause 5.2)."""
_GBA_REALM = "3GPP-bootstrapping@"
_TOKEN = re.compile(rf"(?:^|[\s;,(]){GBA_TOKEN}(?:$|[\s;,)/])")

CLIENT_ID_WANTED = "send_BCAST_Client_ID"
"""Body of the 403 with which a BSM asks for the client ID (OMA BCAST, change request on SPCP, clause 6.9.2)."""
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
