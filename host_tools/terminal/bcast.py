"""Key delivery as the terminal sees it: LTKM in, receipt out; STKM in, TEK or a reason out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from card.crypto.secret import Secret
from card.spec.status import SW, describe
from host_tools.apdu.response import StatusError
from host_tools.terminal.answers import BcastStatus, MskAnswer, MtkAnswer, ParentalRequest
from host_tools.terminal.usim import Usim


class RefusalReason(Enum):
    """Why an STKM gave no TEK. The value is what a person reads."""

    UNKNOWN_KEY = "no key for this service in the card"
    MAC_OR_REPLAY = "message authentication failed or the message was replayed"
    NOT_FRESH = "the key came under a key that was replaced since"
    CONDITIONS = "conditions of use not satisfied (outside the key's validity)"
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
    POLICY_NOT_SUPPORTED = "the card does not know the key's policy"
    SECURE_CHANNEL_NEEDED = "the card gives this key only inside a secure channel"
    OTHER = "refused for another reason"


@dataclass(frozen=True, slots=True)
class Tek:
    """A traffic encryption key (16 bytes) and, for SRTP, its salt (14 bytes)."""

    key: Secret
    salt: Secret | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The card gave no TEK. `words` explains it with the status; `parental` names the PIN to ask for."""

    reason: RefusalReason
    words: str
    sw: int = SW.OK
    parental: ParentalRequest | None = None


StkmOutcome = Tek | Refusal


@dataclass(frozen=True, slots=True)
class LtkmReceipt:
    """The card took an LTKM; `verification` is what to send back to the network, if anything."""

    verification: bytes | None
    answer: MskAnswer


_REASON_OF_SW: Mapping[int, RefusalReason] = MappingProxyType(
    {
        SW.REFERENCED_DATA_NOT_FOUND: RefusalReason.UNKNOWN_KEY,
        SW.INCORRECT_MAC: RefusalReason.MAC_OR_REPLAY,
        SW.KEY_FRESHNESS_FAILURE: RefusalReason.NOT_FRESH,
        SW.CONDITIONS_NOT_SATISFIED: RefusalReason.CONDITIONS,
        SW.WRONG_DATA: RefusalReason.MALFORMED,
        SW.SECURITY_NOT_SATISFIED: RefusalReason.PIN_NEEDED,
        SW.CONTEXT_NOT_SUPPORTED: RefusalReason.NOT_SUPPORTED,
        SW.SECURE_CHANNEL_REQUIRED: RefusalReason.SECURE_CHANNEL_NEEDED,
    }
)

_REASON_OF_STATUS: Mapping[int, RefusalReason] = MappingProxyType(
    {
        BcastStatus.SPE_NOT_SUPPORTED: RefusalReason.POLICY_NOT_SUPPORTED,
        BcastStatus.NO_CREDIT: RefusalReason.NO_CREDIT,
        BcastStatus.PLAYBACK_USED_UP: RefusalReason.PLAYBACK_USED_UP,
        BcastStatus.TEK_COUNTER_USED_UP: RefusalReason.TEK_COUNTER_USED_UP,
        BcastStatus.OUTSIDE_VALIDITY: RefusalReason.CONDITIONS,
        BcastStatus.NO_PLAYBACK_RIGHT: RefusalReason.NO_PLAYBACK_RIGHT,
        BcastStatus.PARENTAL_PIN_NEEDED: RefusalReason.PARENTAL_PIN_NEEDED,
        BcastStatus.PARENTAL_PIN_BLOCKED: RefusalReason.PARENTAL_PIN_BLOCKED,
        BcastStatus.RATING_FIXED: RefusalReason.RATING_FIXED,
        BcastStatus.SECURE_CHANNEL_NEEDED: RefusalReason.SECURE_CHANNEL_NEEDED,
    }
)


def deliver_ltkm(usim: Usim, ltkm: bytes) -> LtkmReceipt:
    """Give an LTKM (MIKEY bytes) to the card.

    Raises `StatusError` when the card refuses it, `MalformedAnswerError`, `LinkError`.
    """
    answer = usim.msk_update(ltkm)
    return LtkmReceipt(answer.verification, answer)


def feed_stkm(usim: Usim, stkm: bytes) -> StkmOutcome:
    """Give an STKM (MIKEY bytes) to the card and return the TEK or the reason why there is none.

    Raises `MalformedAnswerError`, `LinkError`; a refusal is an outcome and no error.
    """
    try:
        answer = usim.mtk_generation(stkm)
    except StatusError as error:
        reason = _REASON_OF_SW.get(error.sw, RefusalReason.OTHER)
        return Refusal(reason, f"{reason.value} ({describe(error.sw)})", error.sw)
    return _outcome(answer)


def _outcome(answer: MtkAnswer) -> StkmOutcome:
    if answer.key is not None:
        return Tek(answer.key, answer.salt)
    status = answer.status or 0
    reason = _REASON_OF_STATUS.get(status, RefusalReason.OTHER)
    return Refusal(reason, f"{reason.value} (BCAST status {status:02X})", parental=answer.parental)
