"""What a player counts while it plays."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from host_tools.terminal.absent import WithoutKey

if TYPE_CHECKING:
    from host_tools.terminal.decision import Decision
    from host_tools.terminal.departure import Departure

_TIMES_KEPT = 65_536  # the newest; memory stays bounded however long the capture is
MKIS_COUNTED = 64


@dataclass(slots=True)
class PlayStatistics:
    """Counters of one run.

    STKMs: `stkms_seen` in all; `stkms_resent` of them repeat a traffic key, `stkms_filtered` of those were
    identical and kept from the card; `stkms_stale` were kept from it, too: as T or MTK ID of a plain MBMS key say, they
    were sent before; `stkms_fed` went to the card; `refusals` counts reasons; `stkms_unreadable` are datagrams on the
    STKM port that are no STKM. `remedies` counts refusals that were answered with a purchase or a PIN.
    `unplayable` counts TEKs that no protection here can use, by why. `granted` counts the TEKs given by why, where
    decisions are explained. `stkms_again` are STKMs that were given once more when their key had come. `departures` are
    services left of which the card was told, `departures_refused` those it would not hear of. `packets_*` count media
    packets: `packets_repeated` are authentic copies of earlier ones, `packets_failed` did not open and `failures` says
    why. `missing_keys` counts those without key by the name they have for it (the MKI of SRTP), for the first 64 names;
    `why_without_key` counts all of them by why. `others` are datagrams that are neither STKM nor media, by reason.
    """

    stkms_seen: int = 0
    stkms_resent: int = 0
    stkms_filtered: int = 0
    stkms_stale: int = 0
    stkms_fed: int = 0
    stkms_unreadable: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    granted: Counter[str] = field(default_factory=Counter)
    remedies: int = 0
    stkms_again: int = 0
    departures: int = 0
    departures_refused: int = 0
    teks: int = 0
    unplayable: Counter[str] = field(default_factory=Counter)
    packets_seen: int = 0
    packets_decrypted: int = 0
    packets_repeated: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    packets_without_key: int = 0
    why_without_key: Counter[WithoutKey] = field(default_factory=Counter)
    missing_keys: Counter[bytes] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMES_KEPT), repr=False)

    @property
    def stkms_refused(self) -> int:
        """Number of STKMs that gave no traffic key."""
        return self.refusals.total()

    @property
    def teks_unplayable(self) -> int:
        """Number of TEKs that no protection here can use."""
        return self.unplayable.total()

    @property
    def packets_failed(self) -> int:
        """Number of media packets that did not open although their key was there."""
        return self.failures.total()

    def count_decision(self, decision: Decision) -> None:
        """Count why a TEK was given, if that is known."""
        explanation = decision.explanation
        if decision.granted and explanation is not None and explanation.direction is not None:
            from host_tools.terminal.audit import quantity_words

            sources = " and ".join(quantity_words(paid.source) for paid in explanation.payments)
            self.granted[f"{explanation.direction.value}, {f'from {sources}' if sources else 'free'}"] += 1

    def count_without_key(self, name: bytes, why: WithoutKey) -> None:
        """Count a packet whose key did not come; `name` is what it calls it, no byte without one."""
        self.packets_without_key += 1
        self.why_without_key[why] += 1
        if name in self.missing_keys or len(self.missing_keys) < MKIS_COUNTED:
            self.missing_keys[name] += 1

    def came_late(self, given_up: Mapping[WithoutKey, int]) -> None:
        """A key came for which so many packets had been given up, by why."""
        for why, count in given_up.items():
            self.why_without_key[why] -= count
            self.why_without_key[WithoutKey.LATE] += count

    def count_departure(self, departure: Departure) -> None:
        """Count a service that was left."""
        self.departures += departure.told
        self.departures_refused += not departure.told

    def add_time(self, seconds: float) -> None:
        """Take the time one STKM took to its TEK or refusal."""
        self._seconds.append(seconds)

    @property
    def packets_shut(self) -> int:
        """Number of media packets that did not open: not authentic, or without key."""
        return self.packets_failed + self.packets_without_key

    @property
    def median_ms(self) -> float:
        """Median time of an STKM fed to the card, in milliseconds; 0 when there was none."""
        return median(self._seconds) * 1000 if self._seconds else 0.0

    @property
    def p99_ms(self) -> float:
        """99th percentile of the time of an STKM, in milliseconds; 0 when there was none."""
        ordered = sorted(self._seconds)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000 if ordered else 0.0

    def as_dict(self) -> dict[str, object]:
        """Return everything by name, ready for JSON; times in milliseconds."""
        return {
            "stkms": {
                "seen": self.stkms_seen,
                "resent": self.stkms_resent,
                "filtered": self.stkms_filtered,
                "stale": self.stkms_stale,
                "fed": self.stkms_fed,
                "refused": self.stkms_refused,
                "refusals": dict(self.refusals.most_common()),
                "remedies": self.remedies,
                "again": self.stkms_again,
                "granted": dict(self.granted.most_common()),
                "unreadable": self.stkms_unreadable,
                "median_ms": round(self.median_ms, 3),
                "p99_ms": round(self.p99_ms, 3),
            },
            "departures": {"told": self.departures, "refused": self.departures_refused},
            "teks": self.teks,
            "teks_unplayable": self.teks_unplayable,
            "packets": {
                "seen": self.packets_seen,
                "decrypted": self.packets_decrypted,
                "repeated": self.packets_repeated,
                "failed": self.packets_failed,
                "failures": dict(self.failures.most_common()),
                "without_key": self.packets_without_key,
                "why_without_key": {why.value: count for why, count in (+self.why_without_key).items()},
                "missing_mkis": {mki.hex(): count for mki, count in self.missing_keys.most_common()},
            },
            "other_datagrams": dict(self.others.most_common()),
        }
