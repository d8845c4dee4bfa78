"""How the card decides about an LTKM and an STKM under the OMA BCAST rules: the rows, and nothing else.

Sources: the definitions of resending check, anti-replay, validity and play-back in the OMA change requests; the order
of the rows and what no source decides is ours (docs/spec/bcast.md). A `Reason` ends in a refusal.
"""

from __future__ import annotations

from enum import Enum

from card.domain.messages.decision import DecisionTable, Rule
from card.spec.bcast.tables import Reason


class StkmState(Enum):
    """Where the decision about a verified STKM stands."""

    __hash__ = object.__hash__  # members are compared by identity; hashing their names costs every STKM time

    VERIFIED = "verified"
    LIVE = "live"
    PLAYBACK = "play-back"
    CHANNEL = "channel"
    RATING = "rating"
    PAYMENT = "payment"
    LACKING = "lacking credit"


class StkmCondition(Enum):
    """What is asked about an STKM. The value is what a person reads."""

    __hash__ = object.__hash__  # as above

    NEW_TIMESTAMP = "timestamp above the last live one"
    NO_RECORD = "no policy record for this direction"
    NONE_VALID = "timestamp outside the validity of every record"
    NEEDS_CHANNEL = "content protection without binding key or secure channel"
    ALLOWED = "no rating above the level granted, or the parental PIN given for this service"
    NO_PIN = "there is no parental PIN"
    PIN_BLOCKED = "the parental PIN is blocked"
    WITHOUT_POLICY = "plain MBMS key"
    RESENT = "the TEK of the last STKM again"
    PAYABLE = "nothing is due now under a record, or one has the credit"
    LACKS_PLAYBACKS = "the first record is paid from a play-back counter"
    LACKS_TEKS = "the first record is paid from a TEK counter"


class Grant(Enum):
    """The TEK leaves the card."""

    FREE = "free"
    PAID = "by a record"


_S, _C = StkmState, StkmCondition

STKM_RULES: DecisionTable[StkmState, StkmCondition, Grant | Reason] = DecisionTable(
    (
        Rule(_S.VERIFIED, _C.NEW_TIMESTAMP, _S.LIVE),
        Rule(_S.VERIFIED, None, _S.PLAYBACK),
        Rule(_S.LIVE, _C.NO_RECORD, Reason.NO_LIVE_RIGHT),
        Rule(_S.LIVE, _C.NONE_VALID, Reason.OUTSIDE_VALIDITY),
        Rule(_S.LIVE, None, _S.CHANNEL),
        Rule(_S.PLAYBACK, _C.NO_RECORD, Reason.STKM_REPLAYED),
        Rule(_S.PLAYBACK, _C.NONE_VALID, Reason.NO_PLAYBACK_RIGHT),
        Rule(_S.PLAYBACK, None, _S.CHANNEL),
        Rule(_S.CHANNEL, _C.NEEDS_CHANNEL, Reason.SECURE_CHANNEL_NEEDED),
        Rule(_S.CHANNEL, None, _S.RATING),
        Rule(_S.RATING, _C.ALLOWED, _S.PAYMENT),
        Rule(_S.RATING, _C.NO_PIN, Reason.RATING_FIXED),
        Rule(_S.RATING, _C.PIN_BLOCKED, Reason.PARENTAL_PIN_BLOCKED),
        Rule(_S.RATING, None, Reason.PARENTAL_PIN_NEEDED),
        Rule(_S.PAYMENT, _C.WITHOUT_POLICY, Grant.FREE),
        Rule(_S.PAYMENT, _C.RESENT, Grant.FREE),
        Rule(_S.PAYMENT, _C.PAYABLE, Grant.PAID),
        Rule(_S.PAYMENT, None, _S.LACKING),
        Rule(_S.LACKING, _C.LACKS_PLAYBACKS, Reason.PLAYBACK_COUNTER_USED_UP),
        Rule(_S.LACKING, _C.LACKS_TEKS, Reason.TEK_COUNTER_USED_UP),
        Rule(_S.LACKING, None, Reason.NO_CREDIT),
    )
)
"""A key with policy records starts at VERIFIED; a plain MBMS key has passed the MBMS rules and starts at CHANNEL."""


class LtkmState(Enum):
    """Where the decision about a verified LTKM stands."""

    VERIFIED = "verified"
    POLICY = "policy"
    TOKENS = "tokens without a key"
    RECORD = "record"


class LtkmCondition(Enum):
    """What is asked about an LTKM. The value is what a person reads."""

    NO_POLICY = "no policy: extension absent or its flag clear"
    SPE_UNKNOWN = "security policy extension not supported"
    WITHOUT_KEY = "key number 0 or empty key"
    TOKENS_ASTRAY = "tokens came for a policy without a purse"
    NO_TOKENS = "no tokens came"
    EMPTY_INTERVAL = "lower bound above upper bound"
    KNOWN = "a record with this identity is there"
    NO_ROOM = "no room for another record"


class LtkmAction(Enum):
    """What an accepted LTKM does."""

    PLAIN = "store or withdraw by the MBMS rules"
    FILL_PURSE = "fill the purse"
    WITHDRAW = "delete the record, and the key with its last one"
    OVERWRITE = "overwrite the record"
    ADD = "add the record"


_L, _Q = LtkmState, LtkmCondition

LTKM_RULES: DecisionTable[LtkmState, LtkmCondition, LtkmAction | Reason] = DecisionTable(
    (
        Rule(_L.VERIFIED, _Q.NO_POLICY, LtkmAction.PLAIN),
        Rule(_L.VERIFIED, _Q.SPE_UNKNOWN, Reason.SPE_NOT_SUPPORTED),
        Rule(_L.VERIFIED, None, _L.POLICY),
        Rule(_L.POLICY, _Q.TOKENS_ASTRAY, Reason.NO_PURSE),
        Rule(_L.POLICY, _Q.WITHOUT_KEY, _L.TOKENS),
        Rule(_L.POLICY, _Q.EMPTY_INTERVAL, LtkmAction.WITHDRAW),
        Rule(_L.POLICY, None, _L.RECORD),
        Rule(_L.TOKENS, _Q.NO_TOKENS, Reason.NO_PURSE),
        Rule(_L.TOKENS, None, LtkmAction.FILL_PURSE),
        Rule(_L.RECORD, _Q.KNOWN, LtkmAction.OVERWRITE),
        Rule(_L.RECORD, _Q.NO_ROOM, Reason.NO_ROOM),
        Rule(_L.RECORD, None, LtkmAction.ADD),
    )
)
