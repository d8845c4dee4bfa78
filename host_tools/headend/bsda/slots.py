"""What the BSD/A is to send next, and when: one STKM, or one packet of media."""

from __future__ import annotations

from card.lean import lean_dataclass
from host_tools.headend.service_keys import KeyTerm
from host_tools.headend.services import Service

FRAME_MILLISECONDS = 20


@lean_dataclass(frozen=True, slots=True)
class StkmSlot:
    """One STKM goes out at `at` for crypto period `mtk_id`, with T = `counter`.

    `copy` counts from 0 how often the same bytes went out before.
    """

    at: int
    service: Service
    key: KeyTerm
    mtk_id: int
    counter: int
    copy: int


@lean_dataclass(frozen=True, slots=True)
class MediaSlot:
    """One RTP packet goes out at `at`, the `number`-th of its service, in crypto period `mtk_id`."""

    at: int
    service: Service
    key: KeyTerm
    mtk_id: int
    number: int
