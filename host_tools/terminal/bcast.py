"""An STKM as the terminal sees it: a TEK comes out, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from card.crypto.secret import Secret
from card.spec.bcast.tables import LOWEST_STATUS_WORD, BcastTables, Reason
from card.spec.status import SW, describe
from host_tools.apdu.response import StatusError
from host_tools.terminal.answers import MtkAnswer, ParentalRequest
from host_tools.terminal.card_application import CardApplication


class RefusalReason(Enum):
    """Why an STKM gave no TEK. The value is what a person reads."""

    UNKNOWN_KEY = "no key for this service in the card"
    WRONG_MAC = "message authentication failed, or the message cannot be used"
    NOT_FRESH = "not fresh: the traffic key's number is outside the key's validity or was reached before"
    CONDITIONS = "conditions of use not satisfied: the key was invalidated, or gives no right for live"
    MALFORMED = "the message is malformed"
    PIN_NEEDED = "the card wants its PIN first"
    NOT_SUPPORTED = "the card does not do MBMS security"
    NO_CREDIT = "not enough credit"
    PLAYBACK_USED_UP = "the number of play-backs is used up"
    TEK_COUNTER_USED_UP = "the number of traffic keys is used up"
    NO_PLAYBACK_RIGHT = "no right to play this back"
    PARENTAL_PIN_NEEDED = "the parental PIN is needed"
    PARENTAL_PIN_BLOCKED = "the parental PIN is blocked"
    RATING_FIXED = "the rating cannot be overridden"
    OUTSIDE_VALIDITY = "outside the time the policy is valid for"
    POLICY_NOT_SUPPORTED = "the card does not know the key's policy"
    SECURE_CHANNEL_NEEDED = "the card gives this key only inside a secure channel"
    BINDING_KEY_MISSING = "the key is bound to terminals, and this one has no binding key"
    OTHER = "refused for another reason"


@dataclass(frozen=True, slots=True)
class Tek:
    """A traffic encryption key (16, 24 or 32 bytes) and, for SRTP, its salt (14 bytes).

    `protection` is protection_after_reception (0 to 3), where the card reports it. `is_bcast` says that its key or its
    STKM is under the rules of OMA BCAST.
    """

    key: Secret
    salt: Secret | None = None
    protection: int | None = field(default=None, compare=False)
    is_bcast: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The card gave no TEK. `words` explains it with the status; `parental` names the PIN to ask for."""

    reason: RefusalReason
    words: str
    sw: int = SW.OK
    parental: ParentalRequest | None = None

    @property
    def said(self) -> str:
        """The words, and the rating where that is why."""
        return self.words if self.parental is None else f"{self.words}: {self.parental}"


StkmOutcome = Tek | Refusal


_REASON_OF_SW: Mapping[int, RefusalReason] = MappingProxyType(
    {
        SW.REFERENCED_DATA_NOT_FOUND: RefusalReason.UNKNOWN_KEY,
        SW.INCORRECT_MAC: RefusalReason.WRONG_MAC,
        SW.KEY_FRESHNESS_FAILURE: RefusalReason.NOT_FRESH,
        SW.CONDITIONS_NOT_SATISFIED: RefusalReason.CONDITIONS,
        SW.WRONG_DATA: RefusalReason.MALFORMED,
        SW.SECURITY_NOT_SATISFIED: RefusalReason.PIN_NEEDED,
        SW.CONTEXT_NOT_SUPPORTED: RefusalReason.NOT_SUPPORTED,
        SW.SECURE_CHANNEL_REQUIRED: RefusalReason.SECURE_CHANNEL_NEEDED,
    }
)

_WORDS_OF_REASON: Mapping[Reason, RefusalReason] = MappingProxyType(
    {
        Reason.SPE_NOT_SUPPORTED: RefusalReason.POLICY_NOT_SUPPORTED,
        Reason.NO_CREDIT: RefusalReason.NO_CREDIT,
        Reason.PLAYBACK_COUNTER_USED_UP: RefusalReason.PLAYBACK_USED_UP,
        Reason.TEK_COUNTER_USED_UP: RefusalReason.TEK_COUNTER_USED_UP,
        Reason.OUTSIDE_VALIDITY: RefusalReason.OUTSIDE_VALIDITY,
        Reason.NO_PLAYBACK_RIGHT: RefusalReason.NO_PLAYBACK_RIGHT,
        Reason.NO_LIVE_RIGHT: RefusalReason.CONDITIONS,
        Reason.STKM_REPLAYED: RefusalReason.NOT_FRESH,
        Reason.PARENTAL_PIN_NEEDED: RefusalReason.PARENTAL_PIN_NEEDED,
        Reason.PARENTAL_PIN_BLOCKED: RefusalReason.PARENTAL_PIN_BLOCKED,
        Reason.RATING_FIXED: RefusalReason.RATING_FIXED,
        Reason.SECURE_CHANNEL_NEEDED: RefusalReason.SECURE_CHANNEL_NEEDED,
    }
)


def reason_of(status: int, tables: BcastTables) -> Reason | None:
    """Return what a status byte of the BCAST form means by a set of tables, or None."""
    rows = tables.answers.items()
    return next((reason for reason, value in rows if value == status < LOWEST_STATUS_WORD), None)


def feed_stkm(usim: CardApplication, stkm: bytes) -> StkmOutcome:
    """Give an STKM (MIKEY bytes) to the card and return the TEK or the reason why there is none.

    Raises `MalformedAnswerError`, `LinkError`; a refusal is an outcome and no error.
    """
    try:
        answer = usim.mtk_generation(stkm)
    except StatusError as error:
        reason = _REASON_OF_SW.get(error.sw, RefusalReason.OTHER)
        return Refusal(reason, f"{reason.value} ({describe(error.sw)})", error.sw)
    return _outcome(answer, usim.tables)


def _outcome(answer: MtkAnswer, tables: BcastTables) -> StkmOutcome:
    if answer.key is not None:
        return Tek(answer.key, answer.salt, answer.protection, answer.is_bcast)
    status = answer.status or 0
    known = reason_of(status, tables)
    reason = _WORDS_OF_REASON.get(known, RefusalReason.OTHER) if known else RefusalReason.OTHER
    return Refusal(reason, f"{reason.value} (BCAST status {status:02X})", parental=answer.parental)
