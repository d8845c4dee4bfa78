"""Every value of the card's rules that no source confirms, in tables, in this one place.

Nothing here may be called conformant. Each row says what it decides and why it stands as it does; whoever holds the
specification or a physical card corrects the card by editing a row (docs/spec/provisional.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from card.lean import lean_dataclass
from card.spec.refs import Confidence, Ref
from card.spec.status import SW


@lean_dataclass(frozen=True, slots=True)
class Choice:
    """One provisional value."""

    value: int
    decides: str
    ref: Ref


_OURS = Confidence.OURS

MBMS_STATUS: Mapping[str, Choice] = {
    "unusable_message": Choice(
        SW.INCORRECT_MAC,
        "answer to a MIKEY message that cannot be read or used: the text has one word for a validation that failed",
        Ref("TS 31.102", "7.1.1.6", _OURS),
    ),
    "malformed_object": Choice(
        SW.WRONG_LENGTH,
        "answer to a data object that cannot be read; 6A80 is not among the words of the command",
        Ref("TS 31.102", "7.3.2", _OURS),
    ),
    "msk_replay": Choice(
        SW.INCORRECT_MAC,
        "answer to an MSK message whose counter is not new",
        Ref("TS 31.102", "7.1.1.6", _OURS),
    ),
    "mtk_replay": Choice(
        SW.KEY_FRESHNESS_FAILURE,
        "answer to an MTK message whose counter is not new",
        Ref("TS 31.102", "7.1.1.8", _OURS),
    ),
    "retrieval_without_response": Choice(
        SW.CONDITIONS_NOT_SATISFIED,
        "answer to a retrieval when nothing waits",
        Ref("TS 102 221", "11.1.16", _OURS),
    ),
    "block_out_of_order": Choice(
        SW.WRONG_P1_P2, "answer to a next block without a first one", Ref("TS 102 221", "11.1.16", _OURS)
    ),
}

CAPACITY: Mapping[str, Choice] = {
    "naf_keys": Choice(8, "number of Ks_int_NAF kept, records of EF_GBANL", Ref("TS 33.220", "G.2", _OURS)),
    "muk_records": Choice(8, "records of EF_MUK", Ref("TS 31.102", "4.2.81", _OURS)),
    "forgotten_keys": Choice(
        64, "number of keys of a kind that are gone whose counters are remembered", Ref("TS 33.246", "6.4", _OURS)
    ),
    "msk_groups": Choice(16, "records of EF_MSK", Ref("TS 31.102", "4.2.80", _OURS)),
    "local_keys": Choice(8, "number of Ks_local kept by an application", Ref("TS 31.102", "7.1.1.11", _OURS)),
    "object_size": Choice(16384, "longest data object accepted in blocks, bytes", Ref("TS 102 221", "11.1.16", _OURS)),
}
