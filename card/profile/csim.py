"""The CSIM part of a card profile: the CDMA subscriber, the registration key, and the provisional parts of BCMCS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

from card.crypto.bcmcs import PROVISIONAL_SET, UnknownFunctions, find_functions
from card.crypto.secret import Secret
from card.profile.fields import ListOf, Table, hex_bytes, parse_hex, secret_hex
from card.profile.loader import Fault
from card.profile.pins import PinProfile
from card.profile.usim import LABEL, ServicesProfile
from card.spec.bcmcs_tables import TAGS, Item
from card.tables.kinds import FLAG, RefusedError, integer, matching, parsed

# provisional: a complete AID in the usual style; its country and provider codes are the issuer's to choose.
DEFAULT_AID = bytes.fromhex("A0000003431002FFFFFFFF8907090000")
_AID_PREFIX = DEFAULT_AID[:7]


def _parse_aid(text: str) -> bytes:
    aid = parse_hex(text)
    if not aid.startswith(_AID_PREFIX) or len(aid) > 16:
        raise ValueError("not a CSIM AID")
    return aid


def _parse_functions(text: str) -> str:
    try:
        find_functions(text)
    except UnknownFunctions as error:
        raise RefusedError(f"but {error}") from None
    return text


def _parse_home(text: str) -> str:
    sid, _, nid = text.partition("/")
    if not all(part.isascii() and part.isdigit() and int(part) <= 0xFFFF for part in (sid, nid)):
        raise ValueError("not SID/NID")
    return text


AID = parsed("hex digits for 7 to 16 bytes beginning A0000003431002", _parse_aid)
RK = secret_hex(16)
NAI = matching(r"[!-?A-~]{1,35}@[!-?A-~]{1,36}", "text of the form user@realm, at most 72 characters")
IMSI_M = matching(r"[0-9]{15}", "text of 15 decimal digits")
MDN = matching(r"[0-9]{1,15}", "text of 1 to 15 decimal digits")
SPN = matching(r"[ -~]{1,32}", "1 to 32 ASCII characters")
SPC = matching(r"[0-9]{6}", "text of 6 decimal digits")
HOME = parsed('"SID/NID", each from 0 to 65535', _parse_home)
FUNCTIONS = parsed(f'"{PROVISIONAL_SET}", or the name of an installed set', _parse_functions)
TAG = integer(1, 255)
_NO_CHANGES = ServicesProfile()


def _default(item: Item) -> int:
    return TAGS[item].value


@dataclass(frozen=True, slots=True)
class BcmcsTags:
    """The tags of the BCMCS data objects. provisional: none of the defaults is sourced."""

    flow_id: Annotated[int, TAG] = _default(Item.FLOW_ID)
    bak_id: Annotated[int, TAG] = _default(Item.BAK_ID)
    sk_rand: Annotated[int, TAG] = _default(Item.SK_RAND)
    bak_expire: Annotated[int, TAG] = _default(Item.BAK_EXPIRE)
    tk_rand: Annotated[int, TAG] = _default(Item.TK_RAND)
    encrypted_bak: Annotated[int, TAG] = _default(Item.ENCRYPTED_BAK)
    packet_index: Annotated[int, TAG] = _default(Item.PACKET_INDEX)
    timestamp: Annotated[int, TAG] = _default(Item.TIMESTAMP)
    rand: Annotated[int, TAG] = _default(Item.RAND)
    challenge: Annotated[int, TAG] = _default(Item.CHALLENGE)
    response: Annotated[int, TAG] = _default(Item.RESPONSE)

    def by_name(self) -> dict[str, int]:
        """Return the tags by the names of the objects."""
        return asdict(self)

    def check(self) -> Iterator[Fault]:
        """Yield tags that two objects share."""
        seen: set[int] = set()
        for name, tag in self.by_name().items():
            if tag in seen:
                yield Fault((name,), f"found {tag}, the tag of another object; allowed: one tag for each")
            seen.add(tag)


@dataclass(frozen=True, slots=True)
class CsimProfile:
    """The CSIM application. `imsi` and `languages` follow from the USIM when empty.

    `nai` names the subscriber in LTKMs and towards the network. `functions` names the set of BCMCS key functions.
    `flows` is the number of records of EF_BAKPARA and EF_UpBAKPARA. Services are numbered as in EF_CSIM_ST. With a
    `pin1` of its own the card is multi-verification capable.
    """

    rk: Annotated[Secret, RK]
    nai: Annotated[str, NAI]
    aid: Annotated[bytes, AID] = DEFAULT_AID
    label: Annotated[str, LABEL] = "CSIM"
    first: Annotated[bool, FLAG] = False
    imsi: Annotated[str, IMSI_M] = ""
    mdn: Annotated[str | None, MDN] = None
    spn: Annotated[str | None, SPN] = None
    languages: Annotated[tuple[str, ...], ListOf(matching(r"[a-z]{2}", "two small letters"), 16)] = ()
    home: Annotated[tuple[str, ...], ListOf(HOME, 16)] = ()
    prl_id: Annotated[int, integer(0, 0xFFFF)] = 0
    ruim_id: Annotated[bytes, hex_bytes(4, 7)] = b"\x80\x00\x00\x01"
    spc: Annotated[str, SPC] = "000000"
    functions: Annotated[str, FUNCTIONS] = PROVISIONAL_SET
    flows: Annotated[int, integer(1, 254)] = 8
    tags: Annotated[BcmcsTags, Table(BcmcsTags)] = BcmcsTags()
    services: Annotated[ServicesProfile, Table(ServicesProfile)] = _NO_CHANGES
    pin1: Annotated[PinProfile | None, Table(PinProfile)] = None
    pin2: Annotated[PinProfile | None, Table(PinProfile)] = None
