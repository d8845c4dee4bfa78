"""The BCMCS command in tables: modes, objects, tags, sizes and status words (3GPP2 C.S0023-D clause 4.9).

The instruction, the six modes, their objects and order, and the two "unknown" status words are known from observed
terminal behaviour. Tags, sizes and the other status words are our choice: annex B of C.S0023-D was not at hand. A card
profile may give other tags (`[csim.tags]`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from card.lean import lean_dataclass
from card.spec.provisional import Choice
from card.spec.refs import Confidence, Ref
from card.spec.status import SW

DOCUMENT = "C.S0023-D"
_OURS = Confidence.OURS


class Mode(IntEnum):
    """P1 of the command."""

    RETRIEVE_SK = 0x00
    UPDATE_BAK = 0x01
    DELETE_BAK = 0x02
    RETRIEVE_SRTP_SK = 0x03
    SIGN_AUTHORIZATION = 0x04
    AUTHENTICATE = 0x05


class Item(StrEnum):
    """The data objects."""

    FLOW_ID = "flow_id"
    BAK_ID = "bak_id"
    SK_RAND = "sk_rand"
    BAK_EXPIRE = "bak_expire"
    TK_RAND = "tk_rand"
    ENCRYPTED_BAK = "encrypted_bak"
    PACKET_INDEX = "packet_index"
    TIMESTAMP = "timestamp"
    RAND = "rand"
    CHALLENGE = "challenge"
    RESPONSE = "response"


@lean_dataclass(frozen=True, slots=True)
class ModeRow:
    """One mode: the objects of its command in their order, and what its response object holds ("": none)."""

    mode: Mode
    name: str
    items: tuple[Item, ...]
    answers: str
    ref: Ref


def _row(mode: Mode, name: str, clause: str, answers: str, *items: Item) -> ModeRow:
    return ModeRow(mode, name, items, answers, Ref(DOCUMENT, clause, Confidence.SOURCED))


_NAMES = (Item.FLOW_ID, Item.BAK_ID)

MODE_ROWS: Mapping[Mode, ModeRow] = {
    row.mode: row
    for row in (
        _row(Mode.RETRIEVE_SK, "Retrieve SK", "4.9.1", "SK", *_NAMES, Item.SK_RAND),
        _row(
            Mode.UPDATE_BAK, "Update BAK", "4.9.2", "",
            *_NAMES, Item.BAK_EXPIRE, Item.TK_RAND, Item.ENCRYPTED_BAK,
        ),
        _row(Mode.DELETE_BAK, "Delete BAK", "4.9.3", "", *_NAMES),
        _row(
            Mode.RETRIEVE_SRTP_SK, "Retrieve SRTP SK", "4.9.4", "SRTP SK",
            *_NAMES, Item.SK_RAND, Item.PACKET_INDEX,
        ),
        _row(
            Mode.SIGN_AUTHORIZATION, "Generate Authorization Signature", "4.9.5", "signature",
            *_NAMES, Item.TIMESTAMP,
        ),
        _row(Mode.AUTHENTICATE, "BCMCS Authentication", "4.9.6", "response", Item.RAND, Item.CHALLENGE),
    )
}  # fmt: skip


def _tag(value: int, item: Item) -> Choice:
    return Choice(value, f"tag of the object {item}", Ref(DOCUMENT, "annex B", _OURS))


TAGS: Mapping[str, Choice] = {item: _tag(0x80 + number, item) for number, item in enumerate(Item)}
DEFAULT_TAGS: Mapping[str, int] = {name: choice.value for name, choice in TAGS.items()}
"""The tags of a card whose profile gives no others."""


@lean_dataclass(frozen=True, slots=True)
class Span:
    """How many bytes an object may have."""

    least: int
    most: int


# provisional: all sizes but those of the keys are our choice.
SIZES: Mapping[Item, Span] = {
    Item.FLOW_ID: Span(1, 16),
    Item.BAK_ID: Span(1, 4),
    Item.SK_RAND: Span(4, 4),
    Item.BAK_EXPIRE: Span(1, 8),
    Item.TK_RAND: Span(16, 16),
    Item.ENCRYPTED_BAK: Span(16, 32),
    Item.PACKET_INDEX: Span(6, 6),
    Item.TIMESTAMP: Span(1, 8),
    Item.RAND: Span(16, 16),
    Item.CHALLENGE: Span(1, 64),
}

BCMCS_STATUS: Mapping[str, Choice] = {
    "bak_not_found": Choice(
        SW.BAK_NOT_FOUND, "answer to an unknown BAK_ID outside Delete BAK", Ref(DOCUMENT, "4.9", _OURS)
    ),
    "flow_not_found": Choice(
        SW.FLOW_NOT_FOUND, "answer to an unknown BCMCS_Flow_ID outside Delete BAK", Ref(DOCUMENT, "4.9", _OURS)
    ),
    "bak_expired": Choice(
        SW.CONDITIONS_NOT_SATISFIED, "answer to a BAK whose BAK_Expire has come", Ref(DOCUMENT, "4.9", _OURS)
    ),
    "malformed": Choice(SW.WRONG_DATA, "answer to objects that are wrong", Ref(DOCUMENT, "4.9", _OURS)),
    "no_room": Choice(SW.NOT_ENOUGH_MEMORY, "answer when every flow has its BAK", Ref(DOCUMENT, "4.9.2", _OURS)),
}
