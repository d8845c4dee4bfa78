"""The result of an LTKM: taken or not and why, what to send back, and which request to the network is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from card.codec.mikey import MbmsKeyIds, SecurityPolicy
from card.spec.bcast.ratings import rating_words
from card.spec.bcast.tables import Reason
from card.spec.status import SW, describe
from host_tools.terminal.answers import MskAnswer

_CURRENT = bytes(2)  # the Key Number that stands for the current MSK (TS 33.246 clause 6.3.2.1)


class LtkmVerdict(Enum):
    """The result of an LTKM. The value is what a person reads."""

    TAKEN = "taken"
    STALE = "its T is not newer than that of the last LTKM under this MUK: it was sent before"
    NO_LTKM = "it is no LTKM: its EXT names no MSK, or names an MTK as well"
    OUTDATED_MUK = "it came under the MUK used before the one generated last"
    NAF_KEY_GONE = "the card has no NAF key for the MUK"
    UNKNOWN_MUK = "the card knows no such MUK"
    NOT_AUTHENTIC = "message authentication failed"
    NO_ROOM_FOR_MSK = "EF_MSK has no free record"
    NO_ROOM_FOR_MUK = "EF_MUK has no free record"
    POLICY = "the card's policies refuse it"
    REFUSED = "refused for another reason"


_VERDICT_OF_SW: Mapping[int, LtkmVerdict] = MappingProxyType(
    {
        SW.KEY_FRESHNESS_FAILURE: LtkmVerdict.OUTDATED_MUK,
        SW.CONDITIONS_NOT_SATISFIED: LtkmVerdict.NAF_KEY_GONE,
        SW.REFERENCED_DATA_NOT_FOUND: LtkmVerdict.UNKNOWN_MUK,
        SW.INCORRECT_MAC: LtkmVerdict.NOT_AUTHENTIC,
        SW.NO_MEMORY_EF_MSK: LtkmVerdict.NO_ROOM_FOR_MSK,
        SW.NO_MEMORY_EF_MUK: LtkmVerdict.NO_ROOM_FOR_MUK,
    }
)


def verdict_of(sw: int) -> LtkmVerdict:
    """Return what a status word of MSK update says (TS 31.102 clause 7.1.1.6)."""
    return _VERDICT_OF_SW.get(sw, LtkmVerdict.REFUSED)


@dataclass(frozen=True, slots=True)
class MskRequest:
    """An MSK request that is due: the current MSK of this key group (TS 33.246 clause 6.3.2.2).

    `key_domain_id` has 3 bytes, `key_group` 2. With `back_off` the terminal waits first, as the service announcement
    says; only a solicited pull is answered at once. `b_tid` is the B-TID to ask under, "" where it cannot be told.
    """

    key_domain_id: bytes
    key_group: bytes
    back_off: bool
    b_tid: str = ""

    @property
    def msk_id(self) -> bytes:
        """The MSK ID to ask for (4 bytes)."""
        return self.key_group + _CURRENT

    def __str__(self) -> str:
        when = "after the back-off time" if self.back_off else "at once"
        under = f" under B-TID {self.b_tid}" if self.b_tid else ""
        return f"request the current MSK of {self.key_domain_id.hex()}/{self.key_group.hex()} {when}{under}"


def is_pull(ids: MbmsKeyIds) -> bool:
    """Tell whether the key IDs are those of a solicited pull: Key Number 0 (TS 33.246 clause 6.3.2.2.4)."""
    return ids.key_number == _CURRENT


@dataclass(frozen=True, slots=True)
class LtkmReceipt:
    """The result of an LTKM.

    `verification` is what to send back to the network, if anything. `answer` is the card's, None when it refused with a
    status word (`sw`) or never saw the message. `refusal` says why the card did not take it, which in the BCAST form
    comes with a normal status word. `request` is due at the network. `policies` are the SP payloads taken into use.
    `ids` name the key it is about, where the message could be read.
    """

    verdict: LtkmVerdict
    verification: bytes | None = None
    answer: MskAnswer | None = None
    refusal: Reason | None = None
    sw: int = SW.OK
    request: MskRequest | None = None
    policies: tuple[SecurityPolicy, ...] = field(default=())
    ids: MbmsKeyIds | None = field(default=None, compare=False)

    @property
    def taken(self) -> bool:
        """True when the card took the message."""
        return self.verdict is LtkmVerdict.TAKEN

    @property
    def words(self) -> str:
        """The result, for a person."""
        said = self.refusal.replace("_", " ") if self.refusal else self.verdict.value
        status = "" if self.sw == SW.OK else f" ({describe(self.sw)})"
        if self.answer is not None and self.answer.rating is not None:
            status += f"; level granted: {rating_words(*self.answer.rating)}"
        return f"{said}{status}" + (f"; {self.request}" if self.request else "")
