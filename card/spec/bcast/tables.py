"""The shape of the tables that hold everything provisional about the OMA BCAST Smartcard Profile.

The text of OMA-TS-BCAST_SvcCntProtection was not at hand: bit layouts, SPE numbers, status values and the tags of the
OMA BCAST command are recalled weakly or chosen by us. All of them are data here. A named set (`p1`, `x2`)
fills the tables, a card profile may override any part (`[bcast.tables]`), and personalisation writes the result into
the card file.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from card.lean import lean_dataclass
from card.spec.bcast.ratings import is_unrated
from card.spec.refs import Confidence, Ref

SERVICE_AND_CONTENT_PROTECTION = "OMA-TS-BCAST_SvcCntProtection"


class TrafficProtection(IntEnum):
    """Values of traffic_protection_protocol in an STKM. provisional: the number of SRTP."""

    SRTP = 1


class FieldKind(StrEnum):
    """What a field of a layout holds."""

    NUMBER = "number"  # an unsigned number of `bits` bits
    DESCRIPTORS = "descriptors"  # a count of `bits` bits, then so many { tag 1, length 1, data }
    OCTETS = "octets"  # a length of `bits` bits, then so many bytes


@lean_dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of a layout. It is present when the field named in `when` is present and not 0 ("": always)."""

    name: str
    bits: int
    when: str = ""
    kind: FieldKind = FieldKind.NUMBER


Layout = tuple[FieldRow, ...]
RESERVED = "reserved"
"""Fields whose name begins so are read and forgotten, and written as 0."""
COST = "cost"
"""Stands in `when` for: the security policy extension is paid from a purse."""


class Direction(StrEnum):
    """What an STKM is for: its timestamp is new (live), or it was there before (play-back)."""

    LIVE = "live"
    PLAYBACK = "play-back"


class Debit(StrEnum):
    """When a policy is paid."""

    NEVER = "never"
    EACH_TEK = "each new TEK"
    EACH_PLAYBACK = "each start of a play-back"
    ONCE = "once per key and validity"


class Source(StrEnum):
    """What a policy is paid from."""

    NOTHING = "nothing"
    LIVE_PPT = "live PPT purse"  # of the key group
    PLAYBACK_PPT = "play-back PPT purse"  # of the key group
    SERVICE = "service purse"  # of the key group, live and play-back together
    USER = "user purse"  # of the key domain
    PLAYBACK_COUNTER = "play-back counter"  # of the policy record
    TEK_COUNTER = "TEK counter"  # of the policy record

    @property
    def is_purse(self) -> bool:
        """True for the four purses, which are paid with the policy's cost value; a counter falls by 1."""
        return self in (Source.LIVE_PPT, Source.PLAYBACK_PPT, Source.SERVICE, Source.USER)

    @property
    def is_counter(self) -> bool:
        """True for the two counters that a policy record holds itself."""
        return self in (Source.PLAYBACK_COUNTER, Source.TEK_COUNTER)


@lean_dataclass(frozen=True, slots=True)
class SpeRow:
    """One value of the security policy extension.

    Of several usable records the one of lowest `priority` pays; one under which nothing is due now goes before them.
    """

    value: int
    name: str
    direction: Direction
    debit: Debit
    source: Source
    priority: int
    confidence: Confidence = Confidence.OURS


class Reason(StrEnum):
    """How the card's rules end: done, or refused and why. What each becomes on the wire is a row of the tables."""

    DONE = "done"
    SPE_NOT_SUPPORTED = "spe_not_supported"
    NO_CREDIT = "no_credit"
    PLAYBACK_COUNTER_USED_UP = "playback_counter_used_up"
    TEK_COUNTER_USED_UP = "tek_counter_used_up"
    OUTSIDE_VALIDITY = "outside_validity"
    NO_PLAYBACK_RIGHT = "no_playback_right"
    PARENTAL_PIN_NEEDED = "parental_pin_needed"
    PARENTAL_PIN_BLOCKED = "parental_pin_blocked"
    RATING_FIXED = "rating_fixed"
    PURSE_OVERFLOW = "purse_overflow"
    SECURE_CHANNEL_NEEDED = "secure_channel_needed"
    RECORDED = "recorded"
    NO_LIVE_RIGHT = "no_live_right"
    STKM_REPLAYED = "stkm_replayed"
    LTKM_REPLAYED = "ltkm_replayed"
    NO_ROOM = "no_room"
    NO_PURSE = "no_purse"


NOT_PROTECTED, PROTECTED_IN_PLAYBACK = "service_protection", "content_protection_in_playback"
"""Names of two values of protection_after_reception. With any other the content stays protected once received."""

LOWEST_STATUS_WORD = 0x100
"""An answer below this is a status byte inside the BCAST template; from here on it is a status word."""


@lean_dataclass(frozen=True, slots=True)
class BcastTables:
    """One complete set.

    `answers` gives the status byte or status word of every `Reason`. `descriptors`, `response_tags`, `audit_tags`,
    `modes`, `properties` (bit masks), `capacity` and `protection` (values of protection_after_reception) are read by
    name; a response tag of 0 leaves its object out.
    `identity_with_validity`: records of one key and SPE that differ in their validity stand side by side.
    `lower_is_stricter`: types of rating of which a value below the level granted is held back; of all others, one
    above it. `unrated_is_held`: a value that says "not rated" is held back wherever a level is granted, else never.
    """

    name: str
    ltkm: Layout
    stkm: Layout
    parental: Layout
    spe: tuple[SpeRow, ...]
    answers: Mapping[Reason, int]
    descriptors: Mapping[str, int]
    response_tags: Mapping[str, int]
    audit_tags: Mapping[str, int]
    modes: Mapping[str, int]
    properties: Mapping[str, int]
    capacity: Mapping[str, int]
    protection: Mapping[str, int]
    pin_reference: int
    identity_with_validity: bool
    lower_is_stricter: tuple[int, ...]
    unrated_is_held: bool
    service_purse: bool = False
    secure_channel: bool = False

    def find_spe(self, value: int) -> SpeRow | None:
        """Return the row of an SPE value that this card supports, or None."""
        for row in self.spe:
            if row.value == value and (self.service_purse or row.source is not Source.SERVICE):
                return row
        return None

    def is_too_strict(self, rating_type: int, value: int, level: int) -> bool:
        """Tell whether a rating is held back where `level` is granted for its type (one byte each)."""
        if is_unrated(rating_type, value):
            return self.unrated_is_held
        return value < level if rating_type in self.lower_is_stricter else value > level

    def no_level(self, rating_type: int) -> int:
        """Return the level of a type that holds nothing back."""
        return 0x00 if rating_type in self.lower_is_stricter else 0xFF

    def stays_protected(self, protection: int, direction: Direction) -> bool:
        """Tell whether protection_after_reception means content protection for an STKM of this direction."""
        if protection == self.protection[PROTECTED_IN_PLAYBACK]:
            return direction is Direction.PLAYBACK
        return protection != self.protection[NOT_PROTECTED]

    @property
    def ref(self) -> Ref:
        """What the tables stand in for: nothing in them is conformant."""
        return Ref(SERVICE_AND_CONTENT_PROTECTION, "6.6, 6.7 and the APDU annex", Confidence.OURS)
