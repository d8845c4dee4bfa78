"""Systems of parental rating: what a type and a value of OMA BCAST mean (OMNA registry "BCAST parental rating").

The registry names types and values. That one end of a system is the stricter one follows from the names. Where a system
is deprecated in the registry, its numbers still mean what they meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from card.lean import lean_dataclass
from card.spec.refs import Confidence, Ref

REF = Ref("OMNA", "BCAST parental rating", Confidence.SOURCED)

_NOT_RATED = "not rated"
_DVB_AGES = range(1, 16)
_DVB_OFFSET = 3
_DVB_OWN = range(16, 256)
_ICRA_LEVELS = MappingProxyType(
    {1: "level 4", 2: "level 3", 3: "level 2", 4: "level 1", 5: "level 0", 6: _NOT_RATED}
)  # fmt: skip


@lean_dataclass(frozen=True, slots=True)
class RatingSystem:
    """One type of rating: its number, its name, what its values are called.

    `lower_is_stricter`: the lowest value is for the fewest people. `unrated` are values that say that there is no
    rating.
    """

    type: int
    name: str
    values: Mapping[int, str]
    lower_is_stricter: bool = False
    unrated: frozenset[int] = field(default_factory=frozenset)
    deprecated: bool = False

    def value_name(self, value: int) -> str:
        """Return what a value is called, and of one that the registry does not have that it is reserved."""
        return self.values.get(value, f"{value} (reserved)")


def _icra(number: int, what: str) -> RatingSystem:
    return RatingSystem(number, f"ICRA {what}", _ICRA_LEVELS, True, frozenset({6}), deprecated=True)


def _named(*names: str, first: int = 1) -> Mapping[int, str]:
    return MappingProxyType(dict(enumerate(names, first)))


def _dvb() -> Mapping[int, str]:
    ages = {value: f"from {value + _DVB_OFFSET} years" for value in _DVB_AGES}
    return MappingProxyType({0: "undefined", **ages, **{value: f"{value} of the broadcaster" for value in _DVB_OWN}})


def _generic() -> Mapping[int, str]:
    ends = {0: "unassigned", 1: "1, the least restrictive", 255: "255, the most restrictive"}
    return MappingProxyType({value: ends.get(value, str(value)) for value in range(256)})


RATING_SYSTEMS: tuple[RatingSystem, ...] = (
    RatingSystem(0, "DVB", _dvb(), unrated=frozenset({0})),
    RatingSystem(1, "Japan motion picture code", _named("G", "PG-12", "R-15", "R-18", "none", first=0),
                 unrated=frozenset({4})),
    _icra(2, "language"),
    RatingSystem(3, "MPAA", _named("G", "PG", "PG-13", "R", "NC-17", _NOT_RATED), unrated=frozenset({6})),
    _icra(4, "nudity"),
    RatingSystem(5, "RIAA", _named("parental advisory", "no parental advisory"), lower_is_stricter=True),
    _icra(6, "sex"),
    RatingSystem(7, "FCC TV guidelines", _named("TV-Y", "TV-Y7", "TV-G", "TV-PG", "TV-14", "TV-MA", _NOT_RATED),
                 unrated=frozenset({7})),
    _icra(8, "violence"),
    RatingSystem(9, "FSK", _named("from 0 years", "from 6 years", "from 12 years", "from 16 years", "from 18 years")),
    RatingSystem(10, "OMA BCAST generic", _generic(), unrated=frozenset({0})),
)  # fmt: skip
_BY_TYPE: Mapping[int, RatingSystem] = MappingProxyType({system.type: system for system in RATING_SYSTEMS})

LOWER_IS_STRICTER = tuple(system.type for system in RATING_SYSTEMS if system.lower_is_stricter)
"""The types of which the lower value is the stricter."""


def find_rating_system(rating_type: int) -> RatingSystem | None:
    """Return the system of a type (one byte), None where the registry has none."""
    return _BY_TYPE.get(rating_type)


def is_unrated(rating_type: int, value: int) -> bool:
    """Tell whether a value says that there is no rating."""
    system = find_rating_system(rating_type)
    return system is not None and value in system.unrated


def value_words(rating_type: int, value: int) -> str:
    """Return what a value of a type is called, alone: `PG-13`."""
    system = find_rating_system(rating_type)
    return str(value) if system is None else system.value_name(value)


def rating_words(rating_type: int, value: int) -> str:
    """Return what a rating says: `MPAA PG-13`. A type without a system keeps its numbers."""
    system = find_rating_system(rating_type)
    if system is None:
        return f"rating type {rating_type}, value {value}"
    return f"{system.name} {system.value_name(value)}"
