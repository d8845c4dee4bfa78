"""Takes notes while a programme plays, and makes a chronicle of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from host_tools.chronicle.model import (
    Balance,
    Chronicle,
    LongTermKeyUse,
    MediaFate,
    Note,
    ServiceStory,
    Slice,
    Stkm,
    StkmFate,
    TrafficKeyUse,
    Validity,
)
from host_tools.chronicle.slices import Gaps, Slices

MOST_SERVICES = 32
MOST_STKMS = 2_000
"""STKMs of one service that are listed; further ones are counted."""

MOST_KEYS = 2_000
MOST_NOTES = 1_000
MOST_POINTS = 2_000
MOST_BALANCES = 32
_MOST_SOURCES = 64
_MOST_LIMITS = 4


@dataclass(slots=True)
class _TrafficKey:
    label: str
    long_term_key: str
    given: float
    first: float | None = None
    last: float = 0.0
    packets: int = 0

    def told(self) -> TrafficKeyUse:
        used = None if self.first is None else (self.first, self.last)
        return TrafficKeyUse(self.label, self.long_term_key, self.given, used, self.packets)


@dataclass(slots=True)
class _LongTermKey:
    came: float | None
    worked: bool = False
    first: float | None = None
    last: float = 0.0
    allows: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Service:
    name: str
    place: str
    long_term_keys: dict[str, _LongTermKey] = field(default_factory=dict)
    traffic_keys: dict[str, _TrafficKey] = field(default_factory=dict)
    stkms: list[Stkm] = field(default_factory=list)
    counts: Counter[StkmFate] = field(default_factory=Counter)
    media: Slices = field(default_factory=Slices)
    gaps: dict[int, Gaps] = field(default_factory=dict)


class Chronicler:
    """Takes notes. Times are in seconds since 1970, on the clock of the programme; the first one is the beginning."""

    def __init__(self) -> None:
        self._begins: float | None = None
        self._now = 0.0
        self._services: dict[str, _Service] = {}
        self._by_place: dict[str, str] = {}
        self._by_key: dict[bytes, tuple[str, str]] = {}
        self._came: dict[str, _LongTermKey] = {}
        self._balances: dict[str, list[tuple[float, int]]] = {}
        self._notes: list[Note] = []
        self._valid: dict[str, list[Validity]] = {}

    @property
    def now(self) -> float:
        """The newest time that was told, in seconds since 1970."""
        return (self._begins or 0.0) + self._now

    def reached(self, time: float) -> None:
        """The programme has got to a moment: what is told later may be of it, as a packet that waited for its key."""
        self.at(time)

    def at(self, time: float) -> float:
        """Take the time; return it in seconds from the beginning. It does not run backwards."""
        if self._begins is None:
            self._begins = time
        moment = max(time - self._begins, 0.0)
        self._now = max(self._now, moment)
        return moment

    # --- keys

    def stkm(self, time: float, place: str, service: str, stkm: Stkm, long_term_key: str, key_name: bytes) -> None:
        """Note an STKM of a service that was sent to `place`; `key_name` is what media call its traffic key."""
        at = self.at(time)
        found = self._service(service, place)
        if found is None:
            return
        found.counts[stkm.fate] += 1
        if len(found.stkms) < MOST_STKMS:
            found.stkms.append(Stkm(at, stkm.key, stkm.timestamp, stkm.fate, stkm.why))
        above = found.long_term_keys.get(long_term_key)
        if above is None and len(found.long_term_keys) < MOST_KEYS:
            came = self._came.pop(long_term_key, None)
            above = found.long_term_keys[long_term_key] = _LongTermKey(None) if came is None else came
        gave = stkm.fate in (StkmFate.NEW, StkmFate.RESENT)
        if above is not None:
            above.first = at if above.first is None else above.first
            above.last = max(above.last, at)
            above.worked = above.worked or gave
        self._by_place[place] = service
        if gave and stkm.key not in found.traffic_keys:
            if len(found.traffic_keys) < MOST_KEYS:
                # Its STKM may have come before, and waited for its long-term key.
                found.traffic_keys[stkm.key] = _TrafficKey(stkm.key, long_term_key, self._now)
            self._by_key[key_name] = (service, stkm.key)
            if len(self._by_key) > MOST_KEYS:
                self._by_key.pop(next(iter(self._by_key)))

    def unreadable(self, time: float, place: str) -> None:
        """Note something at the port of STKMs that is none."""
        self.at(time)
        found = self._service(self._by_place.get(place, place), place)
        if found is not None:
            found.counts[StkmFate.UNREADABLE] += 1

    def ltkm(self, long_term_key: str, words: str, *, taken: bool, allows: str = "") -> None:
        """Note an LTKM that came for a long-term key, its result in words, and what it allows where it was taken."""
        self.note(words, bad=not taken)
        if not taken:
            return
        known = next((one.long_term_keys for one in self._services.values() if long_term_key in one.long_term_keys), {})
        key = known.get(long_term_key) or self._came.get(long_term_key)
        if key is None:
            key = self._came[long_term_key] = _LongTermKey(self._now)
            if len(self._came) > MOST_KEYS:
                self._came.pop(next(iter(self._came)))
        elif key.came is None and not key.worked:  # what was refused until now waited for it
            key.came = self._now
        if allows and allows not in key.allows and len(key.allows) < _MOST_SOURCES:
            key.allows.append(allows)

    def valid(self, long_term_key: str, validity: Validity) -> None:
        """Note what a long-term key is good for; the same again is the same."""
        known = self._valid.setdefault(long_term_key, [])
        if validity not in known and len(known) < _MOST_LIMITS:
            known.append(validity)
        if len(self._valid) > MOST_KEYS:
            self._valid.pop(next(iter(self._valid)))

    # --- media

    def media(
        self, time: float, place: str, key_name: bytes | None, fate: MediaFate, source: tuple[int, int] | None
    ) -> None:
        """Note a media packet, once, when it came or when it is clear what becomes of it.

        `source` is SSRC and sequence number, where the packet shows them: so packets are missed that never came.
        """
        at = self.at(time)
        service, key = self._by_key.get(key_name or b"", (self._by_place.get(place, ""), ""))
        found = self._service(service or place, place)
        if found is None:
            return
        found.media.add(at, fate)
        if key and fate is MediaFate.OPENED:
            used = found.traffic_keys.get(key)
            if used is not None:
                used.first = at if used.first is None else min(used.first, at)
                used.last = max(used.last, at)
                used.packets += 1
        if source is not None:
            self._miss(found, at, *source)

    def _miss(self, found: _Service, at: float, ssrc: int, sequence: int) -> None:
        gaps = found.gaps.get(ssrc)
        if gaps is None:
            if len(found.gaps) >= _MOST_SOURCES:
                return
            gaps = found.gaps[ssrc] = Gaps()
        missing, since = gaps.take(sequence, at)
        for moment in missing:
            found.media.add(moment, MediaFate.LOST)
        if since is not None:
            found.media.add(since, MediaFate.LOST, -1)

    def listens_anew(self) -> None:
        """What was sent until now, while something else was listened to, is not missed."""
        for service in self._services.values():
            service.gaps.clear()

    # --- the rest

    def balance(self, name: str, before: int, after: int) -> None:
        """Note that a purse or a counter changed."""
        points = self._balances.get(name)
        if points is None:
            if len(self._balances) >= MOST_BALANCES:
                return
            points = self._balances[name] = [(0.0, before)]
        if len(points) >= MOST_POINTS:
            return
        if points[-1][1] != before:
            points.append((self._now, before))
        points.append((self._now, after))

    def note(self, words: str, *, bad: bool = False) -> None:
        """Note something that has happened just now."""
        if len(self._notes) < MOST_NOTES:
            self._notes.append(Note(self._now, words, bad))

    def finish(self, title: str, about: str = "") -> Chronicle:
        """Return the chronicle so far; `about` says what it cannot show."""
        services = tuple(_told(one, self._valid) for one in self._services.values())
        balances = tuple(Balance(name, tuple(points)) for name, points in self._balances.items())
        return Chronicle(title, self._begins or 0.0, self._now, services, balances, tuple(self._notes), about)

    def _service(self, name: str, place: str) -> _Service | None:
        found = self._services.get(name)
        if found is None and len(self._services) < MOST_SERVICES:
            found = self._services[name] = _Service(name, place)
        return found


def _told(service: _Service, valid: Mapping[str, Sequence[Validity]]) -> ServiceStory:
    media: tuple[Slice, ...] = service.media.slices()
    return ServiceStory(
        service.name,
        service.place,
        tuple(
            LongTermKeyUse(
                name, key.came, key.first or 0.0, key.last, tuple(key.allows), tuple(valid.get(name, ())), key.worked
            )
            for name, key in service.long_term_keys.items()
        ),
        tuple(key.told() for key in service.traffic_keys.values()),
        tuple(service.stkms),
        dict(service.counts),
        media,
    )
